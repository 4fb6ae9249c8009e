"""Transient errors are tried again, with growing pauses."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from convergio_mlx.errors import ConvergioError, NetworkError, RateLimitError
from convergio_mlx.store.progress import Reporter

Result = TypeVar("Result")

TRIES = 5
"""In a row without a byte of progress."""
FIRST_PAUSE = 1.0
"""Seconds before the second try; each further pause is twice as long."""
LONGEST_PAUSE = 60.0
"""Seconds that a server may ask to wait; asked for more, we leave it to the person."""


class PassingError(Exception):
    """A failure that may pass."""

    def __init__(self, error: ConvergioError) -> None:
        """The error to end with when it does not."""
        super().__init__(str(error))
        self.error = error


def passing(error: ConvergioError) -> Exception:
    """The error as one that may pass where it is of that kind, else as it is."""
    if isinstance(error, NetworkError | RateLimitError) and error.retryable:
        return PassingError(error)
    return error


def until_done(
    attempt: Callable[[], Result], report: Reporter, progress: Callable[[], int] = lambda: 0
) -> Result:
    """Calls `attempt` until it raises no `PassingError`.

    Args:
        attempt: what to try.
        report: told of the pauses.
        progress: something that grows when a failed attempt was not for nothing, which is then
            counted as the first.

    Raises:
        ConvergioError: it failed `TRIES` times in a row, or for a reason that does not pass.
    """
    failed, best = 0, progress()
    while True:
        try:
            return attempt()
        except PassingError as failure:
            reached = progress()
            failed = 1 if reached > best else failed + 1
            best = max(best, reached)
            asked = failure.error.retry_after_ms
            pause = asked / 1000 if asked else FIRST_PAUSE * 2 ** (failed - 1)
            if failed >= TRIES or pause > LONGEST_PAUSE:
                raise failure.error from failure
            report.pause("retrying", f"{_reason(failure.error)}; again in {pause:.0f} s")
            time.sleep(pause)


def _reason(error: ConvergioError) -> str:
    """What went wrong, of a sentence that says what to do about it as well."""
    return str(error).removeprefix("[store] ").partition(";")[0]
