"""A sign of life on the terminal when nothing else has been shown for a second."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from convergio_mlx.cli.neutral import neutral
from convergio_mlx.cli.output import Stream

if TYPE_CHECKING:
    from rich.status import Status
    from rich.text import Text

PATIENCE = 1.0
"""Seconds after which a person begins to wonder."""


class Waiting:
    """Shows what is being done, from `PATIENCE` seconds into the block until `done`."""

    def __init__(self, stream: Stream, what: str) -> None:
        """Shows nothing where the stream is no terminal."""
        self._stream = stream
        self._what = what
        self._status: Status | None = None
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def now(self, what: str) -> None:
        """Something else is being done from now on."""
        with self._lock:
            self._what = what
            if self._status is not None:
                self._status.update(_text(what))

    def done(self) -> None:
        """Takes the sign away; there is something to show. May be called again."""
        with self._lock:
            timer, self._timer = self._timer, None
            status, self._status = self._status, None
        if timer is not None:
            timer.cancel()
        if status is not None:
            status.stop()

    def __enter__(self) -> Self:
        """Starts the clock."""
        if self._stream.is_terminal:
            self._timer = threading.Timer(PATIENCE, self._show)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it, however the block ends."""
        self.done()

    def _show(self) -> None:
        if self._stream.is_dumb:
            with self._lock:
                if self._timer is not None:
                    self._stream.line(f"{self._what} ...")
            return
        from rich.console import Console
        from rich.status import Status

        with self._lock:
            if self._timer is not None:
                self._status = Status(
                    _text(self._what), console=Console(stderr=True), spinner="line"
                )
                self._status.start()


def _text(what: str) -> Text:
    """As rich shows it: no markup is read in it."""
    from rich.text import Text

    return Text(neutral(what))
