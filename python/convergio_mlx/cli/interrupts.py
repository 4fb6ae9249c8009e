"""Ctrl-C while an answer is made: it ends the answer, not the program."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any, Self

from convergio_mlx.generation import Generation


class Interrupts:
    """Within the block, the first Ctrl-C cancels the answer under way. A further one, and one
    before there is an answer, raises KeyboardInterrupt as ever."""

    def __init__(self) -> None:
        """Nothing is changed before the block begins."""
        self._generation: Generation | None = None
        self._before: Any = None
        self._met = False

    def cancels(self, generation: Generation) -> Generation:
        """The answer that Ctrl-C shall end."""
        self._generation = generation
        return generation

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
        if self._generation is None or self._met:
            raise KeyboardInterrupt
        self._met = True
        self._generation.cancel()
