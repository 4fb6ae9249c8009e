"""Regular expressions of ECMA-262, which JSON Schema prescribes, in the dialect of llguidance.

The dialect is ECMA-262 with the flag `u`: `\\d` and `\\w` are ASCII, `\\s` is its white space, `.`
is no line terminator. Left out are what no regular language has or llguidance cannot do:
look-around, word boundaries and back references. What flag `u` makes an error and people write all
the same (a brace that is no quantifier, an escaped `-`) is taken literally.
"""

from __future__ import annotations

import re
from typing import NoReturn

_DIGITS = "0-9"
_WORD = "0-9A-Za-z_"
_SPACE = r"\x09-\x0d " + "\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_SETS = {"d": _DIGITS, "w": _WORD, "s": _SPACE}
_ANY_BUT_LINES = "[^\\x0a\\x0d\u2028\u2029]"
_CONTROLS = {"t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r"}
_META = frozenset(r"\.+*?()|[]{}^$#&-~/")
_QUANTIFIER = re.compile(r"[*+?]|\{[0-9]+(?:,[0-9]*)?\}")
_PROPERTY = re.compile(r"[pP]\{([A-Za-z_=0-9]+)\}")
_NAME = re.compile(r"\?<[A-Za-z_$][\w$]*>")


class RegexError(ValueError):
    """Says what is wrong with a regular expression, as a clause after "which", and what works."""


def translated(pattern: str) -> str:
    """The regular expression as llguidance reads it.

    Raises:
        RegexError: it is no regular expression of ECMA-262, or has what cannot be enforced.
    """
    return _Translator(pattern).all()


def escaped(text: str) -> str:
    """The regular expression of one text."""
    return "".join(map(_literal, text))


class _Translator:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._open = 0

    def all(self) -> str:
        parts: list[str] = []
        repeats = False
        while self._at < len(self._text):
            quantifier = _QUANTIFIER.match(self._text, self._at)
            if quantifier:
                if repeats or not parts:
                    self._refuse(f"repeats nothing at {self._at}", "put a character before it")
                self._at = quantifier.end()
                self._skip("?")  # which of the matches is found first makes no difference here
                parts.append(quantifier[0])
            else:
                parts.append(self._one())
            repeats = bool(quantifier) or parts[-1] in ("(?:", "|", "^", "$")
        if self._open:
            self._refuse("has an unclosed group", "close it with ')'")
        return "".join(parts)

    def _one(self) -> str:
        char = self._next()
        if char == "\\":
            found = self._escape(in_class=False)
            return _literal(found) if len(found) == 1 else found
        if char == ".":
            return _ANY_BUT_LINES
        if char == "[":
            return self._class()
        if char == "(":
            return self._group()
        if char == ")":
            if not self._open:
                self._refuse("closes a group that is not open", "leave ')' out, or escape it")
            self._open -= 1
            return ")"
        return char if char in "^$|" else _literal(char)

    def _group(self) -> str:
        self._open += 1
        rest = self._text[self._at : self._at + 3]
        if rest.startswith(("?=", "?!", "?<=", "?<!")):
            self._refuse("has a look-around, which cannot be enforced", "say it without")
        if name := _NAME.match(self._text, self._at):
            self._at = name.end()
        elif rest.startswith("?:"):
            self._at += 2
        elif rest.startswith("?"):
            self._refuse(f"has a group '({rest[:2]}'", "give (…), (?:…) or (?<name>…)")
        return "(?:"

    def _class(self) -> str:
        negated = self._skip("^")
        items: list[str] = []
        while not self._skip("]"):
            low = self._class_item()
            if self._text[self._at : self._at + 1] == "-" and self._at + 1 < len(self._text):
                self._at += 1
                if self._text[self._at] == "]":
                    items += [_in_class(low), r"\-"]
                    continue
                high = self._class_item()
                if len(low) != 1 or len(high) != 1:
                    items += [_in_class(low), r"\-", _in_class(high)]
                    continue
                if low > high:
                    self._refuse(f"has the range {low}-{high}", "give it in order")
                items.append(f"{_in_class(low)}-{_in_class(high)}")
            else:
                items.append(_in_class(low))
        if not items:
            return "(?s:.)" if negated else r"[^\x00-\x{10FFFF}]"
        return f"[{'^' if negated else ''}{''.join(items)}]"

    def _class_item(self) -> str:
        char = self._next()
        return self._escape(in_class=True) if char == "\\" else char

    def _escape(self, in_class: bool) -> str:  # noqa: PLR0911
        """What stands for an escape: one character, or a set."""
        char = self._next()
        if char in "dws":
            return f"[{_SETS[char]}]"
        if char in "DWS":
            return f"[^{_SETS[char.lower()]}]"
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char in "xu":
            return self._code(char)
        if char == "c":
            letter = self._next()
            if not (letter.isascii() and letter.isalpha()):
                self._refuse(rf"has the escape '\c{letter}'", "give a letter")
            return chr(ord(letter) % 32)
        if char == "b" and in_class:
            return "\b"
        if char in "bB":
            self._refuse("has a word boundary, which cannot be enforced", "say it without")
        if char == "0" and not self._text[self._at : self._at + 1].isdigit():
            return "\0"
        if char.isdigit() or char == "k":
            self._refuse("has a back reference, which cannot be enforced", "say it without")
        if char in "pP" and (found := _PROPERTY.match(self._text, self._at - 1)):
            self._at = found.end()
            return rf"\{found[0]}"
        if char.isascii() and char.isalpha():
            self._refuse(rf"has the escape '\{char}', which ECMA-262 does not know", "leave it out")
        return char

    def _code(self, kind: str) -> str:
        r"""The character of \xHH, \uHHHH, a pair of those, or \u{H…}."""
        if kind == "u" and self._skip("{"):
            digits, _, _ = self._text[self._at :].partition("}")
            self._at += len(digits) + 1
            return self._char(digits, 1, 6)
        size = 2 if kind == "x" else 4
        digits = self._text[self._at : self._at + size]
        self._at += size
        first = self._number(digits, size, size)
        if 0xD800 <= first < 0xDC00 and self._text[self._at : self._at + 2] == r"\u":
            second = self._number(self._text[self._at + 2 : self._at + 6], 4, 4)
            if 0xDC00 <= second < 0xE000:
                self._at += 6
                return chr(0x10000 + (first - 0xD800 << 10) + second - 0xDC00)
        return self._char(digits, size, size)

    def _char(self, digits: str, least: int, most: int) -> str:
        number = self._number(digits, least, most)
        if number > 0x10FFFF or 0xD800 <= number < 0xE000:
            self._refuse(f"has the code {digits}, which is no character", "give one")
        return chr(number)

    def _number(self, digits: str, least: int, most: int) -> int:
        if not least <= len(digits) <= most or not re.fullmatch("[0-9a-fA-F]+", digits):
            self._refuse(f"has {digits!r} as a code", "give hexadecimal digits")
        return int(digits, 16)

    def _next(self) -> str:
        if self._at >= len(self._text):
            self._refuse("ends amid an escape or a class", "complete it")
        self._at += 1
        return self._text[self._at - 1]

    def _skip(self, char: str) -> bool:
        found = self._text.startswith(char, self._at)
        self._at += found
        return found

    def _refuse(self, what: str, remedy: str) -> NoReturn:
        raise RegexError(f"{what}; {remedy}")


def _literal(char: str) -> str:
    if char < " " or char == "\x7f":
        return rf"\x{ord(char):02x}"
    return f"\\{char}" if char in _META else char


def _in_class(item: str) -> str:
    return _literal(item) if len(item) == 1 else item
