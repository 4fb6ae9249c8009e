"""For how long an asyncio loop was held up by this process, on a machine that others use too.

A turn is late where the loop's thread waits for a processor, and where a thread does that has the
GIL or is to have it next. That is the machine's doing, and Linux counts it for each thread. What
remains is for how long somebody had the GIL: computing, or worse.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

LONGEST = 0.100
"""Seconds that a loop may be held up for."""
_ROUNDS = 6
_BEAT = 0.001
_BYTES = 100


class Waits:
    """For how long the threads that take the GIL have waited for a processor. Those that only
    compute for the engine are not Python's, and not counted."""

    def __init__(self) -> None:
        self._files: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._text = ctypes.create_string_buffer(_BYTES)
        self._read = ctypes.PyDLL(None).pread  # which keeps the GIL; to get it back takes a while
        self._read.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long)

    def since(self) -> float:
        """Seconds, all threads together, since the last call; 0 where the system does not tell."""
        if len(self._files) != threading.active_count() and sys.platform == "linux":
            self._find()
        waited = 0
        for thread, file in self._files.items():
            if self._read(file, self._text, _BYTES, 0) > 0:  # else it has ended
                now = int(self._text.value.split()[1])
                waited += now - self._last.get(thread, now)
                self._last[thread] = now
        return waited / 1e9

    def close(self) -> None:
        for file in self._files.values():
            os.close(file)
        self._files.clear()

    def _find(self) -> None:
        self.close()
        for thread in threading.enumerate():
            if thread.native_id is not None:
                path = f"/proc/self/task/{thread.native_id}/schedstat"
                with suppress(FileNotFoundError):  # it has ended, or the system does not count
                    self._files[thread.native_id] = os.open(path, os.O_RDONLY)


async def held_up(work: Awaitable[Any]) -> list[float]:
    """Runs some work, and returns for how long each turn of the loop was held up, in seconds."""
    pauses: list[float] = []
    done = False
    waits = Waits()

    async def beat() -> None:
        while not done:
            waits.since()
            due = time.perf_counter() + _BEAT
            await asyncio.sleep(_BEAT)
            late = time.perf_counter() - due
            pauses.append(late - waits.since())

    heart = asyncio.create_task(beat())
    try:
        await work
    finally:
        done = True
        await heart
        waits.close()
    return pauses


def expect_turns(run: Callable[[], Awaitable[Any]]) -> None:
    """Fails where the loop is held up for longer than `LONGEST` each time that some work is run: a
    virtual machine may stand still as a whole, which nothing in it counts."""
    worst: list[float] = []
    while not worst or worst[-1] > LONGEST:
        assert len(worst) < _ROUNDS, f"held up by {[f'{one * 1e3:.0f} ms' for one in worst]}"
        with _no_garbage_of_others():
            pauses = asyncio.run(held_up(run()))
        worst.append(max(pauses))
        print(
            f"\n{len(pauses)} turns of the loop, held up for {worst[-1] * 1e3:.1f} ms at most",
            file=sys.stderr,
        )


@contextmanager
def _no_garbage_of_others() -> Iterator[None]:
    """What tests and their tools hold is not looked through meanwhile, which takes 50 ms."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
