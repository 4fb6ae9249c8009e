"""Many prompts at once: each answer is that of the prompt alone, and an error is its prompt's."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from small_models import ids

from convergio_mlx import Completion, Engine, SamplingParams
from convergio_mlx.errors import ContextLengthError, InvalidRequestError, NotInitializedError

SHORT = SamplingParams(max_tokens=12, ignore_eos=True, temperature=1.0, seed=5, logprobs=1)
ENDLESS = SamplingParams(max_tokens=20_000, ignore_eos=True)


def alone(engine: Engine, prompt: Any, params: SamplingParams = SHORT) -> tuple[Any, ...]:
    chunks = list(engine.generate(prompt, params))
    return (
        "".join(chunk.text for chunk in chunks),
        tuple(token for chunk in chunks for token in chunk.token_ids),
        tuple(one for chunk in chunks for one in chunk.logprobs),
        chunks[-1].finish_reason,
    )


def told(one: Completion) -> tuple[Any, ...]:
    assert one.error is None
    return one.text, one.token_ids, one.logprobs, one.finish_reason


def gathered(engine: Engine, *given: Any, **options: Any) -> list[Completion]:
    async def gather() -> list[Completion]:
        return [one async for one in engine.agenerate_many(*given, **options)]

    return asyncio.run(gather())


def listed(engine: Engine, *given: Any, **options: Any) -> list[Completion]:
    return list(engine.generate_many(*given, **options))


BOTH = pytest.mark.parametrize("many", [listed, gathered])


@BOTH
def test_prompts_of_every_kind_are_answered_as_alone(engine: Engine, many: Any) -> None:
    prompts = [ids(9), "a text", [{"role": "user", "content": "a message"}], *map(ids, range(1, 9))]
    wanted = [alone(engine, prompt) for prompt in prompts]
    found = many(engine, prompts, SHORT, ordered=True)
    assert [one.index for one in found] == list(range(len(prompts)))
    assert [told(one) for one in found] == wanted
    assert all(one.stats.output_tokens == 12 for one in found)


def test_answers_come_when_they_are_complete(slow: Engine) -> None:
    each = [ENDLESS, *(SamplingParams(max_tokens=count, ignore_eos=True) for count in (2, 9, 2))]
    with slow.generate_many([ids(4)] * 4, each) as batch:
        assert {next(batch).index for _ in range(3)} == {1, 2, 3}

    async def ask() -> None:
        async with slow.agenerate_many([ids(4)] * 4, iter(each)) as batch:
            assert {(await anext(batch)).index for _ in range(3)} == {1, 2, 3}

    asyncio.run(ask())


@BOTH
def test_or_in_order(engine: Engine, many: Any) -> None:
    counts = [200, 2, 30, 2]
    each = (SamplingParams(max_tokens=count, ignore_eos=True) for count in counts)
    found = many(engine, [ids(4)] * 4, each, ordered=True)
    assert [one.stats.output_tokens for one in found] == counts


@BOTH
def test_an_error_is_its_prompts_own(engine: Engine, many: Any) -> None:
    prompts: list[Any] = [ids(5), [], [1 << 30], ids(900), {"role": "user"}, 7, ids(6)]
    found = many(engine, prompts, SHORT, ordered=True)
    errors = [type(one.error) for one in found]
    refused = InvalidRequestError
    assert errors == [
        type(None),
        refused,
        refused,
        ContextLengthError,
        refused,
        refused,
        type(None),
    ]
    assert told(found[0]) == alone(engine, ids(5))
    assert told(found[6]) == alone(engine, ids(6))
    late = many(engine, [ids(3), ids(4)], ENDLESS, ordered=True)
    assert {type(one.error) for one in late} == {ContextLengthError}
    wrong: Any = [SHORT, SamplingParams(temperature="warm"), 5, None]  # type: ignore[arg-type]
    found = many(engine, [ids(3)] * 4, wrong, ordered=True, max_tokens=3)
    assert [one.error is None for one in found] == [True, False, False, True]


def test_prompts_are_taken_a_few_ahead(engine: Engine) -> None:
    taken = itertools.count()
    endless = (ids(5) for _ in taken)
    with engine.generate_many(endless, SHORT, ahead=5, ordered=True) as batch:
        assert next(taken) == 0
        for given in range(7):
            assert next(batch).index == given
        assert next(taken) == 1 + 5 + 6
    with pytest.raises(StopIteration):
        next(batch)


def test_an_asynchronous_iterable_is_taken_a_few_ahead(engine: Engine) -> None:
    taken: list[int] = []

    async def prompts() -> AsyncIterator[list[int]]:
        for number in itertools.count():
            taken.append(number)
            yield ids(5, start=number)
            await asyncio.sleep(0)

    async def ask() -> None:
        async with engine.agenerate_many(prompts(), SHORT, ahead=4, ordered=True) as batch:
            for number in range(9):
                one = await anext(batch)
                assert told(one) == alone(engine, ids(5, start=number))
        assert len(taken) <= 9 + 4
        with pytest.raises(StopAsyncIteration):
            await anext(batch)

    asyncio.run(ask())


@BOTH
def test_what_the_prompts_raise_ends_it(engine: Engine, many: Any) -> None:
    def broken() -> Iterator[list[int]]:
        yield ids(4)
        raise LookupError("no more")

    with pytest.raises(LookupError):
        many(engine, broken(), SHORT)
    with pytest.raises(InvalidRequestError) as caught:
        many(engine, [ids(4)] * 3, [SHORT, SHORT])
    assert str(caught.value) == (
        "[engine] params ended before prompt 2; give one for each prompt, or one for all."
    )


@BOTH
@pytest.mark.parametrize(
    ("given", "options"),
    [
        (("a text",), {}),
        (({"role": "user"},), {}),
        ((7,), {}),
        (([],), {"ahead": 0}),
        (([],), {"ahead": True}),
        (([], "x"), {}),
        (([], 5), {}),
        (([],), {"timeout": -1}),
        (([],), {"temperature": "warm"}),
        (([], SamplingParams(seed=1.5)), {}),  # type: ignore[arg-type]
    ],
)
def test_bad_calls(engine: Engine, many: Any, given: Any, options: Any) -> None:
    with pytest.raises(InvalidRequestError):
        many(engine, *given, **options)


@BOTH
def test_keywords_that_there_are_not(engine: Engine, many: Any) -> None:
    for name in ("constraint", "n", "max_token"):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
            many(engine, [], **{name: None})


def test_a_closed_engine_finishes_what_it_began(folder: Any) -> None:
    engine = Engine.load(folder)
    batch = engine.generate_many([ids(5)] * 3, SHORT, ahead=1)
    next(batch)
    engine.close()
    assert [one.error for one in batch] == [None, None]
    with pytest.raises(NotInitializedError):
        engine.generate_many([])


def test_a_stop_string_ends_its_own_answer(engine: Engine) -> None:
    whole = engine.generate(ids(9), SHORT).text()
    stop = whole[2:4]
    found = listed(engine, [ids(9)] * 5, SHORT, stop=stop, ordered=True)
    assert [one.text for one in found] == [whole[: whole.index(stop)]] * 5
    assert {one.finish_reason for one in found} == {"stop"}


def test_to_leave_it_early_cancels_the_rest(slow: Engine) -> None:
    each = [SamplingParams(max_tokens=1), *[ENDLESS] * 20]
    for end in ("close", "drop", "block", "thread"):
        batch = slow.generate_many([ids(9)] * 21, each)
        assert next(batch).index == 0
        readers = [reader for _, reader in batch._running.values()]
        assert len(readers) == 20
        if end == "close":
            batch.close()
        elif end == "block":
            with batch:
                pass
        elif end == "thread":
            thread = threading.Thread(target=batch.close)
            thread.start()
            thread.join()
        del batch
        gc.collect()
        for reader in readers:
            while not reader.finished:
                reader.read(1)


def test_cancel_ends_the_answers_at_work(slow: Engine) -> None:
    batch = slow.generate_many((ids(9) for _ in itertools.count()), ENDLESS, ahead=6)
    timer = threading.Timer(0.2, batch.cancel)
    timer.start()
    found = list(batch)
    timer.join()
    assert sorted(one.index for one in found) == list(range(6))
    assert {one.finish_reason for one in found} == {"cancelled"}


def test_a_task_that_is_cancelled_cancels_all(slow: Engine) -> None:
    async def ask() -> None:
        batch = slow.agenerate_many([ids(9)] * 20, ENDLESS)
        task = asyncio.ensure_future(anext(batch))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(StopAsyncIteration):
            await anext(batch)
        await batch.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(ask())
    assert slow.generate(ids(3), max_tokens=2).text() is not None


def test_one_reader_at_a_time(slow: Engine) -> None:
    with slow.generate_many([ids(9)] * 3, ENDLESS) as batch:
        thread = threading.Thread(target=lambda: list(batch))
        thread.start()
        while not batch._running:
            time.sleep(0.001)
        with pytest.raises(InvalidRequestError, match="another thread"):
            next(batch)
        batch.close()
        thread.join()


def test_a_forked_child_is_told(engine: Engine) -> None:
    batch = engine.generate_many([ids(9)] * 3, SHORT)
    next(batch)
    child = os.fork()
    if child == 0:
        try:
            next(batch)
        except InvalidRequestError:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_ctrl_c_ends_it(slow_folder: Any) -> None:
    code = (
        "import sys, convergio_mlx as cm\n"
        "with cm.Engine.load(sys.argv[1]) as engine:\n"
        "    batch = engine.generate_many([[5, 6]] * 50, max_tokens=20_000, ignore_eos=True)\n"
        "    print('begun', flush=True)\n"
        "    try:\n"
        "        next(batch)\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted', next(batch, None))\n"
        "    print(len(engine.generate([5], max_tokens=2, ignore_eos=True).text()) > 0)\n"
    )
    command = [sys.executable, "-c", code, str(slow_folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "begun\n"
        time.sleep(0.5)
        program.send_signal(signal.SIGINT)
        assert program.stdout.read() == "interrupted None\nTrue\n"
        assert program.wait() == 0


@pytest.mark.slow
def test_random_batches_beside_each_other(engine: Engine) -> None:
    """Threads and tasks, in order and not, closed early; every answer as alone."""

    def params(number: int) -> SamplingParams:
        return SamplingParams(
            max_tokens=1 + number % 23, ignore_eos=True, temperature=1.0, seed=number, logprobs=0
        )

    prompts = [ids(1 + number * 7 % 60, start=number % 5) for number in range(120)]
    wanted = [alone(engine, prompt, params(n)) for n, prompt in enumerate(prompts)]

    def check(one: Completion, begin: int) -> None:
        assert told(one) == wanted[begin + one.index]

    def in_a_thread(begin: int) -> None:
        dice = random.Random(begin)
        end = begin + dice.randrange(5, 60)
        given = prompts[begin:end]
        each = [params(n) for n in range(begin, begin + len(given))]
        ordered, ahead = dice.random() < 0.5, dice.randrange(1, 40)
        left = dice.choice([1000, 1000, dice.randrange(10)])
        with engine.generate_many(given, each, ordered=ordered, ahead=ahead) as batch:
            for one in itertools.islice(batch, left):
                check(one, begin)

    async def in_a_task(begin: int) -> None:
        dice = random.Random(begin)
        given = prompts[begin : begin + 30]
        each = [params(n) for n in range(begin, begin + len(given))]
        async with engine.agenerate_many(given, each, ahead=dice.randrange(1, 40)) as batch:
            async for one in batch:
                check(one, begin)

    async def tasks() -> None:
        await asyncio.gather(*(in_a_task(begin) for begin in range(0, 100, 20)))

    with ThreadPoolExecutor(10) as pool:
        reading = [pool.submit(in_a_thread, begin) for begin in range(0, 110, 11)]
        asyncio.run(tasks())
    for one in reading:
        one.result()
