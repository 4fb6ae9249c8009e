"""Words kept whole at a terminal's right edge, while a text streams."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

_TAB = 8


def cells(text: str) -> int:
    """Columns that a text takes on a terminal: wide letters two, combining marks none."""
    return sum(_cells(letter) for letter in text)


def _cells(letter: str) -> int:
    if letter.isascii():
        return 1
    if unicodedata.east_asian_width(letter) in "WF":
        return 2
    return 0 if unicodedata.category(letter) in {"Mn", "Me", "Cf"} else 1


class Wrapper:
    """Breaks lines before a word that would cross the edge. A word is held back until its end is
    known, so that none is ever moved once it can be seen; wide letters may part anywhere."""

    def __init__(self, width: Callable[[], int]) -> None:
        """Asks `width` for the columns of a line again and again: windows change."""
        self._width = width
        self._column = 0
        self._space = ""
        self._word = ""

    def feed(self, text: str) -> str:
        """What can be shown now that `text` has come."""
        shown: list[str] = []
        for letter in text:
            if letter in " \t\n":
                shown.append(self._place())
                self._space += letter
                if letter == "\n":
                    shown.append(self.finish())
            elif _cells(letter) == 2:
                shown.append(self._place())
                self._word = letter
                shown.append(self._place())
            else:
                self._word += letter
        return "".join(shown)

    def finish(self) -> str:
        """All that is still held back."""
        shown = self._place() + self._space
        self._advance(self._space)
        self._space = ""
        return shown

    def _place(self) -> str:
        """The word that is complete, with the space or the new line before it."""
        if not self._word:
            return ""
        gap, word = self._space, self._word
        self._space = self._word = ""
        width = self._width()
        before = self._column
        self._advance(gap)
        if before and width and self._column + cells(word) > width:
            gap, self._column = "\n", 0
        self._advance(word)
        return gap + word

    def _advance(self, text: str) -> None:
        for letter in text:
            if letter == "\n":
                self._column = 0
            elif letter == "\t":
                self._column += _TAB - self._column % _TAB
            else:
                self._column += _cells(letter)
