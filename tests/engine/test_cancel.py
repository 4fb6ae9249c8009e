"""Ending an answer early: by cancel, by deadline, by letting go of it; and what comes after."""

import gc
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count

import pytest
from small_models import ids

from convergio_mlx import Chunk, Engine, SamplingParams
from convergio_mlx.errors import DeadlineExceededError, NotInitializedError

LONG = SamplingParams(ignore_eos=True, max_tokens=4000)


@pytest.fixture(scope="module")
def chunk_seconds(slow: Engine) -> float:
    """What a whole chunk of the slow model's prefill takes."""
    with slow.generate(ids(512), SamplingParams(max_tokens=1)) as generation:
        generation.text()
        return generation.stats.prefill_seconds


def expect_sound(engine: Engine) -> None:
    """The next request is answered, and as ever."""
    params = SamplingParams(max_tokens=8, ignore_eos=True)
    first, second = (engine.generate(ids(40), params) for _ in range(2))
    assert len(first.text()) > 0
    assert first.stats.output_tokens == 8
    assert second.stats.output_tokens == 0
    second.text()
    assert second.stats.output_tokens == 8


def expect_within(bound: float, seconds: Callable[[], float]) -> None:
    """At the best of 20 times: what is not there is never fast, and what is there is often slow
    beside other work."""
    took: list[float] = []
    while len(took) < 20 and (not took or min(took) >= bound):
        took.append(seconds())
    assert min(took) < bound, took


def test_cancelled_before_it_starts(slow: Engine) -> None:
    running = slow.generate(ids(5000, start=1), LONG)
    waiting = [slow.generate(ids(5000, start=2), LONG) for _ in range(20)]
    for generation in reversed(waiting):
        generation.cancel()
    for generation in waiting:
        assert [chunk.finish_reason for chunk in generation] == ["cancelled"]
        assert generation.stats.output_tokens == 0
    running.cancel()
    assert next(running).finish_reason == "cancelled"
    expect_sound(slow)


@pytest.mark.slow
@pytest.mark.parametrize("chunks", [0.4, 1.2, 2.5])
def test_cancelled_inside_prefill(slow: Engine, chunk_seconds: float, chunks: float) -> None:
    def seconds() -> float:
        generation = slow.generate(ids(6000), LONG)
        time.sleep(chunks * chunk_seconds)
        began = time.perf_counter()
        generation.cancel()
        (chunk,) = list(generation)
        took = time.perf_counter() - began
        assert (chunk.finish_reason, chunk.text, chunk.token_ids) == ("cancelled", "", ())
        return took

    # one of twelve layers, not the rest of the chunk
    expect_within(max(chunk_seconds / 3, 0.1), seconds)
    expect_sound(slow)


def test_cancelled_while_it_answers(engine: Engine, slow: Engine) -> None:
    generation = slow.generate(ids(10), LONG)
    shown = [next(generation) for _ in range(3)]
    generation.cancel()
    rest = list(generation)
    assert all(chunk.finish_reason is None for chunk in (*shown, *rest[:-1]))
    assert rest[-1].finish_reason == "cancelled"
    tokens = [token for chunk in (*shown, *rest) for token in chunk.token_ids]
    assert 3 <= len(tokens) < 4000
    # what was given is the beginning of the whole answer
    params = SamplingParams(ignore_eos=True, max_tokens=len(tokens))
    whole = [token for chunk in slow.generate(ids(10), params) for token in chunk.token_ids]
    assert tokens == whole
    expect_sound(engine)


def test_cancelled_from_another_thread(slow: Engine) -> None:
    generation = slow.generate(ids(6000), LONG)
    timer = threading.Timer(0.2, generation.cancel)
    timer.start()
    assert [chunk.finish_reason for chunk in generation] == ["cancelled"]
    timer.join()
    generation.cancel()  # again, and after the end: nothing
    assert list(generation) == []
    expect_sound(slow)


def test_deadline_inside_prefill(slow: Engine, chunk_seconds: float) -> None:
    def seconds() -> float:
        began = time.perf_counter()
        generation = slow.generate(ids(12000), LONG, timeout=0.25)
        with pytest.raises(DeadlineExceededError) as caught:
            next(generation)
        took = time.perf_counter() - began
        assert str(caught.value) == (
            "[engine] the request took longer than its deadline of 0.25 s; allow it more time, or "
            "ask for fewer tokens."
        )
        assert generation.stats.output_tokens == 0
        assert list(generation) == []
        return took

    expect_within(0.25 + max(chunk_seconds / 3, 0.1), seconds)
    expect_sound(slow)


def test_deadline_while_it_answers(slow: Engine) -> None:
    chunks: list[Chunk] = []
    timeout = 0.25
    while not chunks:  # long enough for a first token, whatever else the machine does
        timeout *= 2
        generation = slow.generate(ids(10), LONG, timeout=timeout)
        with pytest.raises(DeadlineExceededError):
            chunks.extend(generation)
    assert generation.stats.output_tokens == sum(len(chunk.token_ids) for chunk in chunks)
    assert 0 < len(chunks) < 4000
    assert all(chunk.finish_reason is None for chunk in chunks)
    expect_sound(slow)


def test_deadline_while_it_waits_for_its_turn(slow: Engine, chunk_seconds: float) -> None:
    running = [slow.generate(ids(12000, start=n), LONG) for n in range(9)]

    def seconds() -> float:
        began = time.perf_counter()
        with pytest.raises(DeadlineExceededError):
            slow.generate(ids(10), LONG, timeout=0.1).text()
        return time.perf_counter() - began

    # a chunk of whoever is at work must end first
    expect_within(0.1 + 2 * chunk_seconds + 0.2, seconds)
    for generation in running:
        generation.cancel()
    assert {chunk.finish_reason for one in running for chunk in one} == {"cancelled"}
    expect_sound(slow)


@pytest.mark.slow
def test_an_answer_nobody_holds_is_cancelled(slow: Engine, chunk_seconds: float) -> None:
    def seconds() -> float:
        for _ in range(8):
            generation = slow.generate(ids(12000), LONG)
        time.sleep(0.05)
        del generation
        gc.collect()
        began = time.perf_counter()
        expect_sound(slow)
        return time.perf_counter() - began

    expect_within(2 * chunk_seconds + 1, seconds)  # and not eight long prefills


def test_leaving_the_block_cancels(slow: Engine, chunk_seconds: float) -> None:
    def seconds() -> float:
        with slow.generate(ids(12000), LONG) as generation:
            pass
        began = time.perf_counter()
        assert [chunk.finish_reason for chunk in generation] == ["cancelled"]
        return time.perf_counter() - began

    expect_within(max(chunk_seconds / 3, 0.1), seconds)


def test_an_engine_closed_while_it_answers(folder: str) -> None:
    alone = Engine.load(folder)
    params = SamplingParams(ignore_eos=True, max_tokens=40)
    anything = bytes([0xFF] * 4) * ((alone.vocab_size + 31) // 32)
    closed = threading.Event()
    questions = count(1)

    def waiting(_: Sequence[int]) -> bytes:
        if next(questions) == 30:  # the answer is under way until the engine is closed
            assert closed.wait(60)
        return anything

    expected = alone.generate(ids(20), params).text()
    generation = alone.generate(ids(20), params, constraint=waiting)
    before = next(generation)
    alone.close()
    alone.close()
    assert before.token_ids
    sentence = r"^\[engine\] this engine is closed; load the model again\.$"
    with pytest.raises(NotInitializedError, match=sentence):
        alone.generate(ids(3))
    with pytest.raises(NotInitializedError, match=sentence):
        alone.logits(ids(3))
    with pytest.raises(NotInitializedError, match=sentence):
        _ = alone.vocab_size
    del alone
    gc.collect()
    assert generation.stats.output_tokens < 30
    closed.set()
    assert before.text + generation.text() == expected
    assert generation.stats.output_tokens == 40
    with Engine.load(folder) as again:
        assert again.generate(ids(20), params).text() == expected
