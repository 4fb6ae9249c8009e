"""What a host is told while the store is at work."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stage = Literal[
    "waiting",
    "listing",
    "downloading",
    "retrying",
    "verifying",
    "importing",
    "unpacking",
    "converting",
    "aligning",
    "measuring",
]

_INTERVAL = 0.1
"""Seconds between two reports of the same stage and file."""
_WINDOW = 8.0
"""Seconds that a speed is the mean of."""


@dataclass(frozen=True)
class Progress:
    """Where the work on a model stands."""

    model: str
    stage: Stage
    """waiting: for another process; listing: asking the hub what there is; retrying: pausing before
    the next try."""
    done_bytes: int = 0
    total_bytes: int = 0
    """0 where it is not known yet."""
    file: str | None = None
    bytes_per_second: float | None = None
    """Of the last seconds; None until it can be told."""
    seconds_left: float | None = None
    note: str | None = None
    """Why it waits or tries again; safe to show."""


OnProgress = Callable[[Progress], None]
"""Called in the thread that does the work. What it raises ends the work, as Ctrl-C does; what was
downloaded stays for the next time."""


class HostError(BaseException):
    """Carries what the host's callback raised past everything that handles errors of the store's
    own kinds, which it may look like."""

    def __init__(self, error: Exception) -> None:
        """`operation` raises it again, as it was."""
        super().__init__()
        self.error = error


class Reporter:
    """Counts bytes and tells of them; several threads may count at once."""

    def __init__(self, model: str, on_progress: OnProgress | None) -> None:
        """Tells nobody where there is no callback."""
        self._model = model
        self._tell = on_progress
        self._lock = threading.RLock()
        self._stage: Stage = "listing"
        self._file: str | None = None
        self._done = 0
        self._total = 0
        self._told = 0.0
        self._samples: deque[tuple[float, int]] = deque()

    @property
    def done(self) -> int:
        """Bytes counted in this stage."""
        return self._done

    def begin(self, stage: Stage, total: int = 0) -> None:
        """Another stage, from 0 to a number of bytes."""
        with self._lock:
            self._stage, self._total, self._done, self._file = stage, total, 0, None
            self._samples.clear()
            self._report()

    def file(self, name: str) -> None:
        """The file that is worked on from now on."""
        with self._lock:
            self._file = name
            self._report()

    def advance(self, count: int, *, is_new: bool = True) -> None:
        """So many bytes more, or fewer; those that were there already say nothing of the speed."""
        with self._lock:
            self._done += count
            now = time.monotonic()
            if not is_new or count < 0:
                self._samples.clear()
            self._samples.append((now, self._done))
            while now - self._samples[0][0] > _WINDOW and len(self._samples) > 2:
                self._samples.popleft()
            if now - self._told >= _INTERVAL or self._done == self._total:
                self._report()

    def pause(self, stage: Literal["waiting", "retrying"], note: str) -> None:
        """Tells why nothing happens."""
        with self._lock:
            self._report(stage, note)
            self._samples.clear()

    def _report(self, stage: Stage | None = None, note: str | None = None) -> None:
        self._told = time.monotonic()
        if self._tell is None:
            return
        speed = None if stage else self._speed()
        left = max(self._total - self._done, 0) / speed if speed else None
        told = Progress(
            self._model,
            stage or self._stage,
            self._done,
            self._total,
            self._file,
            speed,
            left,
            note,
        )
        try:
            self._tell(told)
        except Exception as error:
            raise HostError(error) from error

    def _speed(self) -> float | None:
        if len(self._samples) < 2:
            return None
        (start, first), (end, last) = self._samples[0], self._samples[-1]
        return (last - first) / (end - start) if end - start >= _INTERVAL else None
