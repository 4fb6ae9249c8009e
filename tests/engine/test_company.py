"""Requests that share the passes over the weights: each is answered as it is alone, to the bit of
its log-probabilities, whatever the others are and however they end."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from request_cases import FAMILIES, answered, case, compare, even
from small_models import VOCABULARY, config, ids, write_model

from arch.variants import tiny
from convergio_mlx import Engine, Generation, SamplingParams
from convergio_mlx.errors import (
    ConstraintError,
    DeadlineExceededError,
    InvalidRequestError,
    ModelCorruptError,
)
from exhaustive import either


@pytest.fixture(scope="module", params=FAMILIES)
def family(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("company") / request.param
    described = {**tiny(request.param), "vocab_size": VOCABULARY, "eos_token_id": 1}
    with Engine.load(write_model(folder, described)) as loaded:
        yield loaded


def compare_random(engine: Engine, count: int, threads: int, seed: int) -> None:
    cases = [case(engine, number) for number in range(count)]
    compare(engine, cases, [answered(engine, one) for one in cases], threads, seed)


@pytest.mark.parametrize("threads", [3, 24])
def test_random_requests_are_answered_as_alone(engine: Engine, threads: int) -> None:
    compare_random(engine, 80, threads, threads)


@pytest.mark.parametrize("count", [15, pytest.param(40, marks=pytest.mark.slow)])
def test_random_requests_of_every_kind_of_model_are_answered_as_alone(
    family: Engine, count: int
) -> None:
    compare_random(family, count, 12, 1)


@pytest.mark.slow
def test_random_requests_of_the_embedded_model_are_answered_as_alone() -> None:
    with Engine.load("convergio-guide") as guide:
        for threads in (5, 16, 40):
            compare_random(guide, either(120, 500), threads, threads)


@pytest.mark.parametrize("count", [10, pytest.param(24, marks=pytest.mark.slow)])
def test_a_model_whose_logits_are_computed_beside_the_masks(slow: Engine, count: int) -> None:
    """Its passes are graphs where a constraint is among the requests."""
    compare_random(slow, count, 8, 2)


def long_answers(engine: Engine, count: int, tokens: int) -> list[Generation]:
    """Requests that all decode: the first token of each is there."""
    params = SamplingParams(temperature=1.0, seed=3, max_tokens=tokens, ignore_eos=True)
    answers = [engine.generate(ids(8, start=n), params) for n in range(count)]
    for answer in answers:
        next(iter(answer))
    return answers


def broken(_: list[int]) -> Any:
    raise ValueError("broken")


@pytest.mark.parametrize("wrong", [broken, lambda _: [], lambda _: [1 << 20], lambda _: b"\0" * 80])
@pytest.mark.parametrize("after", [0, 3])
def test_a_constraint_that_fails_ends_its_own_request_alone(
    engine: Engine, wrong: Any, after: int
) -> None:
    params = SamplingParams(temperature=1.0, seed=9, max_tokens=60, ignore_eos=True, logprobs=2)
    prompts = [ids(20, start=n) for n in range(5)]

    def logprobs(prompt: list[int]) -> list[Any]:
        return [one for chunk in engine.generate(prompt, params) for one in chunk.logprobs]

    def fails() -> None:
        asked = iter(range(after))
        mask = even(engine.vocab_size)
        with pytest.raises(ConstraintError):
            engine.generate(
                ids(9), params, constraint=lambda told: mask if 1 + next(asked, -1) else wrong(told)
            ).text()

    alone = [logprobs(prompt) for prompt in prompts]
    with ThreadPoolExecutor(8) as pool:
        failing = [pool.submit(fails) for _ in range(3)]
        assert list(pool.map(logprobs, prompts)) == alone
        for one in failing:
            one.result()


def test_a_constraint_that_takes_its_time_holds_up_its_own_request_alone(engine: Engine) -> None:
    go = threading.Event()

    def waits(_: list[int]) -> Any:
        go.wait(60)
        return even(engine.vocab_size)

    params = SamplingParams(max_tokens=30, ignore_eos=True)
    held = engine.generate(ids(5), params, constraint=waits)
    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(lambda n: engine.generate(ids(9, n), params).text(), range(8)))
    assert len(texts) == 8  # all have ended while it waits
    go.set()
    held.text()
    assert held.stats.output_tokens == 30


def test_a_deadline_ends_its_own_request_alone(slow: Engine) -> None:
    params = SamplingParams(temperature=1.0, seed=9, max_tokens=40, ignore_eos=True)

    def text(number: int) -> str:
        return slow.generate(ids(20, start=number), params).text()

    def late() -> None:
        with pytest.raises(DeadlineExceededError):
            slow.generate(ids(30), max_tokens=4000, ignore_eos=True, timeout=0.05).text()

    alone = [text(number) for number in range(4)]
    with ThreadPoolExecutor(8) as pool:
        ended = [pool.submit(late) for _ in range(4)]
        assert list(pool.map(text, range(4))) == alone
        for one in ended:
            one.result()


def test_those_who_decode_go_on_while_a_long_prompt_is_run(slow: Engine) -> None:
    """It is run in parts of 16 tokens at most, a pass of all who decode with each."""
    answers = long_answers(slow, 3, 400)
    newcomer = slow.generate(ids(1600), max_tokens=1, ignore_eos=True)
    newcomer.text()
    for answer in answers:
        answer.cancel()
        answer.text()
        assert answer.stats.output_tokens > 1600 / 16


@pytest.mark.parametrize(("pause", "fewest"), [(1e-9, 100), (None, 20)])
def test_a_bound_of_the_pause_makes_slices_smaller(
    slow: Engine, pause: float | None, fewest: int
) -> None:
    """Slices of 16 rows are 25; that they become one row is tests/native/engine/test_pace.cpp's,
    since here the first are as noisy as the machine."""
    wanted = slow.generate(ids(400), max_tokens=3, ignore_eos=True).text()
    slow.prefill_pause = pause
    try:
        assert slow.prefill_pause == pause
        answers = long_answers(slow, 2, 600)
        newcomer = slow.generate(ids(400), max_tokens=3, ignore_eos=True)
        assert newcomer.text() == wanted
        for answer in answers:
            answer.cancel()
            answer.text()
            assert answer.stats.output_tokens > fewest
    finally:
        slow.prefill_pause = None


@pytest.mark.parametrize("wrong", [0, -1, "1", True, float("nan")])
def test_bounds_of_the_pause_that_are_none(engine: Engine, wrong: Any) -> None:
    with pytest.raises(InvalidRequestError, match="prefill_pause is "):
        engine.prefill_pause = wrong
    assert engine.prefill_pause is None


def test_more_than_share_a_pass_all_come_to_their_end(engine: Engine) -> None:
    params = SamplingParams(max_tokens=50, ignore_eos=True)
    answers = [engine.generate(ids(12, start=n), params) for n in range(45)]
    wanted = [engine.generate(ids(12, start=n), params).text() for n in range(45)]
    assert [answer.text() for answer in answers] == wanted


def test_the_lowest_priority_comes_to_its_end_while_others_go_on(slow: Engine) -> None:
    params = SamplingParams(max_tokens=20_000, ignore_eos=True)
    others = [
        slow.generate(ids(5, start=n), params, priority="interactive" if n % 2 else "normal")
        for n in range(20)
    ]
    wanted = slow.generate(ids(60), max_tokens=12, ignore_eos=True, priority="interactive").text()
    found = slow.generate(ids(60), max_tokens=12, ignore_eos=True, priority="background").text()
    assert found == wanted
    for one in others:
        one.cancel()
    assert {list(one)[-1].finish_reason for one in others} == {"cancelled"}


@pytest.mark.parametrize("wrong", ["high", 1, None, []])
def test_priorities_that_there_are_not(engine: Engine, wrong: Any) -> None:
    for call in (engine.generate, engine.stream):
        with pytest.raises(InvalidRequestError, match=r"\[request\] priority is "):
            call([{"role": "user", "content": "Hi"}], priority=wrong)


def test_a_shared_pass_that_fails_is_done_again_by_each_alone(tmp_path: Path) -> None:
    """A file of the weights that was cut off fails every pass, and every request says so."""
    folder = write_model(tmp_path / "cut", config(hidden_size=256))
    with Engine.load(folder) as loaded:
        answers = long_answers(loaded, 4, 400)
        file = next(folder.glob("*.safetensors"))
        os.truncate(file, file.stat().st_size // 2)
        for one in answers:
            with pytest.raises(ModelCorruptError):
                one.text()
