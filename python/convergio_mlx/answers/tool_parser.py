"""Tool calls found in an answer while it is written.

What is given out depends on the text alone and not on how it was cut into pieces. Nothing is lost:
what begins like a call and turns out not to be one is given as the text that it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from convergio_mlx.answers import json_parts
from convergio_mlx.answers.events import TextEvent, ToolCallEvent
from convergio_mlx.answers.reasoning import overlap
from convergio_mlx.answers.tool_calls import ToolCall, new_id
from convergio_mlx.answers.tool_formats import ToolFormat

Found = TextEvent | ToolCallEvent
_State = Callable[[str, list[Found]], str]
_LONGEST_HEADER = 256
"""Characters between a mark and its JSON at most; more is text."""
_ARGUMENTS = ("arguments", "parameters")


class ToolParser:
    """Splits an answer into text and calls. Text is held back only while it may begin a call."""

    def __init__(
        self, notation: ToolFormat, tools: Collection[str], json_is_call: bool = False
    ) -> None:
        """Begins an answer.

        Args:
            notation: how the model writes calls.
            tools: the tools' names; a call without a mark must name one of them.
            json_is_call: where calls need no mark, no other answer begins as JSON does: one that is
                cut is a call that is cut, even before its name.
        """
        self._format = notation
        self._tools = frozenset(tools)
        self._json_is_call = json_is_call
        self._header = re.compile(notation.header)
        self._state: _State = self._start
        self._pending = ""  # text whose meaning the next characters decide
        self._raw = ""  # what a call is written as, so far
        self._from = 0  # where its JSON begins in that
        self._scanner = json_parts.ValueScanner()
        self._name: str | None = None  # where it stands before the JSON
        self._in_list = False
        self._list_begun = False  # whether the list has had a call
        self._is_bare = False

    def feed(self, text: str) -> list[Found]:
        """Takes the next piece of the answer; returns what is certain now."""
        out: list[Found] = []
        rest = self._pending + text
        self._pending = ""
        while rest:
            before, state = len(rest), self._state
            rest = state(rest, out)
            if len(rest) == before and self._state == state:  # more must come to decide
                self._pending = rest
                break
        return out

    def finish(self, cut: bool) -> list[Found]:
        """Returns what was held back, now that no more will come.

        Args:
            cut: the answer was ended from outside: an unfinished call is given as such.
        """
        out: list[Found] = []
        if self._state == self._after or (self._state == self._between and self._list_begun):
            pass  # a part of what closes a call, or a list
        elif self._raw and cut and self._is_call(call := self._cut_call()):
            out.append(ToolCallEvent(call, complete=False))
        else:
            _say(self._raw + self._pending, out)
        self._raw = self._pending = ""
        return out

    def _start(self, rest: str, out: list[Found]) -> str:
        """Before the answer's first character, and after a call where calls need no mark."""
        stripped = rest.lstrip()
        if not stripped:
            return rest
        if self._format.bare and stripped[0] == "{":
            self._is_bare = True
            self._raw = rest[: len(rest) - len(stripped)]
            self._state = self._before_json
            return stripped
        begun = next((mark for mark in self._format.marks if stripped.startswith(mark)), None)
        if begun is not None:  # space between the answer's beginning and a call is no text
            return self._begin(begun, stripped)
        if any(mark.startswith(stripped) for mark in self._format.marks):
            return rest
        self._state = self._text
        return rest

    def _text(self, rest: str, out: list[Found]) -> str:
        places = [(rest.find(mark), mark) for mark in self._format.marks]
        at, begun = min((place for place in places if place[0] >= 0), default=(-1, ""))
        if at >= 0:
            _say(rest[:at], out)
            return self._begin(begun, rest[at:])
        held = max(overlap(rest, mark) for mark in self._format.marks)
        _say(rest[: len(rest) - held], out)
        return rest[len(rest) - held :]

    def _begin(self, mark: str, rest: str) -> str:
        self._raw = mark
        self._is_bare = False
        self._state = self._before_json
        return rest[len(mark) :]

    def _before_json(self, rest: str, out: list[Found]) -> str:
        """Between a mark and its JSON: as short as the notation has it, or it is text."""
        header = self._raw[len(self._mark()) :]
        for index, character in enumerate(rest):
            if character in "{[":
                match = self._header.match(header + rest[: index + 1])
                if match is not None and match.end() == len(header) + index:
                    names = [name for name in match.groupdict().values() if name is not None]
                    self._name = names[0] if names else None
                    self._raw += rest[:index]
                    return self._open(rest[index:])
            if len(header) + index >= _LONGEST_HEADER or self._is_prose(header + rest[: index + 1]):
                return self._give_up(rest[: index + 1], rest[index + 1 :], out)
        self._raw += rest
        return ""

    def _mark(self) -> str:
        begun = (mark for mark in self._format.marks if self._raw.startswith(mark))
        return "" if self._is_bare else next(begun, "")

    def _is_prose(self, header: str) -> bool:
        """Whether no call can go on so: in most notations nothing but space may."""
        return "(?P<name" not in self._format.header and not header.isspace()

    def _open(self, rest: str) -> str:
        self._in_list = rest[0] == "["
        self._list_begun = False
        if self._in_list:
            self._raw += "["
            self._state = self._between
            return rest[1:]
        self._begin_json()
        return rest

    def _begin_json(self) -> None:
        self._from = len(self._raw)
        self._scanner = json_parts.ValueScanner()
        self._state = self._json

    def _between(self, rest: str, out: list[Found]) -> str:
        """In a list, before a call or its end."""
        for index, character in enumerate(rest):
            if character == "{":
                self._raw += rest[:index]
                self._begin_json()
                return rest[index:]
            if character == "]" and self._list_begun:
                self._raw = ""
                self._state = self._after
                return rest[index + 1 :]
            if character not in ", \t\n\r":
                return self._give_up(rest[: index + 1], rest[index + 1 :], out)
        self._raw += rest
        return ""

    def _json(self, rest: str, out: list[Found]) -> str:
        for index, character in enumerate(rest):
            try:
                if not self._scanner.push(character):
                    continue
                written = (self._raw + rest[: index + 1])[self._from :]
                call = self._call(written)
            except ValueError:
                return self._give_up(rest[: index + 1], rest[index + 1 :], out)
            out.append(ToolCallEvent(call))
            self._raw = ""
            self._list_begun = self._in_list
            self._state = self._between if self._in_list else self._after
            return rest[index + 1 :]
        self._raw += rest
        return ""

    def _after(self, rest: str, out: list[Found]) -> str:
        """After a call: its closing marks and space belong to it."""
        stripped = rest.lstrip()
        if not stripped:
            return ""
        for closer in self._format.closers:
            if stripped.startswith(closer):
                return stripped[len(closer) :]
        if any(closer.startswith(stripped) for closer in self._format.closers):
            return stripped
        self._state = self._start
        return stripped

    def _give_up(self, read: str, rest: str, out: list[Found]) -> str:
        """It was no call: all of it is text. Its last character may begin one."""
        _say(self._raw + read[:-1], out)
        self._raw = ""
        self._state = self._text
        return read[-1] + rest

    def _call(self, written: str) -> ToolCall:
        """The call of a whole JSON object.

        Raises:
            ValueError: it is no call.
        """
        json_parts.value(written)
        parts = dict(json_parts.members(written))
        if self._name is not None:
            return ToolCall(new_id(), self._name, written)
        if "function" in parts and parts["function"].startswith("{"):
            parts |= dict(json_parts.members(parts["function"]))
        name = json_parts.value(parts.get("name", ""))[0]
        if not isinstance(name, str):
            raise ValueError("no name")
        given = next((parts[key] for key in _ARGUMENTS if key in parts), None)
        if self._is_bare and (given is None or name not in self._tools):
            raise ValueError("an answer in JSON")
        identity = json_parts.value(parts["id"])[0] if "id" in parts else None
        return ToolCall(
            identity if identity and isinstance(identity, str) else new_id(),
            name,
            "{}" if given is None else _object(given),
        )

    def _is_call(self, cut: ToolCall) -> bool:
        return not self._is_bare or self._json_is_call or cut.name in self._tools

    def _cut_call(self) -> ToolCall:
        written = self._raw[self._from :] if self._state == self._json else ""
        if self._name is not None:
            return ToolCall(new_id(), self._name, written)
        parts: dict[str, str] = {}
        try:
            for key, value in json_parts.members(written):
                parts[key] = value
        except ValueError:
            pass
        try:
            name = json_parts.value(parts.get("name", ""))[0]
        except ValueError:
            name = ""
        given = next((parts[key] for key in _ARGUMENTS if key in parts), "")
        return ToolCall(new_id(), name if isinstance(name, str) else "", given)


def _object(written: str) -> str:
    """Arguments must be an object; some models write its JSON as a text."""
    value = json_parts.value(written)[0]
    if isinstance(value, str):
        written, value = value, json_parts.value(value)[0]
    if value is None:
        return "{}"
    if not isinstance(value, dict):
        raise ValueError("arguments are no object")
    return written


def _say(text: str, out: list[Found]) -> None:
    if text:
        out.append(TextEvent(text))
