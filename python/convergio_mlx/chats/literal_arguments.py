"""Arguments as literals: `(city="Rome", days=2)`, or Gemma's `{city:<|"|>Rome<|"|>,days:2}`."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import Any

from convergio_mlx.chats import json_parts, literals
from convergio_mlx.chats.argument_syntax import SHOWN, Scanner, members_of_text, quoted


@dataclass(frozen=True)
class Literals:
    """Names and literals: `(city="Rome", days=2)`, or Gemma's `{city:<|"|>Rome<|"|>,days:2}`."""

    brackets: tuple[str, str] = ("(", ")")
    equals: str = "="
    comma: str = ", "
    quote: str = ""
    """The mark around texts, where it is not Python's."""
    end: str = ""
    """After all arguments; without it they end with their bracket."""

    def scanner(self) -> Scanner:
        """See `Syntax`."""
        return _LiteralScanner(self)

    def write(self, arguments: str) -> str:
        """See `Syntax`."""
        start, close = self.brackets
        written = (
            f"{self.key(name)}{self.equals}{self.literal(value)}"
            for name, value in members_of_text(arguments)
        )
        return f"{start}{self.comma.join(written)}{close}"

    def key(self, name: str) -> str:
        """A name, in quotes where it could not be told from what is around it."""
        is_plain = name.replace("-", "_").replace(".", "_").isidentifier() or name == "<argument>"
        return name if is_plain else quoted(name)

    def literal(self, value: Any) -> str:
        """A value of JSON's types."""
        if value is SHOWN:
            return "<value>"
        if isinstance(value, str):
            inner = value if self.quote else quoted(value)
            return f"{self.quote}{inner}{self.quote}"
        if isinstance(value, list):
            return f"[{self.comma.join(map(self.literal, value))}]"
        if isinstance(value, dict):
            if not self.quote:
                pairs = (f"{quoted(key)}: {self.literal(one)}" for key, one in value.items())
            else:
                pairs = (f"{self.key(key)}:{self.literal(one)}" for key, one in value.items())
            return f"{{{self.comma.join(pairs)}}}"
        return str(value) if not self.quote else json.dumps(value)


class _LiteralScanner:
    """Python's end with the bracket that they begin with, Gemma's with a mark."""

    def __init__(self, syntax: Literals) -> None:
        self._syntax = syntax
        self._written: list[str] = []
        self._open: list[str] = []
        self._string = ""
        self._escaped = False
        self._tail = ""

    def push(self, character: str) -> bool:
        self._written.append(character)
        if self._syntax.end:
            self._tail = (self._tail + character)[-len(self._syntax.end) :]
            return self._tail == self._syntax.end
        if self._string:
            if self._escaped:
                self._escaped = False
            elif character == "\\":
                self._escaped = True
            elif character == self._string:
                self._string = ""
        elif character in "'\"":
            self._string = character
        elif character in "([{":
            self._open.append({"(": ")", "[": "]", "{": "}"}[character])
        elif character in ")]}":
            if not self._open or self._open.pop() != character:
                raise ValueError(f"{character!r} closes nothing")
            return not self._open
        return False

    def finish(self) -> bool:
        try:
            return bool(self._syntax.end) and bool(self.read(None))
        except ValueError:
            return False

    def read(self, schema: Any) -> str:
        written = "".join(self._written)
        if self._syntax.end:
            written = written.removesuffix(self._syntax.end)
        found = literals.read(written, self._syntax.quote)
        json_parts.value(found)
        return json.dumps(json.loads(found), ensure_ascii=False) if _repeats(found) else found

    def read_cut(self, schema: Any) -> str:
        reader = literals.Reader("".join(self._written), self._syntax.quote)
        with contextlib.suppress(ValueError):
            reader.value("")
        return "".join(reader.out)


PYTHON = Literals()


def _repeats(found: str) -> bool:
    """Whether a name comes twice, so that the last counts."""
    names = [name for name, _ in json_parts.members(found)]
    return len(set(names)) < len(names)
