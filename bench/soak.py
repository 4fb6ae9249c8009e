"""Many short requests through one provider, and what they leave behind.

    python bench/soak.py --requests 10000

Threads and asyncio tasks ask at once; one answer in five is cancelled. A line each tenth of the way
shows the memory of the process and of MLX, objects, threads and open files: after the first lines
none of them may grow. Exits with 1 where one does.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path

from convergio_mlx import MlxProvider, SamplingParams
from convergio_mlx.native import native

MODEL = "convergio-guide"
THREADS, TASKS = 8, 40
WARM = 3
"""Tenths until caches are as full as they get."""


@dataclass(frozen=True)
class Held:
    """What the program holds."""

    resident_mb: float
    mlx_mb: float
    objects: int
    threads: int
    files: int

    @classmethod
    def now(cls) -> Held:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(
            pages * os.sysconf("SC_PAGESIZE") / 1e6,
            native().memory()[0] / 1e6,
            len(gc.get_objects()),
            threading.active_count(),
            len(os.listdir("/proc/self/fd")),
        )


def ask(provider: MlxProvider, number: int) -> None:
    """A request of a few tokens, every fifth of them left early."""
    question = f"Which model fits in {number % 64} GB of memory?"
    params = SamplingParams(temperature=1.0, seed=number, max_tokens=1 + number % 3)
    with provider.stream(MODEL, None, question, params=params) as stream:
        if number % 5:
            stream.response()
        else:
            next(stream)


async def ask_all(provider: MlxProvider, numbers: range) -> None:
    """Requests of as many tasks as there are at once."""
    left = iter(numbers)

    async def work() -> None:
        for number in left:
            question = f"Which model fits in {number % 64} GB of memory?"
            params = SamplingParams(temperature=1.0, seed=number, max_tokens=1 + number % 3)
            async with provider.astream(MODEL, None, question, params=params) as stream:
                await (stream.response() if number % 5 else anext(stream))

    await asyncio.gather(*(work() for _ in range(TASKS)))


def tenth(provider: MlxProvider, start: int, count: int) -> None:
    """Half of the requests by threads, half by tasks, at once."""
    half = start + count // 2
    with ThreadPoolExecutor(THREADS + 1) as pool:
        tasks = pool.submit(asyncio.run, ask_all(provider, range(half, start + count)))
        list(pool.map(lambda number: ask(provider, number), range(start, half)))
        tasks.result()


def main() -> int:
    parser = argparse.ArgumentParser(description="Many short requests, and what they leave.")
    parser.add_argument("--requests", type=int, default=10_000, metavar="N")
    count = parser.parse_args().requests // 10
    print("requests  seconds  resident MB   MLX MB  objects  threads  files")
    seen: list[Held] = []
    began = time.perf_counter()
    with MlxProvider() as provider:
        for number in range(10):
            tenth(provider, number * count, count)
            held = Held.now()
            seen.append(held)
            print(
                f"{(number + 1) * count:8d} {time.perf_counter() - began:8.1f} "
                f"{held.resident_mb:12.1f} {held.mlx_mb:8.2f} {held.objects:8d} "
                f"{held.threads:8d} {held.files:6d}",
                flush=True,
            )
    grown = [
        name
        for name, before, after in zip(
            Held.__annotations__, astuple(seen[WARM - 1]), astuple(seen[-1]), strict=True
        )
        if after > before * 1.05 + 2
    ]
    print("nothing grew" if not grown else f"grew: {', '.join(grown)}")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
