"""The two streams a person reads: safe to show, wrapped and coloured where that helps."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TextIO

from convergio_mlx.cli.neutral import neutral
from convergio_mlx.cli.wrap import Wrapper, cells

_NARROW = 16
"""Columns; a text in fewer is hard to read."""

BOLD = "1"
DIM = "2"
GREEN = "32"
RED = "31"
YELLOW = "33"


class OutputError(OSError):
    """Standard output or standard error cannot be written."""


class Stream:
    """An output: a terminal, a pipe or a file. Every text that it is given is made neutral."""

    def __init__(self, stream: TextIO) -> None:
        """Letters that the stream's encoding lacks become question marks."""
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
        self._stream = stream
        self.is_terminal = stream.isatty()
        self.is_dumb = os.environ.get("TERM", "dumb") in {"", "dumb"}
        self._styled = self.is_terminal and not self.is_dumb and not os.environ.get("NO_COLOR")
        self._wrapper = Wrapper(self._columns) if self.is_terminal else None
        self._at_start = True
        self._style = ""
        self._last = ""

    def write(self, text: str, *, style: str = "") -> None:
        """Shows a piece of a text that streams; a terminal may get the last word later."""
        self._turn_style(style if self._styled else "")
        shown = neutral(text, self._last)
        if text:
            self._last = text[-1]
            self._at_start = shown.endswith("\n") if shown else self._at_start
        self._emit(self._wrapper.feed(shown) if self._wrapper else shown)

    def _turn_style(self, style: str) -> None:
        """Text from now on is of another style; "" is plain."""
        if style != self._style:
            self._flush_word()
            self._emit(f"\x1b[{style}m" if style else "\x1b[0m")
            self._style = style

    def end_line(self) -> None:
        """Shows what is held back, and begins a new line unless one has begun."""
        self._turn_style("")
        if not self._at_start:
            self.write("\n")

    def line(self, text: str = "", *, lead: str = "", style: str = "") -> None:
        """A line of its own, `lead` or else the whole of it in a style."""
        self.end_line()
        if not self._styled or not style:
            self.write(f"{lead}{text}\n")
            return
        before, after = f"\x1b[{style}m", "\x1b[0m"
        self._emit(before)
        self.write(lead or text)
        self._flush_word()
        self._emit(after)
        self.write(f"{text}\n" if lead else "\n")

    def spans(self, *parts: str | tuple[str, str]) -> None:
        """A line of its own that the caller has laid out; of a pair the second is a style."""
        self.end_line()
        for part in parts:
            text, style = (part, "") if isinstance(part, str) else part
            shown = neutral(text)
            self._emit(f"\x1b[{style}m{shown}\x1b[0m" if style and self._styled else shown)
        self._emit("\n")

    def hanging(self, *parts: str | tuple[str, str]) -> None:
        """A text, the last part, beside a lead, with its further lines below its beginning; below
        the lead where little of the width is left. Without a terminal it stays one line, for
        programs that read lines."""
        *lead, (text, style) = [(part, "") if isinstance(part, str) else part for part in parts]
        if not self.is_terminal or not text:
            self.spans(*lead, (text, style))
            return
        indent = sum(cells(part) for part, _ in lead)
        if self.columns - indent < _NARROW < self.columns:
            self.spans(*lead)
            indent, lead = 4, [(" " * 4, "")]
        width = max(self.columns - indent, 1)
        for line in textwrap.wrap(text, width, break_on_hyphens=False):
            self.spans(*lead, (line, style))
            lead = [(" " * indent, "")]

    @property
    def columns(self) -> int:
        """Columns of the terminal as it is now; 80 where there is none."""
        return self._columns() or 80

    def raw(self, text: str) -> None:
        """Writes a text as it is, for data that programs read."""
        self._emit(text)

    def _flush_word(self) -> None:
        if self._wrapper:
            self._emit(self._wrapper.finish())

    def _emit(self, text: str) -> None:
        if not text:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from error

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            return 0


def standard_output() -> Stream:
    """Where answers go."""
    return Stream(sys.stdout)


def standard_error() -> Stream:
    """Where everything goes that is no answer."""
    return Stream(sys.stderr)
