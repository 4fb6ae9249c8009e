"""All checks, and a way to run them without a test framework."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from convergio_mlx.testing import (
    chat_checks,
    concurrency_checks,
    error_checks,
    lifecycle_checks,
    stream_checks,
    tool_checks,
)
from convergio_mlx.testing.subject import Subject

Check = Callable[[Subject], None]

CHECKS: tuple[Check, ...] = (
    *lifecycle_checks.CHECKS,
    *chat_checks.CHECKS,
    *stream_checks.CHECKS,
    *tool_checks.CHECKS,
    *error_checks.CHECKS,
    *concurrency_checks.CHECKS,
)
"""Functions of a `Subject` that raise AssertionError where a promise is broken; the docstring of
each is the promise."""


@dataclass(frozen=True)
class Result:
    """How one check went."""

    check: str
    promise: str
    failure: str | None
    """The traceback; None where the promise is kept."""

    @property
    def passed(self) -> bool:
        """Whether the promise is kept."""
        return self.failure is None


def report(subject: Subject, checks: Iterable[Check] = CHECKS) -> list[Result]:
    """Runs the checks, all of them whatever fails."""
    results = []
    for check in checks:
        promise = " ".join((check.__doc__ or "").split())
        failure = None
        try:
            check(subject)
        except Exception:
            failure = traceback.format_exc()
        results.append(Result(check.__name__, promise, failure))
    return results
