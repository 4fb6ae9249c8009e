"""The deadline of a request: a clock that starts with the call."""

from __future__ import annotations

import time

from convergio_mlx.errors import DeadlineExceededError


class Deadline:
    """When an answer must be complete."""

    def __init__(self, seconds: float | None) -> None:
        """So many seconds from now; None: it has all the time."""
        self.seconds = seconds
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since it was set."""
        return time.monotonic() - self._began

    def left(self) -> float | None:
        """Seconds until it passes, not below 0; None where it never does."""
        return None if self.seconds is None else max(self.seconds - self.elapsed, 0.0)

    def error(self) -> DeadlineExceededError:
        """What is raised once it has passed, in the native core's words."""
        return DeadlineExceededError(
            f"[engine] the request took longer than its deadline of {self.seconds:g} s; allow it "
            "more time, or ask for fewer tokens."
        )
