"""Lines typed at a terminal, edited and recalled with readline."""

from __future__ import annotations

import select
import sys

from convergio_mlx.cli.output import Stream

_PROMPT = "> "
_PASTE_GAP = 0.02
"""Seconds; nobody types the next line this soon, so it was pasted."""


class LineInput:
    """Reads what a person says next. Lines stay in memory, for the arrow keys, and are never
    written to disk."""

    def __init__(self, out: Stream, err: Stream) -> None:
        """Switches line editing on, where both ends are a terminal and Python has readline."""
        self._err = err
        self._editing = out.is_terminal
        self._readline = None
        sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
        if self._editing:
            try:
                import readline
            except ImportError:  # some builds of Python have none; lines can be typed all the same
                return
            self._readline = readline

    def read(self) -> str:
        """The next line, or the several lines of a paste. Lines that were typed before there was a
        prompt are taken one by one: they were not pasted here.

        Raises:
            EOFError: Ctrl-D.
            KeyboardInterrupt: Ctrl-C.
        """
        typed_ahead = self._has_more(0)
        lines = [self._line(_PROMPT)]
        while not typed_ahead and self._has_more(_PASTE_GAP):
            lines.append(self._line(""))
        return "\n".join(lines)

    @property
    def typed(self) -> str:
        """What stood in the line when Ctrl-C was pressed, where that can be known."""
        return self._readline.get_line_buffer() if self._readline else ""

    def _line(self, prompt: str) -> str:
        if self._editing:
            return input(prompt)
        self._err.raw(prompt)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.removesuffix("\n")

    def _has_more(self, seconds: float) -> bool:
        """Whether there is a line at a terminal now, or within so many seconds."""
        return sys.stdin.isatty() and bool(select.select([sys.stdin], [], [], seconds)[0])
