"""How the arguments of a call are written: as JSON, in tags, or as literals.

Each syntax has a scanner, which finds where the arguments end while they come, and says in the end
what they are; and a writer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from convergio_mlx.chats import json_parts
from convergio_mlx.chats.value_types import referred

EXAMPLE = '{"<argument>": <value>}'
"""Arguments that show how any are written."""
SHOWN = object()
"""Stands for any value in them."""


class Scanner(Protocol):
    """Reads the arguments of one call."""

    def push(self, character: str) -> bool:
        """Takes the next character; True where it ends the arguments.

        Raises:
            ValueError: no arguments continue so.
        """

    def finish(self) -> bool:
        """Whether the arguments may end here, although what ends them is missing."""

    def read(self, schema: Any) -> str:
        """The JSON of what was read, whole; or what it begins with.

        Args:
            schema: the tool's parameters.

        Raises:
            ValueError: they are no arguments.
        """

    def read_cut(self, schema: Any) -> str:
        """What there is of the JSON of arguments that are cut."""


class Syntax(Protocol):
    """A way to write arguments."""

    def scanner(self) -> Scanner:
        """Begins before the first character."""

    def write(self, arguments: str) -> str:
        """Arguments, whose JSON is given, as a model would write them."""


class Json:
    """A JSON object, as it is."""

    def scanner(self) -> Scanner:
        """See `Syntax`."""
        return _JsonScanner()

    def write(self, arguments: str) -> str:
        """See `Syntax`."""
        return arguments


class _JsonScanner:
    def __init__(self) -> None:
        self._written: list[str] = []
        self._scanner = json_parts.ValueScanner()

    def push(self, character: str) -> bool:
        self._written.append(character)
        return self._scanner.push(character)

    def finish(self) -> bool:
        return False

    def read(self, schema: Any) -> str:
        written = "".join(self._written)
        json_parts.value(written)
        for _ in json_parts.members(written):
            pass
        return written

    def read_cut(self, schema: Any) -> str:
        return "".join(self._written)


def parameters_of(schema: Any) -> Mapping[str, Any]:
    """The properties that a tool's schema names, wherever it does for the whole object."""
    found: dict[str, Any] = {}
    pending, seen = [schema], 0
    while pending and seen < 1000:
        part = pending.pop()
        seen += 1
        if not isinstance(part, dict):
            continue
        if isinstance(part.get("properties"), dict):
            for name, one in part["properties"].items():
                if name in found and found[name] != one:
                    found[name] = {"anyOf": [found[name], one]}
                else:
                    found[name] = one
        for keyword in ("allOf", "anyOf", "oneOf"):
            if isinstance(part.get(keyword), list):
                pending += part[keyword]
        if isinstance(part.get("$ref"), str):
            pending.append(referred(part["$ref"], schema))
    return found


def members_of_text(arguments: str) -> Iterator[tuple[str, Any]]:
    """Names and values."""
    if arguments == EXAMPLE:
        yield "<argument>", SHOWN
        return
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        value = {}
    yield from value.items() if isinstance(value, dict) else ()


def quoted(text: str) -> str:
    """A text as JSON has it."""
    return json.dumps(text, ensure_ascii=False)
