"""The Lark rules of arguments in tags (tag_arguments.py)."""

from __future__ import annotations

from typing import Any

from convergio_mlx.chats.rule_writer import (
    FREE_KEY,
    NULL,
    SPELLED,
    VARIED,
    Literal,
    RuleWriter,
    says_only_type,
)
from convergio_mlx.chats.tag_arguments import LONGEST_KEY, Tags
from convergio_mlx.chats.tools import Tool
from convergio_mlx.chats.value_types import TEXT_OR_NULL, types_of
from convergio_mlx.structured import raw_text
from convergio_mlx.structured.members import Members, OtherError


class TagRules(RuleWriter):
    """Writes them for one tool."""

    def __init__(
        self, tool: Tool, name: str, tags: Tags, literal: Literal, *, relaxed: bool
    ) -> None:
        """See `RuleWriter`."""
        super().__init__(tool, name, literal, relaxed=relaxed)
        self._tags = tags

    def object(self, way: Members) -> str:
        """See `RuleWriter`."""
        tags = self._tags
        parts = []
        for member in way.listed():
            if tags.key_close in member.name or len(member.name) > LONGEST_KEY:
                raise OtherError(f"{member.name!r} cannot be the name of an argument")
            before = self.literal(tags.before_value(member.name))
            one = f"{before} {self._value(member.schema)}"
            parts.append(one if member.required else f"({one})?")
        if way.more is not False:
            before, _, after = tags.before_value("\0").partition("\0")
            value = self._value(way.more)
            key = f"{self.literal(before)} {FREE_KEY} {self.literal(after)}"
            parts.append(f"({key} {value}){'+' if way.at_least else '*'}")
        return " ".join(parts) or '""'

    def _value(self, schema: Any) -> str:
        tags = self._tags
        types = types_of(schema, self.root)
        end = self.literal(tags.after_value)
        if types == {"null"}:
            return f"{NULL} {end}"
        if types <= TEXT_OR_NULL or schema in VARIED:
            text = raw_text.expression(
                True if schema in VARIED else schema, self.refer, tags.never_in_value
            )
            if text is None:
                text = self.loose(schema, tags.never_in_value)
            return self.ended(schema, text, tags.after_value)
        if types == {"boolean"} and says_only_type(schema):
            return f"{SPELLED} {end}"
        return f"{self.json(schema)} {end}"
