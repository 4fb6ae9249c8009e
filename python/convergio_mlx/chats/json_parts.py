"""JSON read in parts: where a value ends in a stream, and the members of an object as written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NoReturn

_SPACE = " \t\n\r"
_OUTSIDE_STRINGS = frozenset('{}[]:,"+-.0123456789eE' + "truefalsn" + _SPACE)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


class ValueScanner:
    """Finds where a JSON object or array ends, character by character.

    It follows brackets and strings only: what it finds may still be no JSON, but nothing that is
    JSON ends elsewhere.
    """

    def __init__(self) -> None:
        """Begins before the first bracket."""
        self._open: list[str] = []
        self._in_string = False
        self._escaped = False

    def push(self, character: str) -> bool:
        """Takes the next character; True where it ends the value.

        Raises:
            ValueError: no JSON continues so.
        """
        if self._in_string:
            if self._escaped:
                self._escaped = False
            elif character == "\\":
                self._escaped = True
            elif character == '"':
                self._in_string = False
            return False
        if character not in _OUTSIDE_STRINGS:
            raise ValueError(f"{character!r} outside of a string")
        if character == '"':
            self._in_string = True
        elif character in "{[":
            self._open.append("}" if character == "{" else "]")
        elif character in "}]":
            if not self._open or self._open.pop() != character:
                raise ValueError(f"{character!r} closes nothing")
            return not self._open
        return False


def value(text: str, at: int = 0) -> tuple[object, int]:
    """The JSON value that begins at `at`, and where it ends.

    Raises:
        ValueError: there is none.
    """
    try:
        return _DECODER.raw_decode(text, at)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def members(text: str) -> Iterator[tuple[str, str]]:
    """The members of the object that `text` begins with, each value as it is written. Of an object
    that is cut the last value is what there is of it; the iteration ends there.

    Raises:
        ValueError: it is no object, or not JSON up to its end.
    """
    at = _skip(text, 0)
    if text[at : at + 1] != "{":
        raise ValueError("no object")
    at = _skip(text, at + 1)
    while at < len(text) and text[at] != "}":
        key, at = value(text, at)
        if not isinstance(key, str):
            raise ValueError("a key is no text")
        at = _skip(text, at)
        if text[at : at + 1] not in (":", ""):
            raise ValueError("no colon after a key")
        start = _skip(text, at + 1)
        try:
            at = value(text, start)[1]
        except ValueError:
            yield key, text[start:]
            raise
        yield key, text[start:at]
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] not in ("}", ""):
            raise ValueError("no comma after a value")


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at
