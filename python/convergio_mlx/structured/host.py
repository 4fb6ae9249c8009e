"""Constraints in Python: each is called on a thread of its own, for one answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from convergio_mlx.errors import OutOfMemoryError
from convergio_mlx.platform.native import native
from convergio_mlx.structured.constraint import Constraint


def native_constraint(
    constraint: Constraint | None, vocab_size: int
) -> tuple[Any, Callable[[], None]]:
    """A constraint as a native request takes it, and what to call once the request has it.

    The engine asks the thread and does not wait for it: however long the callable takes, the
    request's deadline and cancel() hold, and other requests go on. The thread is a daemon, which
    ends with the request or the program.

    Raises:
        OutOfMemoryError: the thread cannot be started (by the second).
    """
    if constraint is None or isinstance(constraint, native().Constraint):
        return constraint, _nothing
    host = native().HostConstraint()

    def answer_all() -> None:
        while (accepted := host.take()) is not None:
            host.answer(constraint, accepted, vocab_size)

    thread = threading.Thread(target=answer_all, name="convergio-mlx-constraint", daemon=True)

    def start() -> None:
        try:
            thread.start()
        except RuntimeError as error:
            raise OutOfMemoryError(
                f"[constraint] no thread could be started for it ({error}); raise the limit on "
                "threads."
            ) from None

    return host, start


def grammar_of(constraint: object) -> Any:
    """The native GrammarConstraint that a constraint is, or has within it; None without one."""
    within = getattr(constraint, "within", constraint)
    return within if isinstance(within, native().GrammarConstraint) else None


def _nothing() -> None:
    """A constraint that needs no thread."""
