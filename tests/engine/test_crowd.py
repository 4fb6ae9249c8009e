"""A crowd of threads and tasks that come, leave, cancel and go before each other: whatever is
answered is what is answered alone."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from small_models import ids

from convergio_mlx import Engine, SamplingParams, memory_use, set_memory_limit
from convergio_mlx.chats.request import PRIORITIES

PROMPTS = 60


def prompt(number: int) -> list[int]:
    """Many begin alike."""
    return [*ids(30 * (number % 3), start=number % 3), *ids(1 + number % 17, start=number)]


def params(number: int) -> SamplingParams:
    return SamplingParams(
        max_tokens=1 + number * 11 % 90,
        ignore_eos=True,
        temperature=0.9,
        seed=number,
        logprobs=number % 2 or None,
    )


def seen(chunks: list[Any]) -> tuple[Any, ...]:
    return (
        tuple(token for chunk in chunks for token in chunk.token_ids),
        tuple(one for chunk in chunks for one in chunk.logprobs),
    )


class Crowd:
    """Who asks, and what each is answered alone."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.alone = [seen(list(engine.generate(prompt(n), params(n)))) for n in range(PROMPTS)]
        self.wrong: list[Any] = []

    def check(self, number: int, found: tuple[Any, ...], *, whole: bool = True) -> None:
        wanted = self.alone[number]
        if not whole:
            wanted = tuple(part[: len(one)] for part, one in zip(wanted, found, strict=True))
        self.same(number, found, wanted)

    def same(self, number: int, found: Any, wanted: Any) -> None:
        if found != wanted:
            self.wrong.append((number, found, wanted))

    def one(self, dice: random.Random) -> None:
        number, how = dice.randrange(PROMPTS), dice.random()
        answer = self.engine.generate(
            prompt(number), params(number), priority=dice.choice(PRIORITIES)
        )
        if how < 0.7:
            self.check(number, seen(list(answer)))
        elif how < 0.85:
            first = next(answer)
            answer.cancel()
            self.check(number, seen([first, *answer]), whole=False)
        else:
            self.check(number, seen([next(answer)]), whole=False)  # and dropped

    def several(self, dice: random.Random) -> None:
        number = dice.randrange(PROMPTS)
        first, *others = self.engine.generate_n(prompt(number), 3, params(number))
        self.check(number, seen(list(first)))
        for seed, one in enumerate(others, start=number + 1):
            again = self.engine.generate(prompt(number), params(number), seed=seed)
            self.same(number, seen(list(one)), seen(list(again)))

    def many(self, dice: random.Random) -> None:
        numbers = [dice.randrange(PROMPTS) for _ in range(dice.randrange(1, 30))]
        batch = self.engine.generate_many(
            map(prompt, numbers),
            map(params, numbers),
            ordered=dice.random() < 0.5,
            ahead=dice.randrange(1, 20),
            priority=dice.choice(PRIORITIES),
        )
        with batch:
            for count, found in enumerate(batch):
                assert found.error is None
                self.check(numbers[found.index], (found.token_ids, found.logprobs))
                if count == 20 and dice.random() < 0.5:
                    break

    async def task(self, dice: random.Random) -> None:
        number = dice.randrange(PROMPTS)
        answer = self.engine.agenerate(
            prompt(number), params(number), priority=dice.choice(PRIORITIES)
        )
        if dice.random() < 0.7:
            self.check(number, seen([chunk async for chunk in answer]))
            return
        reading = asyncio.ensure_future(anext(answer))
        await asyncio.sleep(dice.random() * 0.02)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


@pytest.mark.slow
@pytest.mark.parametrize("room", [None, 8_000_000, 3_000_000])
def test_whoever_comes_and_goes_answers_are_those_asked_alone(
    engine: Engine, room: int | None
) -> None:
    crowd = Crowd(engine)
    if room is not None:
        use = memory_use()
        set_memory_limit(use.weights + use.active + room)

    def thread(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(12):
            dice.choice([crowd.one, crowd.one, crowd.several, crowd.many])(dice)

    def loop(seed: int) -> None:
        async def tasks() -> None:
            await asyncio.gather(*(crowd.task(random.Random(seed + n)) for n in range(40)))

        asyncio.run(tasks())

    with ThreadPoolExecutor(10) as pool:
        asking = [pool.submit(thread, n) for n in range(8)]
        asking += [pool.submit(loop, 1000 * n) for n in (1, 2)]
    set_memory_limit(None)
    for one in asking:
        one.result()
    assert crowd.wrong == []
    assert engine.queue_stats.waiting == 0
