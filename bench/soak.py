"""Ten thousand short requests: does memory stay flat?

    python bench/soak.py [--requests 10000] [--model convergio-guide] [--json FILE]

Eight threads and a hundred asyncio tasks ask at once, of all kinds: greedy and sampled, with
log-probabilities, constraints and stop strings, cancelled, dropped, past their deadline, refused.
After each tenth of the requests, with nothing at work, it prints what the process holds, and for
how long the asyncio loop was held up at most, not counted what it waited for a processor.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import convergio_mlx as cm

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from loop_turns import held_up

THREADS, TASKS, SAMPLES = 8, 100, 10


def resident_bytes() -> int:
    """Of this process, in memory now; 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Asker:
    """Asks one request after the other, each of a kind of its own."""

    def __init__(self, engine: cm.Engine) -> None:
        self.engine = engine
        self.mask = b"\xff" * (4 * ((engine.vocab_size + 31) // 32))

    def options(
        self, dice: random.Random
    ) -> tuple[list[int], cm.SamplingParams, dict[str, object]]:
        """A prompt and how to answer it."""
        prompt = [dice.randrange(self.engine.vocab_size) for _ in range(dice.randrange(1, 40))]
        params = cm.SamplingParams(
            temperature=dice.choice([0.0, 1.0]),
            top_k=dice.choice([0, 20]),
            seed=dice.randrange(1 << 30),
            max_tokens=dice.randrange(1, 12),
            logprobs=dice.choice([None, None, 3]),
            stop=dice.choice([(), ("the", "zz")]),
        )
        more: dict[str, object] = {}
        if dice.random() < 0.2:
            more["constraint"] = lambda _: self.mask
        if dice.random() < 0.05:
            more["timeout"] = 0.001
        return prompt, params, more

    def ask(self, dice: random.Random) -> None:
        """One request on this thread."""
        prompt, params, more = self.options(dice)
        with contextlib.suppress(cm.ConvergioError):
            if dice.random() < 0.02:
                self.engine.generate([-1], params)
            answer = self.engine.generate(prompt, params, **more)  # type: ignore[arg-type]
            how = dice.random()
            if how < 0.1:
                answer.cancel()
            elif how < 0.2:
                next(answer)
                return
            answer.text()

    async def aask(self, dice: random.Random) -> None:
        """One request on this loop."""
        prompt, params, more = self.options(dice)
        answer = self.engine.agenerate(prompt, params, **more)  # type: ignore[arg-type]
        with contextlib.suppress(cm.ConvergioError, asyncio.TimeoutError):
            if dice.random() < 0.1:
                await asyncio.wait_for(answer.text(), dice.random() * 0.01)
            else:
                await answer.text()


def burst(asker: Asker, requests: int, seed: int) -> float:
    """Half of the requests by threads, half by tasks; the loop's longest pause in seconds."""

    def work(number: int) -> None:
        dice = random.Random(seed * 1000 + number)
        for _ in range(requests // 2 // THREADS):
            asker.ask(dice)

    async def one(number: int) -> None:
        dice = random.Random(seed * 1000 + 500 + number)
        for _ in range(max(1, requests // 2 // TASKS)):
            await asker.aask(dice)

    async def all_tasks() -> None:
        await asyncio.gather(*(one(number) for number in range(TASKS)))

    with ThreadPoolExecutor(THREADS) as pool:
        threads = [pool.submit(work, number) for number in range(THREADS)]
        pauses = asyncio.run(held_up(all_tasks()))
        for thread in threads:
            thread.result()
    return max(pauses)


def sample(asker: Asker) -> dict[str, float]:
    """What is held with nothing at work."""
    gc.collect()
    asker.engine.generate([1], cm.SamplingParams(max_tokens=1)).text()
    use = cm.memory_use()
    stats = asker.engine.prefix_cache_stats
    return {
        "resident_mb": resident_bytes() / 1e6,
        "active_mb": use.active / 1e6,
        "prefix_cache_mb": stats.bytes / 1e6,
        "prefix_cache_sequences": stats.sequences,
        "threads": threading.active_count(),
        "objects": len(gc.get_objects()),
    }


def main() -> None:
    """Prints a row after each tenth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--model", default="convergio-guide")
    parser.add_argument("--prefix-cache-mb", type=float, default=20, help="its bound")
    parser.add_argument("--json", type=Path, help="also writes the rows there")
    args = parser.parse_args()
    rows = []
    with cm.Engine.load(args.model, prefix_cache_bytes=int(args.prefix_cache_mb * 1e6)) as engine:
        asker = Asker(engine)
        started = time.perf_counter()
        for step in range(SAMPLES + 1):
            longest = burst(asker, args.requests // SAMPLES, step) if step else 0.0
            row = {"requests": step * (args.requests // SAMPLES), **sample(asker)}
            row |= {"held_up_ms": longest * 1e3, "seconds": time.perf_counter() - started}
            rows.append(row)
            print("  ".join(f"{name} {value:.6g}" for name, value in row.items()), flush=True)
    if args.json:
        args.json.write_text(json.dumps({"argv": sys.argv[1:], "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
