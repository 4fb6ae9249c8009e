"""Arguments in tags: `<parameter=city>Rome</parameter>`. A text stands there without quotes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from convergio_mlx.chats.argument_syntax import (
    SHOWN,
    Scanner,
    members_of_text,
    parameters_of,
    quoted,
)
from convergio_mlx.chats.value_types import json_of, types_of

LONGEST_KEY = 256


@dataclass(frozen=True)
class Tags:
    """A tag for each argument: its name, and its value, which is bare where it is a text."""

    key_open: str
    key_close: str
    close: str
    """After the value."""
    end: str
    """After all arguments."""
    open: str = ""
    """Before the value, after `key_close`."""
    margin: str = ""
    """Around a value; one of each belongs to the tags."""
    gap: str = "\n"
    """After each argument, and before `open`."""

    def scanner(self) -> Scanner:
        """See `Syntax`."""
        return _TagScanner(self)

    def write(self, arguments: str) -> str:
        """See `Syntax`."""
        return "".join(
            f"{self.before_value(key)}{_bare(value)}{self.after_value}"
            for key, value in members_of_text(arguments)
        )

    def before_value(self, key: str) -> str:
        """What is written before a value."""
        gap = self.gap if self.open else ""
        return f"{self.key_open}{key}{self.key_close}{gap}{self.open}{self.margin}"

    @property
    def after_value(self) -> str:
        """What is written after a value."""
        return f"{self.margin}{self.close}{self.gap}"

    @property
    def never_in_value(self) -> tuple[str, ...]:
        """What would end a bare value."""
        return (self.close, self.key_open)


class _TagScanner:
    """A value ends where its closing tag is followed by another argument or by the end of all, so
    that a closing tag within a text is a part of it; or where another argument begins."""

    def __init__(self, tags: Tags) -> None:
        self._tags = tags
        self._written: list[str] = []
        self._tail = ""
        self._longest = max(map(len, (tags.key_open, tags.key_close, tags.close, tags.end)))
        self._state = "between"
        self._word = ""  # after a value, or before the first: what is no space
        self._key = ""
        self._start = 0  # of the key or value
        self._value_end = -1
        self._pairs: list[tuple[str, str]] = []

    def push(self, character: str) -> bool:
        self._written.append(character)
        self._tail = (self._tail + character)[-self._longest :]
        if self._state == "between":
            return self._between(character)
        if self._state == "key":
            if self._tail.endswith(self._tags.key_close):
                self._key = self._text(self._start, -len(self._tags.key_close))
                self._state, self._start = "value", len(self._written)
            elif len(self._written) - self._start > LONGEST_KEY:
                raise ValueError("no name")
        elif self._tail.endswith(self._tags.close):
            self._state, self._word = "between", ""
            self._value_end = len(self._written) - len(self._tags.close)
        elif self._tail.endswith(self._tags.key_open):
            self._begin_key(len(self._written) - len(self._tags.key_open))
        return False

    def _between(self, character: str) -> bool:
        if not self._word and character.isspace():
            return False
        self._word += character
        tags = self._tags
        if self._word == tags.end:
            self._commit(self._value_end)
            return True
        if self._word == tags.key_open:
            self._begin_key(self._value_end)
        elif not (tags.end.startswith(self._word) or tags.key_open.startswith(self._word)):
            if self._value_end < 0:
                raise ValueError("no argument")
            self._state = "value"  # what looked like its end was a part of it
            if self._tail.endswith(tags.close):
                self._state, self._word = "between", ""
                self._value_end = len(self._written) - len(tags.close)
        return False

    def _begin_key(self, value_end: int) -> None:
        self._commit(value_end)
        self._value_end = -1
        self._state, self._start, self._key = "key", len(self._written), ""

    def _commit(self, end: int) -> None:
        if end >= 0:
            self._pairs.append((self._key, self._text(self._start, end)))

    def finish(self) -> bool:
        if self._state == "value":
            end = "".join(self._written).rfind(self._tags.end, self._start)
            if end < 0:
                return False
            self._value_end = end
        elif self._state == "key":
            return False
        self._commit(self._value_end)
        return bool(self._pairs)

    def read(self, schema: Any) -> str:
        return f"{{{', '.join(self._json(schema, self._pairs))}}}"

    def read_cut(self, schema: Any) -> str:
        pairs = [*self._pairs]
        if self._state == "between" and self._value_end >= 0:
            pairs.append((self._key, self._text(self._start, self._value_end)))
        parts = [*self._json(schema, pairs)]
        if self._state == "value":
            ((key, value),) = self._values(schema, [(self._key, self._text(self._start))])
            is_text = value.startswith('"')
            parts.append(f"{quoted(key)}: {value[:-1] if is_text else value}")
        return "{" + ", ".join(parts)

    def _text(self, start: int, end: int | None = None) -> str:
        return "".join(self._written[start:end])

    def _json(self, schema: Any, pairs: list[tuple[str, str]]) -> Iterator[str]:
        last = dict(self._values(schema, pairs))
        return (f"{quoted(key)}: {value}" for key, value in last.items())

    def _values(self, schema: Any, pairs: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        known = parameters_of(schema)
        for written, value in pairs:
            key = written if written in known else written.strip()
            yield key, json_of(self._inner(value), types_of(known.get(key, True), schema))

    def _inner(self, value: str) -> str:
        if self._tags.open and value.lstrip().startswith(self._tags.open):
            value = value.lstrip().removeprefix(self._tags.open)
        return value.removeprefix(self._tags.margin).removesuffix(self._tags.margin)


def _bare(value: Any) -> str:
    if value is SHOWN:
        return "<value>"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
