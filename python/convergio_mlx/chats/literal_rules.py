"""The Lark rules of arguments as literals (literal_arguments.py)."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from convergio_mlx.chats.literal_arguments import Literals
from convergio_mlx.chats.rule_writer import (
    FREE_KEY,
    NULL,
    SPELLED,
    VARIED,
    Literal,
    RuleWriter,
    only,
    says_only_type,
)
from convergio_mlx.chats.tools import Tool
from convergio_mlx.chats.value_types import types_of
from convergio_mlx.structured import raw_text
from convergio_mlx.structured.members import Member, Members, OtherError, members_of


class LiteralRules(RuleWriter):
    """Writes them for one tool."""

    def __init__(
        self, tool: Tool, name: str, syntax: Literals, literal: Literal, *, relaxed: bool
    ) -> None:
        """See `RuleWriter`."""
        super().__init__(tool, name, literal, relaxed=relaxed)
        self._syntax = syntax

    def object(self, way: Members) -> str:
        """See `RuleWriter`."""
        start, end = map(self.literal, self._syntax.brackets)
        members = way.listed()
        if not members and way.more is not False:
            optional = "" if way.at_least else "?"
            one = f"{FREE_KEY} {self.literal(self._syntax.equals)} {self._value(way.more)}"
            one = self.new(one)
            return f"{start} ({one} ({self._comma()} {one})*){optional} {end}"
        return f"{start} {self._sequence([*members])} {end}"

    def _sequence(self, members: list[Member]) -> str:
        """Members with commas between those that are there."""
        comma = self._comma()
        rest = ""  # of those after one, when a member was written
        begun = ""  # and when none was
        for member in reversed(members):
            key = f"{self._syntax.key(member.name)}{self._syntax.equals}"
            one = self.new(f"{self.literal(key)} {self._value(member.schema)}")
            if member.required:
                begun = f"{one} {rest}"
            elif begun:
                begun = self.new(f"{one} {rest} | {begun}")
            else:
                begun = f"({one} {rest})?"
            rest = f"{comma} {one} {rest}" if member.required else f"({comma} {one})? {rest}"
            if member.required and len(rest) > 400:
                rest = self.new(rest)
        return begun

    def _comma(self) -> str:
        bare = self._syntax.comma.strip()
        return f'{self.literal(bare)} " "?' if bare != self._syntax.comma else self.literal(bare)

    def _value(self, schema: Any) -> str:
        """A value of a member: Python's is JSON, but for constants; Gemma's is written out."""
        types = types_of(schema, self.root)
        if not self._syntax.quote:
            if types == {"boolean"} and says_only_type(schema):
                return SPELLED
            return NULL if types == {"null"} else self.json(schema)
        return self._marked(schema)

    def _marked(self, schema: Any) -> str:
        """A value with marks around its texts; JSON where nothing else is known."""
        if schema in VARIED:
            text = self._text(True)
            return f"({text} | {self.json({'type': ['number', 'boolean', 'null']})})"
        if not isinstance(schema, dict):
            raise OtherError("a member allows nothing")
        if only(schema, "$ref"):
            return self._referred(schema["$ref"])
        types = types_of(schema, self.root)
        if types == {"string"}:
            return self._text(schema)
        ways = self._alternatives(schema) or self._by_type(schema, types)
        return f"({' | '.join(ways)})" if ways else self.json(schema)

    def _alternatives(self, schema: dict[str, Any]) -> list[str]:
        """Of a schema that is one of several, or of constants; else none."""
        for keyword in ("anyOf", "oneOf"):
            if only(schema, keyword) and (keyword == "anyOf" or self._are_apart(schema["oneOf"])):
                return [self._marked(one) for one in schema[keyword]]
        if not {"enum", "const"}.isdisjoint(schema):
            if not only(schema, "enum", "const", "type"):
                return []
            values = schema.get("enum", [schema.get("const")])
            fitting = [v for v in values if "type" not in schema or _is_of(v, schema["type"])]
            if "const" in schema:
                fitting = [value for value in fitting if value == schema["const"]]
            if any(_holds(value, self._syntax.quote) for value in fitting):
                return []
            return [self.literal(self._syntax.literal(value)) or '""' for value in fitting]
        if isinstance(schema.get("type"), list):
            return [self._marked({**schema, "type": one}) for one in schema["type"]]
        return []

    def _by_type(self, schema: dict[str, Any], types: frozenset[str]) -> list[str]:
        """Of a list or an object; else none."""
        if types == {"array"} and only(schema, "type", "items", "minItems", "maxItems"):
            return [self._list(schema)]
        if types == {"object"} and {"enum", "const"}.isdisjoint(schema):
            with contextlib.suppress(OtherError):
                return [self.object(way) for way in members_of(schema, self.refer)]
        return []

    def _list(self, schema: dict[str, Any]) -> str:
        least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
        if most is not None and int(most) == 0:
            return '"[" "]"'
        item = self.new(self._marked(schema.get("items", True)))
        rest = f"{max(least - 1, 0)},{'' if most is None else int(most) - 1}"
        items = item if rest == "0,0" else f'{item} ("," {item}){{{rest}}}'
        return f'"[" {items} "]"' if least else f'"[" ({items})? "]"'

    def _referred(self, ref: str) -> str:
        if ref not in self._known:
            name = f"{self._name}_r{len(self._known)}"
            self._known[ref] = name
            self._made.append(f"{name}: {self._marked(self.refer(ref))}")
        return self._known[ref]

    def _text(self, schema: Any) -> str:
        text = raw_text.expression(schema, self.refer, (self._syntax.quote,))
        if text is None:
            text = self.loose(schema, (self._syntax.quote,))
        return f"{self.literal(self._syntax.quote)} {self.ended(schema, text, self._syntax.quote)}"

    def _are_apart(self, branches: Any) -> bool:
        types = [types_of(one, self.root) for one in branches]
        return sum(map(len, types)) == len(frozenset[str]().union(*types))


def _is_of(value: Any, types: Any) -> bool:
    if isinstance(value, bool):
        name = "boolean"
    elif isinstance(value, int | float):
        wanted = types if isinstance(types, list) else [types]
        return "number" in wanted or ("integer" in wanted and float(value).is_integer())
    else:
        name = {type(None): "null", str: "string", list: "array", dict: "object"}[type(value)]
    return name in (types if isinstance(types, list) else [types])


def _holds(value: Any, mark: str) -> bool:
    return mark in json.dumps(value, ensure_ascii=False)
