"""How far the store is, for a person: a line that changes at a terminal, lines now and then where
there is none."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from convergio_mlx.cli import exits
from convergio_mlx.cli.neutral import neutral
from convergio_mlx.cli.output import Stream
from convergio_mlx.sizing.fit import size

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from convergio_mlx.store import Progress

_DOING = {
    "listing": "listing files on the hub",
    "downloading": "downloading",
    "verifying": "checking",
    "importing": "importing",
    "unpacking": "unpacking",
    "converting": "converting",
    "aligning": "aligning",
}
_INTERVAL = 10.0
"""Seconds between two lines where nobody looks at a terminal."""


def duration(seconds: float) -> str:
    """A time for a person: 12 s, 3 min, 2 h 05 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def told(progress: Progress) -> str:
    """Where the work stands: bytes, speed, time left, or why it waits."""
    if progress.note is not None:
        return f"{progress.stage}: {progress.note}"
    parts = [_DOING.get(progress.stage, progress.stage)]
    if progress.total_bytes:
        parts = [f"{size(progress.done_bytes)} of {size(progress.total_bytes)}"]
        if progress.bytes_per_second:
            parts.append(f"{size(progress.bytes_per_second)}/s")
        if progress.seconds_left is not None and progress.done_bytes < progress.total_bytes:
            parts.append(f"{duration(progress.seconds_left)} left")
    return ", ".join(parts)


class ProgressDisplay:
    """Shows what it is called with, from the beginning of the block to its end."""

    def __init__(self, stream: Stream) -> None:
        """On a stream: a terminal or not."""
        self._stream = stream
        self._rich: RichProgress | None = None
        self._task: TaskID | None = None
        self._shown: tuple[str, str | None] = ("", None)
        self._next = 0.0
        self.last: Progress | None = None
        """What came last."""

    def __call__(self, progress: Progress) -> None:
        """Shows it, unless that would be too often."""
        self.last = progress
        if self._rich is not None:
            self._show(self._rich, progress)
        else:
            self._write(progress)

    def __enter__(self) -> Self:
        """Takes the terminal's last line, where there is one to take."""
        if self._stream.is_terminal and not self._stream.is_dumb:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn
            from rich.table import Column

            model = Column(no_wrap=True, overflow="ellipsis", max_width=24)
            state = Column(overflow="fold")  # a reason to wait takes several lines
            self._rich = Progress(
                TextColumn("{task.description}", markup=False, table_column=model),
                BarColumn(bar_width=12 if self._stream.columns < 70 else 20),
                TextColumn("{task.fields[told]}", markup=False, table_column=state),
                console=Console(stderr=True),
                transient=True,
            )
            self._rich.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Gives the line back."""
        if self._rich is not None:
            self._rich.stop()
            self._rich = self._task = None

    def _show(self, rich: RichProgress, progress: Progress) -> None:
        if self._task is None:
            self._task = rich.add_task("", total=None, told="")
        rich.update(
            self._task,
            description=neutral(progress.model),
            completed=progress.done_bytes,
            total=progress.total_bytes or None,
            told=neutral(told(progress)),
        )

    def _write(self, progress: Progress) -> None:
        now, what = time.monotonic(), (progress.stage, progress.note)
        if what != self._shown:
            self._next = now + _INTERVAL
        elif now < self._next:
            return
        else:
            self._next = now + _INTERVAL
        is_new, self._shown = what != self._shown, what
        doing = _DOING.get(progress.stage)
        if is_new and doing and progress.total_bytes:
            self._stream.line(f"{progress.model}: {doing} {size(progress.total_bytes)}")
        else:
            self._stream.line(f"{progress.model}: {told(progress)}")


@contextmanager
def stoppable(display: ProgressDisplay, stream: Stream, then: str) -> Iterator[ProgressDisplay]:
    """Shows the progress of the block; Ctrl-C ends the process and says how to continue.

    Args:
        display: what shows it.
        stream: where that is said.
        then: what does, and from where.
    """
    try:
        with display:
            yield display
    except KeyboardInterrupt:
        last = display.last
        so_far = ""
        if last is not None and last.total_bytes and last.stage in ("downloading", "retrying"):
            so_far = f" at {size(last.done_bytes)} of {size(last.total_bytes)}"
        if stream.is_terminal:  # the terminal has just written ^C
            stream.raw("\n")
        stream.line(f"Stopped{so_far}; {then}.")
        sys.exit(exits.INTERRUPTED)
