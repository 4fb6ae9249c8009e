"""Threads that render and tokenize for asyncio, so that the loop need not."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

_THREADS = 2
"""The work is Python's for the most part: more threads would but wait for each other's GIL, and the
loop for all of theirs. asyncio's own pool has up to 32, a hundred requests at once started them all
and held up the loop for 0.2 s."""

Result = TypeVar("Result")


async def off_the_loop(work: Callable[[], Result]) -> Result:
    """What `work` returns or raises, run on one of these threads."""
    return await asyncio.get_running_loop().run_in_executor(_pool(os.getpid()), work)


def start() -> None:
    """Starts the threads, which the first call would otherwise wait for."""
    _pool(os.getpid())


@lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    """The threads of a process; a forked one has none of its parent's."""
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="convergio-mlx-prepare")
    all_there = threading.Barrier(_THREADS)
    for started in [pool.submit(all_there.wait) for _ in range(_THREADS)]:
        started.result()
    return pool
