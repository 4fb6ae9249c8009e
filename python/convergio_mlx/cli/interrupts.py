"""Ctrl-C while an answer is made: it ends the answer, not the program."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Self


class Interrupts:
    """Within the block, the first Ctrl-C cancels the answer under way. A further one, and one
    before there is an answer, raises KeyboardInterrupt as ever."""

    def __init__(self, cancel: Callable[[], bool]) -> None:
        """Changes nothing before the block begins.

        Args:
            cancel: ends the answer under way; False where there is none yet.
        """
        self._cancel = cancel
        self._before: Any = None
        self._cancelled = False

    def __enter__(self) -> Self:
        """Takes the signal, unless whoever started the program had it ignored."""
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        """Gives the signal back."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._cancelled or not self._cancel():
            raise KeyboardInterrupt
        self._cancelled = True
