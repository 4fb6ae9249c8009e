"""8 threads and 100 asyncio tasks at once through one provider, cancelled at random: everyone gets
the right answer, nothing is left behind, and the loop is never blocked. `pytest -s` prints for how
long it was held up."""

import asyncio
import gc
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from convergio_mlx import SamplingParams
from convergio_mlx.generation.pump import pump
from convergio_mlx.providers.mlx import MlxProvider
from loop_turns import expect_turns

MODEL = "convergio-guide"
THREADS, TASKS, ROUNDS = 8, 100, 3
QUESTIONS = [f"Which model fits in {size} GB of memory?" for size in (4, 8, 16, 24, 32)]
QUESTIONS += ["What are you?", "Can you work offline?", "How do I download a model?"]


def params(number: int) -> SamplingParams:
    return SamplingParams(temperature=1.0, seed=number, max_tokens=6 + number % 7)


def question(number: int) -> str:
    return QUESTIONS[number % len(QUESTIONS)]


class Crowd:
    """All callers, and what each has to get."""

    def __init__(self, provider: MlxProvider) -> None:
        self.provider = provider
        self.pool = ThreadPoolExecutor(THREADS)
        barrier = threading.Barrier(THREADS)  # all of its threads run before the loop does
        list(self.pool.map(lambda _: barrier.wait(), range(THREADS)))
        numbers = range(max(TASKS, THREADS * ROUNDS))
        self.alone = [
            provider.chat(MODEL, None, question(n), params=params(n)).text for n in numbers
        ]
        self.whole = 0
        self.cancelled = 0

    def thread(self, number: int) -> None:
        dice = random.Random(number)
        for n in range(number * ROUNDS, (number + 1) * ROUNDS):
            stream = self.provider.stream(MODEL, None, question(n), params=params(n))
            how = dice.choice(["whole", "whole", "cancel", "drop"])
            if how != "whole":
                next(stream)
            if how == "cancel":
                stream.cancel()
            if how != "drop":
                self.judge(n, stream.response(), how == "cancel")

    async def task(self, number: int) -> None:
        dice = random.Random(1000 + number)
        stream = self.provider.astream(MODEL, None, question(number), params=params(number))
        how = dice.choice(["whole", "whole", "cancel", "drop", "cancel task"])
        if how == "cancel task":
            reader = asyncio.ensure_future(stream.response())
            await asyncio.sleep(dice.random() * 0.5)
            reader.cancel()
            (result,) = await asyncio.gather(reader, return_exceptions=True)
            if not isinstance(result, asyncio.CancelledError):
                self.judge(number, result, False)
            return
        if how != "whole":
            await anext(stream)
        if how == "cancel":
            stream.cancel()
        if how != "drop":
            self.judge(number, await stream.response(), how == "cancel")

    def judge(self, number: int, response: Any, was_cancelled: bool) -> None:
        expected = self.alone[number]
        if was_cancelled:
            self.cancelled += 1
            assert expected.startswith(response.text.rstrip("\ufffd"))
        else:
            self.whole += 1
            assert response.text == expected
            assert response.finish_reason in ("stop", "length")

    async def all_at_once(self) -> None:
        loop = asyncio.get_running_loop()
        threads = [loop.run_in_executor(self.pool, self.thread, n) for n in range(THREADS)]
        await asyncio.gather(*threads, *(self.task(number) for number in range(TASKS)))


@pytest.mark.slow
def test_a_crowd_gets_right_answers_and_the_loop_turns() -> None:
    with MlxProvider() as provider:
        crowd = Crowd(provider)
        expect_turns(crowd.all_at_once)
        assert crowd.whole > 40
        assert crowd.cancelled > 10
        gc.collect()
        deadline = time.monotonic() + 60
        while provider.loaded()[0].uses:  # until those that were cancelled have let go
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert pump()._listeners == {}
        crowd.pool.shutdown()
        again = provider.chat(MODEL, None, question(3), params=params(3))
        assert again.text == crowd.alone[3]


@pytest.mark.slow
def test_nothing_is_left_of_many_answers() -> None:
    """Threads, objects and MLX's memory are what they were."""
    from convergio_mlx.platform.native import native

    def some(provider: MlxProvider) -> None:
        async def ask() -> None:
            streams = [
                provider.astream(MODEL, None, question(n), params=params(n)) for n in range(30)
            ]
            tasks = [asyncio.ensure_future(stream.response()) for stream in streams]
            await asyncio.sleep(0.02)
            for task in tasks[::3]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(ask())
        for n in range(10):
            provider.chat(MODEL, None, question(n), params=params(n))

    def counts() -> tuple[int, int, int]:
        gc.collect()
        return len(gc.get_objects()), native().memory()[0], threading.active_count()

    with MlxProvider() as provider:
        for _ in range(3):
            some(provider)
        before = counts()
        for _ in range(4):
            some(provider)
        after = counts()
    assert after[0] < before[0] + 500
    assert after[1] <= before[1] * 1.2 + (1 << 20)
    assert after[2] <= before[2]


def test_shutdown_frees_the_memory() -> None:
    from convergio_mlx.platform.native import native

    before = native().memory()[0]  # of other providers
    provider = MlxProvider()
    provider.init()
    for number in range(5):
        provider.chat(MODEL, None, question(number), params=params(number))
    stream = provider.stream(MODEL, None, question(1))
    next(stream)
    held = native().memory()[0] - before
    assert held > 0
    provider.shutdown()
    assert stream.response().finish_reason in ("cancelled", "stop")
    deadline = time.monotonic() + 60
    while native().memory()[0] - before > held / 10 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert native().memory()[0] - before <= held / 10
