"""Threads that render and tokenize: for asyncio, so that the loop need not, and where there is a
deadline, which neither a template nor a tokenizer knows of."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import lru_cache, partial
from typing import TYPE_CHECKING, TypeVar

from convergio_mlx.platform.deadline import Deadline

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_THREADS = 2
"""The work is Python's for the most part: more threads would but wait for each other's GIL, and the
loop for all of theirs. asyncio's own pool has up to 32, a hundred requests at once started them all
and held up the loop for 0.2 s."""

Result = TypeVar("Result")


async def off_the_loop(work: Callable[[Deadline], Result], timeout: float | None = None) -> Result:
    """What `work` returns or raises, run on one of these threads; as `within`, which others that
    hold them do not delay."""
    import asyncio

    deadline = Deadline(timeout)
    loop = asyncio.get_running_loop()
    running = loop.run_in_executor(_pool(os.getpid()), partial(work, deadline))
    try:
        await asyncio.wait([running], timeout=deadline.left())
    finally:
        if not running.done():
            running.cancel()
    if running.cancelled():
        raise deadline.error()
    return running.result()


def within(timeout: float | None, work: Callable[[Deadline], Result]) -> Result:
    """What `work` returns or raises, given the deadline that begins now. It is left behind on a
    thread when that passes: what it does ends by limits of its own.

    Raises:
        DeadlineExceededError: the deadline passed.
    """
    deadline = Deadline(timeout)
    if timeout is None:
        return work(deadline)
    from concurrent.futures import Future, wait

    done: Future[Result] = Future()
    context = copy_context()

    def run() -> None:
        try:
            done.set_result(context.run(work, deadline))
        except BaseException as error:
            done.set_exception(error)

    try:
        threading.Thread(target=run, name="convergio-mlx-prepare").start()
    except RuntimeError:  # the system has no thread left
        return work(deadline)
    wait([done], deadline.left())
    if not done.done():
        raise deadline.error()
    return done.result()


def start() -> None:
    """Starts the threads, which the first call would otherwise wait for."""
    _pool(os.getpid())


@lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    """The threads of a process; a forked one has none of its parent's."""
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="convergio-mlx-prepare")
    all_there = threading.Barrier(_THREADS)
    for started in [pool.submit(all_there.wait) for _ in range(_THREADS)]:
        started.result()
    return pool
