"""Short requests of every kind for long: is each answer right, and does memory stay flat?

    python bench/soak.py [--requests 10000 | --minutes M] [--threads 8] [--tasks 100]
        [--model convergio-guide] [--json FILE]

Each of a few hundred questions is asked alone first. Then threads and asyncio tasks ask them at
once, at any priority: greedy and sampled, with log-probabilities, constraints, schemas and stop
strings, read to the end, cancelled, dropped, past their deadline, refused, and, now and then, with
less memory than they take. Whatever comes of an answer must be what came of it alone. After each
tenth of the time, with nothing at work, it prints what the process holds, how the requests ended,
and for how long the asyncio loop was held up at most, not counted what it waited for a processor.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import convergio_mlx as cm
from convergio_mlx.chats.request import PRIORITIES, Priority

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "engine"))

from request_cases import answered, case, even, form_of

from loop_turns import held_up

QUESTIONS, SAMPLES = 300, 10
TIGHT_EVERY, TIGHT_FOR = 2.0, 0.05
"""Seconds between moments without memory, and how long these are."""


def resident_bytes() -> int:
    """Of this process, in memory now; 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Quota:
    """So many requests, or requests for so many seconds; shared by all who ask."""

    def __init__(self, requests: int | None, seconds: float) -> None:
        self._left = requests
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()

    def take(self) -> bool:
        """True: ask another one."""
        if self._left is None:
            return time.monotonic() < self._end
        with self._lock:
            self._left -= 1
            return self._left >= 0


@dataclass(frozen=True)
class Ask:
    """A question, and how it is asked and ended."""

    number: int
    priority: Priority
    timeout: float | None
    leave_after: int | None
    """Chunks; None: it is read to its end."""
    cancels: bool
    """How it leaves: it cancels and reads on, else it drops the answer."""
    patience: float | None
    """Of an asyncio task, in seconds: it is cancelled then."""
    refused: bool


@dataclass
class Got:
    """What has come of an answer."""

    tokens: list[Any] = field(default_factory=list)
    text: str = ""
    reason: str | None = None

    def add(self, chunk: cm.Chunk) -> None:
        self.tokens += zip(chunk.token_ids, chunk.logprobs or chunk.token_ids, strict=True)
        self.text += chunk.text
        self.reason = chunk.finish_reason

    def take(self, response: cm.ChatResponse) -> None:
        self.tokens = list(response.logprobs)
        self.text, self.reason = response.text, response.finish_reason


class Soak:
    """The questions, their answers alone, and what became of those asked in company."""

    def __init__(self, engine: cm.Engine) -> None:
        self.engine = engine
        self.questions = [
            replace(case(engine, number), cancel_after=None) for number in range(QUESTIONS)
        ]
        self.alone = [answered(engine, one) for one in self.questions]
        self.mask = even(engine.vocab_size)
        self.ends: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._lock = threading.Lock()

    @staticmethod
    def draw(dice: random.Random) -> Ask:
        """Any question, any end."""
        return Ask(
            number=dice.randrange(QUESTIONS),
            priority=dice.choice(PRIORITIES),
            timeout=dice.choice([0.001, 0.02, 1.0]) if dice.random() < 0.1 else None,
            leave_after=dice.randrange(5) if dice.random() < 0.2 else None,
            cancels=dice.random() < 0.5,
            patience=dice.random() * 0.01 if dice.random() < 0.1 else None,
            refused=dice.random() < 0.02,
        )

    def _options(self, ask: Ask) -> tuple[Any, dict[str, Any]]:
        one = self.questions[ask.number]
        options: dict[str, Any] = {"priority": ask.priority, "timeout": ask.timeout}
        if one.form:
            messages, form = form_of(one)
            return messages, options | {"response_format": form}
        if one.mask:
            options["constraint"] = lambda _: self.mask
        return [-1] if ask.refused else one.prompt, options

    def ask(self, dice: random.Random) -> None:
        """One request on this thread."""
        ask = self.draw(dice)
        one = self.questions[ask.number]
        prompt, options = self._options(ask)
        with self._judged(ask) as got:
            if one.form:
                with self.engine.stream(prompt, one.params, **options) as stream:
                    got.take(stream.response())
                return
            with self.engine.generate(prompt, one.params, **options) as generation:
                for count, chunk in enumerate(generation):
                    got.add(chunk)
                    if ask.leave_after == count:
                        if not ask.cancels:
                            break
                        generation.cancel()

    async def aask(self, dice: random.Random) -> None:
        """One request on this loop."""
        ask = self.draw(dice)
        one = self.questions[ask.number]
        prompt, options = self._options(ask)
        with self._judged(ask) as got:
            async with asyncio.timeout(ask.patience):
                if one.form:
                    async with self.engine.astream(prompt, one.params, **options) as stream:
                        got.take(await stream.response())
                    return
                async with self.engine.agenerate(prompt, one.params, **options) as generation:
                    count = 0
                    async for chunk in generation:
                        got.add(chunk)
                        if ask.leave_after == count:
                            if not ask.cancels:
                                break
                            generation.cancel()
                        count += 1

    @contextmanager
    def _judged(self, ask: Ask) -> Iterator[Got]:
        """Whether a request ended as it may, and what came of it is what came of it alone."""
        got = Got()
        try:
            yield got
            end = "left" if got.reason is None else got.reason
            fair = end != "left" or ask.leave_after is not None
        except cm.DeadlineExceededError:
            end, fair = "late", ask.timeout is not None
        except TimeoutError:
            end, fair = "given up", ask.patience is not None
        except cm.OutOfMemoryError:
            end, fair = "out of memory", True
        except cm.InvalidRequestError:
            end, fair = "refused", ask.refused
        except cm.GenerationCancelledError:
            end, fair = "cancelled", ask.leave_after is not None and ask.cancels
        tokens, text, reason = self.alone[ask.number]
        if got.reason in (None, "cancelled"):
            same = got.tokens == tokens[: len(got.tokens)]
        else:
            same = (got.tokens, got.text, got.reason) == (tokens, text, reason)
        with self._lock:
            self.ends[end] += 1
            if not (fair and same):
                self.wrong.append(f"{ask}: {end}, {got}; alone {self.alone[ask.number]}")


@contextmanager
def tight_moments(engine: cm.Engine, seed: int) -> Iterator[None]:
    """Now and then a limit that leaves no or little memory to a request."""
    stop = threading.Event()
    dice = random.Random(seed)

    def work() -> None:
        while not stop.wait(TIGHT_EVERY * dice.random()):
            cm.set_memory_limit(engine.weight_bytes + dice.choice([1, 100_000, 1_000_000]))
            stop.wait(TIGHT_FOR)
            cm.set_memory_limit(None)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def burst(soak: Soak, quotas: tuple[Quota, Quota], threads: int, tasks: int, seed: int) -> float:
    """Requests by threads and by tasks; the loop's longest pause in seconds."""
    by_threads, by_tasks = quotas

    def work(number: int) -> None:
        dice = random.Random(seed * 1000 + number)
        while by_threads.take():
            soak.ask(dice)

    async def one(number: int) -> None:
        dice = random.Random(seed * 1000 + 500 + number)
        while by_tasks.take():
            await soak.aask(dice)

    async def all_tasks() -> None:
        await asyncio.gather(*(one(number) for number in range(tasks)))

    with tight_moments(soak.engine, seed), ThreadPoolExecutor(threads) as pool:
        working = [pool.submit(work, number) for number in range(threads)]
        pauses = asyncio.run(held_up(all_tasks()))
        for thread in working:
            thread.result()
    return max(pauses)


def sample(engine: cm.Engine) -> dict[str, float]:
    """What is held with nothing at work."""
    gc.collect()
    engine.generate([1], cm.SamplingParams(max_tokens=1)).text()
    use = cm.memory_use()
    stats = engine.prefix_cache_stats
    return {
        "resident_mb": resident_bytes() / 1e6,
        "active_mb": use.active / 1e6,
        "prefix_cache_mb": stats.bytes / 1e6,
        "prefix_cache_sequences": stats.sequences,
        "threads": threading.active_count(),
        "objects": len(gc.get_objects()),
    }


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, help="for so long, however many they are")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--model", default="convergio-guide")
    parser.add_argument("--prefix-cache-mb", type=float, default=20, help="its bound")
    parser.add_argument("--json", type=Path, help="also writes the rows there")
    return parser.parse_args()


def main() -> None:
    """Prints a row after each tenth."""
    args = parsed()
    rows = []
    with cm.Engine.load(args.model, prefix_cache_bytes=int(args.prefix_cache_mb * 1e6)) as engine:
        soak = Soak(engine)
        started = time.perf_counter()
        for step in range(SAMPLES + 1):
            before = Counter(soak.ends)
            longest = 0.0
            if step:
                requests = None if args.minutes else args.requests // SAMPLES // 2
                seconds = 60 * (args.minutes or 0) / SAMPLES
                quotas = (Quota(requests, seconds), Quota(requests, seconds))
                longest = burst(soak, quotas, args.threads, args.tasks, step)
            row: dict[str, Any] = {"requests": soak.ends.total(), **sample(engine)}
            row |= {"held_up_ms": longest * 1e3, "seconds": time.perf_counter() - started}
            row |= {"wrong": len(soak.wrong)}
            shown = [f"{name} {value:.6g}" for name, value in row.items()]
            ends = soak.ends - before
            shown += [f"{count} {end}" for end, count in sorted(ends.items())]
            rows.append(row | {"ends": ends})
            print("  ".join(shown), flush=True)
    if args.json:
        args.json.write_text(json.dumps({"argv": sys.argv[1:], "rows": rows}, indent=1))
    if soak.wrong:
        raise SystemExit("\n".join(["[bench] not answered as alone:", *soak.wrong[:5]]))


if __name__ == "__main__":
    main()
