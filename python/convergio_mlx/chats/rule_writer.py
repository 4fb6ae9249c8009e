"""What writes Lark rules of a tool's arguments, in whichever syntax."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from convergio_mlx.chats.tools import Tool
from convergio_mlx.chats.value_types import referred
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.structured import raw_text
from convergio_mlx.structured import schema_keywords as keywords
from convergio_mlx.structured.members import Members, OtherError
from convergio_mlx.structured.schema import closed, enforceable, json_rule

Literal = Callable[[str], str]
"""Writes a text as Lark, its marks as tokens."""
SPELLED = "/[Tt]rue|[Ff]alse/"
NULL = "/null|None/"
FREE_KEY = "/[A-Za-z_][A-Za-z0-9_]{0,40}/"
VARIED: tuple[Any, ...] = (True, {})
"""Schemas that allow anything."""


class RuleWriter:
    """Writes the rules of one tool: what each syntax needs."""

    def __init__(self, tool: Tool, name: str, literal: Literal, *, relaxed: bool) -> None:
        """Begins; `relaxed` where what cannot be enforced is left to be checked."""
        self.unenforced: list[str] = []
        self._tool = tool
        self.root = closed(tool.parameters)
        self._name = name
        self.literal = literal
        self._relaxed = relaxed
        self._made: list[str] = []
        self._known: dict[str, str] = {}

    def refer(self, ref: str) -> Any:
        """What a `$ref` leads to."""
        return referred(ref, self.root)

    def rules(self, ways: list[Members]) -> list[str]:
        """All rules, of an object that may be in any of these ways.

        Raises:
            OtherError: its values cannot be written so.
        """
        if not ways:
            raise OtherError("it allows no object")
        return [f"{self._name}: {' | '.join(map(self.object, ways))}", *self._made]

    def object(self, way: Members) -> str:
        """The expression of an object's arguments."""
        raise NotImplementedError

    def new(self, rule: str, terminal: bool = False, flags: str = "") -> str:
        """A rule or a terminal of its own; returns its name."""
        name = f"{self._name}_{len(self._made)}"
        name = name.upper() if terminal else name
        self._made.append(f"{name}{flags}: {rule}")
        return name

    def ended(self, schema: Any, text: str, end: str) -> str:
        """A text and what comes after it: a token, or what it may not have within."""
        literal = self.literal(end)
        first, _, rest = literal.partition(" ")
        if first.startswith("<["):
            if isinstance(schema, dict) and schema.get("maxLength") == 0:
                return literal
            some = self.new(f"({text}) & {raw_text.SOMETHING}", terminal=True)
            return f"{some}{'?' if raw_text.may_be_empty(schema) else ''} {literal}"
        if rest.startswith("<["):
            return f"{self.new(f'({text}) {first}', terminal=True)} {rest}"
        name = self.new(f"({text}) {first}", terminal=True)
        return f"{self.new(name, flags='[lazy]')} {rest}"

    def loose(self, schema: Any, unlike: tuple[str, ...]) -> str:
        """Any text, where the schema says too much of it.

        Raises:
            OtherError: a call is required.
        """
        shown = json.dumps(schema, ensure_ascii=False)[:80]
        if not self._relaxed:
            raise OtherError(f"a text without quotes cannot be held to {shown}")
        self.unenforced.append(
            f"the parameters of {self._tool.name!r} have a text that is not held to {shown}"
        )
        found = raw_text.expression(True, self.refer, unlike)
        assert found is not None
        return found

    def json(self, schema: Any) -> str:
        """A value as JSON, of a part of the tool's schema."""
        if not isinstance(schema, dict):
            schema = {}
        if "$ref" in json.dumps(schema):
            schema = {**_moved(schema), "$defs": {"_root": _moved(self.root)}}
        where = f"the parameters of {self._tool.name!r}"
        if not self._relaxed:
            return self.new(json_rule(schema, where))
        try:
            return self.new(enforceable(schema, where).rule)
        except InvalidRequestError:
            return self.new(json_rule(True, where, open_objects=True))


def _moved(schema: Any) -> Any:
    """A schema whose references lead into `$defs/_root`, where its root is then."""
    if isinstance(schema, list):
        return [_moved(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: f"#/$defs/_root{one[1:]}"
        if key == "$ref" and isinstance(one, str) and one.startswith("#")
        else one
        if key in ("enum", "const", "default", "examples", "example")
        else _moved(one)
        for key, one in schema.items()
    }


def says_only_type(schema: Any) -> bool:
    """Whether a schema says the type of a value, and nothing else."""
    return isinstance(schema, dict) and only(schema, "type")


def only(schema: dict[str, Any], *allowed: str) -> bool:
    """Whether a schema has one of these keywords, and none else that says anything."""
    others = [
        key
        for key, value in schema.items()
        if key not in allowed
        and key not in ("$defs", "definitions")
        and not keywords.says_nothing(key, value, schema)
    ]
    return not others and any(key in schema for key in allowed)
