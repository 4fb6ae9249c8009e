"""Tool calls found in an answer while it is written.

What is given out depends on the text alone and not on how it was cut into pieces. Nothing is lost:
what begins like a call and turns out not to be one is given as the text that it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from convergio_mlx.chats import json_parts
from convergio_mlx.chats.argument_syntax import Json, Scanner
from convergio_mlx.chats.events import TextEvent, ToolCallEvent
from convergio_mlx.chats.literal_arguments import PYTHON
from convergio_mlx.chats.pieces import overlap
from convergio_mlx.chats.tool_format import ToolFormat
from convergio_mlx.chats.tools import ToolCall, new_id

Found = TextEvent | ToolCallEvent
_State = Callable[[str, list[Found]], str]
_LONGEST_HEADER = 256
"""Characters between a mark and its arguments at most; more is text."""
_ARGUMENTS = ("arguments", "parameters")
_NAMES = ("name", "tool_name")
_JSON = Json()
_NAME = re.compile(r"[\w.:/-]+")


class ToolParser:
    """Splits an answer into text and calls. Text is held back only while it may begin a call."""

    def __init__(
        self,
        tool_format: ToolFormat,
        tools: Iterable[str] | Mapping[str, Any],
        json_is_call: bool = False,
        unenforced: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    ) -> None:
        """Begins an answer.

        Args:
            tool_format: how the model writes calls.
            tools: the tools' names, with the schemas of their parameters, which say what is a text
                where the format does not; a call without a mark must name one of them.
            json_is_call: where calls need no mark, no other answer begins as JSON does: one that is
                cut is a call that is cut, even before its name.
            unenforced: what of a tool's schema the answer is not held to, by the tool's name.
        """
        self._format = tool_format
        self._tools = tools if isinstance(tools, Mapping) else dict.fromkeys(tools, True)
        self._json_is_call = json_is_call
        self._unenforced = unenforced
        self._header = re.compile(tool_format.header)
        self._state: _State = self._start
        self._pending = ""  # text whose meaning the next characters decide
        self._raw = ""  # what a call is written as, so far
        self._mark = ""  # what it began with
        self._from = 0  # where its arguments, or its JSON, begin in that
        self._scanner: Scanner = _JSON.scanner()
        self._name: str | None = None  # where it stands before the arguments
        self._id: str | None = None
        self._in_list = False
        self._list_begun = False  # whether the list has had a call
        self._is_bare = False
        self._is_closed = False  # whether a closing mark came after the last call

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
        elif not cut and (unclosed := self._unclosed()) is not None:
            out.append(ToolCallEvent(unclosed))
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
        if stripped[0] in self._format.bare:
            self._begin("", "")
            self._is_bare = True
            self._raw = rest[: len(rest) - len(stripped)]
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
        self._raw = self._mark = mark
        self._name = self._id = None
        self._in_list = self._list_begun = self._is_bare = False
        self._state = self._before_arguments
        return rest[len(mark) :]

    def _before_arguments(self, rest: str, out: list[Found]) -> str:
        """Between a mark and its arguments: as short as the format has it, or it is text."""
        header = self._raw[len(self._mark) :]
        for index in range(len(rest)):
            match = self._header.match(header + rest[: index + 1])
            if match is not None and match.end() == len(header) + index:
                groups = match.groupdict()
                self._name = groups.get("name") or groups.get("name_first")
                self._id = groups.get("id")
                if self._mark in self._format.weak and self._name not in self._tools:
                    return self._give_up(rest[: index + 1], rest[index + 1 :], out)
                self._raw += rest[:index]
                return self._open(rest[index:])
            if len(header) + index >= _LONGEST_HEADER or self._is_prose(header + rest[: index + 1]):
                return self._give_up(rest[: index + 1], rest[index + 1 :], out)
        self._raw += rest
        return ""

    def _is_prose(self, header: str) -> bool:
        """Whether no call can continue so: in most formats nothing but space may."""
        begun = header.lstrip()
        if self._format.so_far:
            return re.fullmatch(self._format.so_far, header) is None
        if "(?P<name" not in self._format.header:
            return bool(begun)
        lead = self._format.lead if self._mark not in self._format.lead else ""
        return bool(begun) and not (begun.startswith(lead) or lead.startswith(begun))

    def _open(self, rest: str) -> str:
        if self._name is None and rest[0] != "{":
            self._in_list = True
            self._raw += rest[0] if rest[0] == "[" else ""
            self._state = self._between
            return rest.removeprefix("[")
        self._begin_arguments(_JSON.scanner() if self._name is None else None)
        return rest

    def _begin_arguments(self, scanner: Scanner | None = None) -> None:
        self._from = len(self._raw)
        self._scanner = scanner or self._format.syntax.scanner()
        self._state = self._arguments

    def _between(self, rest: str, out: list[Found]) -> str:
        """In a list, before a call or its end."""
        close = self._format.brackets[1].strip()
        for index, character in enumerate(rest):
            if character == "{":
                self._raw += rest[:index]
                self._name = None
                self._begin_arguments(_JSON.scanner())
                return rest[index:]
            if character.isalpha() or character == "_":
                self._raw += rest[:index]
                self._from = len(self._raw)
                self._state = self._python_name
                return rest[index:]
            if self._list_begun and rest.startswith(close, index):
                self._raw = ""
                self._state = self._after
                return rest[index + len(close) :]
            if self._list_begun and close.startswith(rest[index:]):
                self._raw += rest[:index]
                return rest[index:]
            if character not in ", \t\n\r":
                return self._give_up(rest[: index + 1], rest[index + 1 :], out)
        self._raw += rest
        return ""

    def _python_name(self, rest: str, out: list[Found]) -> str:
        """In a list, the name of a call as Python writes it."""
        for index, character in enumerate(rest):
            if character == "(":
                self._raw += rest[:index]
                self._name, self._id = self._raw[self._from :], None
                if self._is_bare and self._name not in self._tools:
                    return self._give_up("(", rest[index + 1 :], out)
                self._begin_arguments(PYTHON.scanner())
                return rest[index:]
            name = self._raw[self._from :] + rest[: index + 1]
            if not _NAME.fullmatch(name) or len(name) > _LONGEST_HEADER:
                return self._give_up(rest[: index + 1], rest[index + 1 :], out)
        self._raw += rest
        return ""

    def _arguments(self, rest: str, out: list[Found]) -> str:
        for index, character in enumerate(rest):
            try:
                if not self._scanner.push(character):
                    continue
                call = self._call((self._raw + rest[: index + 1])[self._from :])
            except ValueError:
                return self._give_up(rest[: index + 1], rest[index + 1 :], out)
            out.append(ToolCallEvent(call))
            self._is_closed = False
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
                self._is_closed = True
                return stripped[len(closer) :]
        if any(closer.startswith(stripped) for closer in self._format.closers):
            return stripped
        self._state = self._start
        if self._is_json_call and not self._is_closed and stripped[0] == "{":
            self._begin("", "")  # another call between the same marks
            self._is_bare = True
        return stripped

    @property
    def _is_json_call(self) -> bool:
        """Whether calls are whole JSON objects, each between marks."""
        known = self._format
        return not (known.named_before or known.listed or known.bare) and known.is_json

    def _give_up(self, read: str, rest: str, out: list[Found]) -> str:
        """It was no call: all of it is text. Its last character may begin one."""
        _say(self._raw + read[:-1], out)
        self._raw = ""
        self._state = self._text
        return read[-1] + rest

    def _call(self, written: str) -> ToolCall:
        """The call of whole arguments, or of a whole JSON object.

        Raises:
            ValueError: it is no call.
        """
        if self._name is not None:
            arguments = self._scanner.read(self._tools.get(self._name, True))
            return self._made(self._id, self._name, arguments)
        json_parts.value(written)
        parts = dict(json_parts.members(written))
        if "function" in parts and parts["function"].startswith("{"):
            parts |= dict(json_parts.members(parts["function"]))
        if self._format.call.startswith("{{name}") and len(parts) == 1:
            ((name, given),) = parts.items()
            return self._made(None, name, _object(given))
        named = json_parts.value(next((parts[key] for key in _NAMES if key in parts), ""))[0]
        if not isinstance(named, str):
            raise ValueError("no name")
        found = next((parts[key] for key in _ARGUMENTS if key in parts), None)
        if self._is_bare and (found is None or named not in self._tools):
            raise ValueError("an answer in JSON")
        identity = json_parts.value(parts["id"])[0] if "id" in parts else None
        return self._made(identity, named, "{}" if found is None else _object(found))

    def _made(self, identity: object, name: str, arguments: str) -> ToolCall:
        known = identity if identity and isinstance(identity, str) else new_id()
        return ToolCall(known, name, arguments, self._unenforced.get(name, ()))

    def _unclosed(self) -> ToolCall | None:
        """The call whose end the model left out."""
        try:
            if self._state != self._arguments or self._name is None or not self._scanner.finish():
                return None
            return self._call("")
        except ValueError:
            return None

    def _is_call(self, cut: ToolCall) -> bool:
        if self._mark in self._format.weak and self._state == self._before_arguments:
            begun = self._raw[len(self._mark) :].strip()
            return any(name.startswith(begun) or begun.startswith(name) for name in self._tools)
        return not self._is_bare or self._json_is_call or cut.name in self._tools

    def _cut_call(self) -> ToolCall:
        is_within = self._state == self._arguments
        if self._name is not None:
            schema = self._tools.get(self._name, True)
            return ToolCall(
                new_id(), self._name, self._scanner.read_cut(schema) if is_within else ""
            )
        parts: dict[str, str] = {}
        try:
            for key, value in json_parts.members(self._raw[self._from :] if is_within else ""):
                parts[key] = value
        except ValueError:
            pass
        if self._format.call.startswith("{{name}") and parts:
            return ToolCall(new_id(), *next(iter(parts.items())))
        try:
            name = json_parts.value(next((parts[key] for key in _NAMES if key in parts), ""))[0]
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
