"""Answers for asyncio: any number of tasks, and a loop that never waits for the engine."""

import asyncio
import contextlib
import ctypes
import gc
import random
import threading
import time
from typing import Any

import pytest
from small_models import ids

from convergio_mlx import AsyncGeneration, Engine, SamplingParams
from convergio_mlx.errors import ContextLengthError, DeadlineExceededError, InvalidRequestError
from loop_turns import LONGEST, expect_turns, held_up

LONG = SamplingParams(ignore_eos=True, max_tokens=4000)


def short(number: int) -> SamplingParams:
    return SamplingParams(temperature=1.0, seed=number, max_tokens=3 + number % 11, ignore_eos=True)


@pytest.mark.slow
def test_a_hundred_tasks_at_once_and_the_loop_turns(engine: Engine) -> None:
    alone = [engine.generate(ids(20, start=n), short(n)).text() for n in range(100)]

    async def ask(number: int) -> None:
        dice = random.Random(number)
        generation = engine.agenerate(ids(20, start=number), short(number))
        how = dice.choice(["whole", "whole", "cancel", "drop", "cancel task"])
        if how == "whole":
            assert await generation.text() == alone[number]
        elif how == "cancel":
            first = await anext(generation)
            generation.cancel()
            text = first.text + await generation.text()
            assert alone[number].startswith(text.rstrip("\ufffd"))
        elif how == "drop":
            await anext(generation)
        else:
            task = asyncio.create_task(generation.text())
            await asyncio.sleep(dice.random() * 0.05)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                assert await task == alone[number]

    async def all_of_them() -> None:
        await asyncio.gather(*(ask(number) for number in range(100)))

    expect_turns(all_of_them)
    assert engine.generate(ids(20, start=3), short(3)).text() == alone[3]


@pytest.mark.slow
def test_the_loop_turns_during_a_long_prefill(slow: Engine) -> None:
    async def prefill() -> None:
        async with slow.agenerate(ids(1500), SamplingParams(max_tokens=1)) as generation:
            await generation.text()

    expect_turns(prefill)


@pytest.mark.slow
def test_the_gil_held_amid_decoding_is_found(engine: Engine) -> None:
    """What the other tests go by would tell: a constraint that keeps the GIL while it sleeps."""
    holding = ctypes.PyDLL(None).usleep

    def constraint(_: list[int]) -> bytes:
        holding(500_000)
        return b"\xff" * ((engine.vocab_size + 31) // 32 * 4)

    async def answer() -> None:
        params = SamplingParams(max_tokens=2, ignore_eos=True)
        await engine.agenerate(ids(5), params, constraint=constraint).text()

    # once is enough: on a busy machine waiting for a processor may hide it
    assert any(max(asyncio.run(held_up(answer()))) > LONGEST for _ in range(6))


def test_chunks_are_those_of_a_thread(engine: Engine) -> None:
    params = SamplingParams(max_tokens=40, ignore_eos=True, logprobs=2, stop="never there")

    async def ask() -> Any:
        generation = engine.agenerate(ids(30), params)
        chunks = [chunk async for chunk in generation]
        return chunks, generation.stats

    chunks, stats = asyncio.run(ask())
    expected = list(engine.generate(ids(30), params))
    for parts in ("text", "token_ids", "logprobs"):
        joined = [
            [one for chunk in each for one in getattr(chunk, parts)] for each in (chunks, expected)
        ]
        assert joined[0] == joined[1]
    assert chunks[-1].finish_reason == "length"
    assert (stats.prompt_tokens, stats.output_tokens) == (30, 40)


def test_errors_come_when_first_awaited_and_once(engine: Engine) -> None:
    async def ask(error: type[Exception], prompt: list[int], **options: Any) -> str:
        generation = engine.agenerate(prompt, SamplingParams(**options))
        with pytest.raises(error) as caught:
            await anext(generation)
        with pytest.raises(StopAsyncIteration):
            await anext(generation)
        return str(caught.value)

    assert asyncio.run(ask(InvalidRequestError, [])) == (
        "[engine] the prompt is empty; give it at least one token."
    )
    asyncio.run(ask(ContextLengthError, ids(600)))
    assert asyncio.run(ask(InvalidRequestError, ids(3), top_k=-1)) == (
        "[sampling] top_k is -1, which must be 0 (all tokens) or more."
    )


def test_a_cancelled_task_cancels_its_answer(slow: Engine) -> None:
    async def ask() -> None:
        generations = [slow.agenerate(ids(12000, start=n), LONG) for n in range(9)]
        tasks = [asyncio.create_task(generation.text()) for generation in generations]
        await asyncio.sleep(0.2)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} == {asyncio.CancelledError}
        for generation in generations:
            with pytest.raises(StopAsyncIteration):
                await anext(generation)

    asyncio.run(ask())
    began = time.perf_counter()
    slow.generate(ids(5), SamplingParams(max_tokens=1)).text()
    assert time.perf_counter() - began < 10  # nine such prompts would take minutes


def test_cancel_before_it_starts_and_from_a_thread(slow: Engine) -> None:
    async def ask() -> None:
        early = slow.agenerate(ids(12000), LONG)
        early.cancel()
        assert [(chunk.finish_reason, chunk.token_ids) async for chunk in early] == [
            ("cancelled", ())
        ]
        running = slow.agenerate(ids(12000), LONG)
        threading.Timer(0.2, running.cancel).start()
        assert [chunk.finish_reason async for chunk in running] == ["cancelled"]

    asyncio.run(ask())


def test_deadline(slow: Engine) -> None:
    async def ask() -> None:
        with pytest.raises(DeadlineExceededError):
            await slow.agenerate(ids(12000), LONG, timeout=0.2).text()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(slow.agenerate(ids(12000), LONG).text(), 0.2)
        async with slow.agenerate(ids(5), SamplingParams(max_tokens=1)) as after:
            await after.text()

    asyncio.run(ask())


def test_aclose_ends_it_for_whoever_waits(slow: Engine) -> None:
    async def ask() -> None:
        generation = slow.agenerate(ids(12000), LONG)
        reader = asyncio.create_task(generation.text())
        await asyncio.sleep(0.1)
        await generation.aclose()
        assert await asyncio.wait_for(reader, 5) == ""
        assert [chunk async for chunk in generation] == []
        never_started = slow.agenerate(ids(12000), LONG)
        await never_started.aclose()
        assert [chunk async for chunk in never_started] == []

    asyncio.run(ask())


def test_one_reader_at_a_time(slow: Engine) -> None:
    async def ask() -> None:
        generation = slow.agenerate(ids(3000), SamplingParams(max_tokens=1))
        first = asyncio.create_task(anext(generation))
        await asyncio.sleep(0.05)
        with pytest.raises(InvalidRequestError) as caught:
            await anext(generation)
        assert str(caught.value) == (
            "[engine] another thread, task or event loop is reading this answer; give each reader "
            "an answer of its own."
        )
        generation.cancel()
        assert (await first).finish_reason == "cancelled"

    asyncio.run(ask())


def test_two_loops_in_two_threads(engine: Engine) -> None:
    alone = [engine.generate(ids(20, start=n), short(n)).text() for n in range(20)]
    answers: dict[int, list[str]] = {}

    async def ask() -> list[str]:
        requests = [engine.agenerate(ids(20, start=n), short(n)).text() for n in range(20)]
        return await asyncio.gather(*requests)

    threads = [
        threading.Thread(target=lambda n=n: answers.update({n: asyncio.run(ask())}))
        for n in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {0: alone, 1: alone}


def test_a_loop_closed_amid_an_answer(slow: Engine) -> None:
    loop = asyncio.new_event_loop()
    kept = slow.agenerate(ids(10), LONG)
    first = loop.run_until_complete(kept.__anext__())
    assert len(first.token_ids) > 0
    loop.close()
    # its next news finds the loop closed, and nobody else waits for it
    request = kept._reader.prepared.request  # type: ignore[union-attr]
    while request.next(None).finish is None:
        pass
    assert request.next(0).finish == "cancelled"
    assert slow.generate(ids(5), SamplingParams(max_tokens=2, ignore_eos=True)).text() is not None


def test_one_dropped_without_an_await_leaves_nothing(slow: Engine) -> None:
    async def ask() -> None:
        slow.agenerate(ids(12000), LONG)
        generation = slow.agenerate(ids(10), LONG)
        await anext(generation)
        request = generation._reader.prepared.request  # type: ignore[union-attr]
        del generation
        gc.collect()
        while request.next(0.01).finish is None:
            pass
        assert request.next(0).finish == "cancelled"

    asyncio.run(ask())
    from convergio_mlx.generation.pump import pump

    assert pump()._listeners == {}


def test_a_start_raises_what_is_wrong_before_the_first_event(engine: Engine) -> None:
    async def ask() -> None:
        for begun in (
            engine.agenerate([]),
            engine.astream([]),
            engine.astream([{"role": "user", "content": "a"}], timeout=-1),
        ):
            with pytest.raises(InvalidRequestError):
                await begun.start()
        good = await engine.agenerate(ids(3), SamplingParams(max_tokens=2)).start()
        assert await good.start() is good
        assert (await anext(good)).token_ids

    asyncio.run(ask())


def test_an_answer_read_from_a_second_loop_is_refused(engine: Engine) -> None:
    generation = engine.agenerate(ids(3), SamplingParams(max_tokens=200, ignore_eos=True))
    asyncio.run(_first(generation))
    with pytest.raises(InvalidRequestError) as caught:
        asyncio.run(_first(generation))
    assert "event loop is reading this answer" in str(caught.value)
    generation.cancel()


async def _first(generation: AsyncGeneration) -> object:
    return await anext(generation)
