"""Values written as literals: Python's, and Gemma's, whose texts stand between two marks.

The reader takes what models write, not only what the format says: either kind of quotes, JSON's
constants among Python's, a mark of Gemma's left out, or written amid a text.
"""

from __future__ import annotations

import json
import re

from convergio_mlx.chats import json_parts

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])")
_WORD = re.compile(r"[^\W\d]\w*")
_CONSTANTS = {
    **dict.fromkeys(("true", "True"), "true"),
    **dict.fromkeys(("false", "False"), "false"),
    **dict.fromkeys(("null", "None"), "null"),
}
_KEY = re.compile(r"[^\s,:={}()\[\]\"']+")
_CLOSES = {"{": "}", "(": ")", "[": "]"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0", "\n": ""}
_HEX = {"x": 2, "u": 4, "U": 8}
_DEEPEST = 100


def read(text: str, quote: str = "") -> str:
    """The JSON of a literal.

    Args:
        text: all of it: a value, or the arguments of a call in parentheses.
        quote: the mark before and after texts, where it is not Python's.

    Raises:
        ValueError: it is none.
    """
    reader = Reader(text, quote)
    reader.value("")
    if text[reader.at :].strip():
        raise ValueError("more follows")
    return "".join(reader.out)


class Reader:
    """Reads one literal."""

    def __init__(self, text: str, quote: str = "") -> None:
        """Begins at the first character."""
        self._text = text
        self._quote = quote
        self._depth = 0
        self.at = 0
        self.out: list[str] = []
        """The JSON of what was read, as far as it came."""

    def value(self, container: str) -> None:
        """Reads a value within a container: `{`, `(`, `[`, or nothing.

        Raises:
            ValueError: there is none.
        """
        self._space()
        text, at = self._text, self.at
        first = text[at : at + 1]
        if self._quote and text.startswith(self._quote, at):
            self._marked(container)
        elif first in ("'", '"') and first:
            self._quoted()
        elif first in _CLOSES and first:
            self._depth += 1
            if self._depth > _DEEPEST:
                raise ValueError("nested too deeply")
            self._items(first)
            self._depth -= 1
        elif number := _NUMBER.match(text, at):
            self._give(number[0], number.end())
        elif (word := _WORD.match(text, at)) and word[0] in _CONSTANTS:
            self._give(_CONSTANTS[word[0]], word.end())
        elif self._quote and container:
            self._bare(container)
        else:
            raise ValueError(f"no value at {at}")

    def _items(self, opening: str) -> None:
        close, is_list = _CLOSES[opening], opening == "["
        self._give("[" if is_list else "{", self.at + 1)
        is_first = True
        while True:
            self._space()
            if self._text.startswith(close, self.at):
                self._give("]" if is_list else "}", self.at + 1)
                return
            if not is_first:
                self._expect(",")
                self._space()
                if self._text.startswith(close, self.at):
                    continue
                self.out.append(", ")
            is_first = False
            if not is_list:
                self._key()
            self.value(opening)

    def _key(self) -> None:
        self._space()
        if self._text[self.at : self.at + 1] in ("'", '"'):
            self._quoted()
        elif self._quote and self._text.startswith(self._quote, self.at):
            end = self._text.find(self._quote, self.at + len(self._quote))
            if end < 0:
                raise ValueError("a key without end")
            self._give(_json(self._text[self.at + len(self._quote) : end]), end + len(self._quote))
        elif key := _KEY.match(self._text, self.at):
            self._give(_json(key[0]), key.end())
        else:
            raise ValueError(f"no key at {self.at}")
        self._space()
        if self._text[self.at : self.at + 1] not in (":", "="):
            raise ValueError(f"no value of a key at {self.at}")
        self._give(": ", self.at + 1)

    def _marked(self, container: str) -> None:
        """A text between marks: up to the first mark after which the container goes on."""
        start = end = self.at + len(self._quote)
        while (end := self._text.find(self._quote, end)) >= 0:
            after = end + len(self._quote)
            if _goes_on(self._text, after, container):
                inner = self._text[start:end].replace(self._quote, '"')
                self._give(_json(inner), after)
                return
            end = after
        raise ValueError("a text without end")

    def _bare(self, container: str) -> None:
        """A text whose first mark was left out."""
        for at in range(self.at, len(self._text)):
            has_mark = self._text.startswith(self._quote, at)
            after = at + len(self._quote) if has_mark else at
            if (has_mark or self._text[at] in ",}])") and _goes_on(self._text, after, container):
                self._give(_json(self._text[self.at : at].strip()), after)
                return
        raise ValueError("a text without end")

    def _quoted(self) -> None:
        """A text in quotes, JSON's or Python's."""
        text, at = self._text, self.at
        try:
            value, end = json_parts.value(text, at)
        except ValueError:
            value, end = _python_text(text, at)
        self._give(_json(str(value)), end)

    def _space(self) -> None:
        while self._text[self.at : self.at + 1].isspace():
            self.at += 1

    def _expect(self, character: str) -> None:
        if not self._text.startswith(character, self.at):
            raise ValueError(f"no {character!r} at {self.at}")
        self.at += len(character)

    def _give(self, json_text: str, end: int) -> None:
        self.out.append(json_text)
        self.at = end


_MEMBER = re.compile(r"\s*(?:[})\]]|,\s*(?:[^\s,:={}()\[\]\"']+|\"(?:[^\"\\]|\\.)*\")\s*[:=])")
_ITEM = re.compile(r"\s*[,\]]")


def _goes_on(text: str, at: int, container: str) -> bool:
    """Whether a value may end at a place: a next member or item follows, or the container's end."""
    return bool((_ITEM if container == "[" else _MEMBER).match(text, at))


def _python_text(text: str, at: int) -> tuple[str, int]:
    """The text of Python's quotes, which JSON's may not have been, and where it ends."""
    quote = text[at]
    out: list[str] = []
    at += 1
    while at < len(text):
        character = text[at]
        at += 1
        if character == quote:
            joined = "".join(out).encode("utf-16", "surrogatepass")
            return joined.decode("utf-16"), at
        if character == "\\" and at < len(text):
            kind = text[at]
            at += 1
            if kind in _HEX:
                digits = text[at : at + _HEX[kind]]
                out.append(chr(int(digits, 16)))
                at += len(digits)
            else:
                known = _ESCAPES.get(kind)
                out.append(known if known is not None else _unescaped(kind))
        else:
            out.append(character)
    raise ValueError("a text without end")


def _unescaped(kind: str) -> str:
    return kind if kind in "\\'\"/" else f"\\{kind}"


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
