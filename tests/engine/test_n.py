"""Several answers to one prompt, and prompts that begin alike: what is shared is computed once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_models import VOCABULARY, ids, write_model

from arch.variants import tiny
from convergio_mlx import Engine, Generation, SamplingParams
from convergio_mlx.errors import ContextLengthError, InvalidRequestError

PARAMS = SamplingParams(max_tokens=20, ignore_eos=True, temperature=1.0, seed=7, logprobs=1)


@pytest.fixture(params=["llama", "gemma2", "gemma3_text", "deepseek_v3", "lfm2", "qwen3_5"])
def family(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    described = {**tiny(request.param), "vocab_size": VOCABULARY, "eos_token_id": 1}
    with Engine.load(write_model(tmp_path / request.param, described)) as loaded:
        yield loaded


def told(generation: Generation) -> tuple[Any, ...]:
    chunks = list(generation)
    return (
        "".join(chunk.text for chunk in chunks),
        [one for chunk in chunks for one in chunk.logprobs],
    )


def cached(answers: list[Any]) -> list[int]:
    return sorted(one.stats.cached_tokens for one in answers)


def test_answers_are_those_of_seeds_that_follow_and_the_prompt_is_prefilled_once(
    family: Engine,
) -> None:
    prompt = ids(90, start=3)
    answers = family.generate_n(prompt, 4, PARAMS)
    found = [told(one) for one in answers]
    assert cached(answers) == [0, 89, 89, 89]
    assert len({text for text, _ in found}) == 4
    with Engine.load(family.folder, prefix_cache_bytes=0) as fresh:
        for seed, one in enumerate(found, start=7):
            assert told(fresh.generate(prompt, PARAMS, seed=seed)) == one


def test_long_prompts_too(slow_folder: Path) -> None:
    with Engine.load(slow_folder) as engine:
        answers = engine.generate_n(ids(700), 3, max_tokens=2, ignore_eos=True)
        assert len({one.text() for one in answers}) == 1
        assert cached(answers) == [0, 699, 699]


def test_for_asyncio(engine: Engine) -> None:
    prompt = ids(200, start=11)

    async def ask() -> tuple[list[str], list[int]]:
        answers = engine.agenerate_n(prompt, 3, PARAMS, seed=(1 << 64) - 1)
        texts = await asyncio.gather(*(one.text() for one in answers))
        return list(texts), cached(answers)

    texts, shared = asyncio.run(ask())
    seeds = [(1 << 64) - 1, 0, 1]
    assert texts == [engine.generate(prompt, PARAMS, seed=seed).text() for seed in seeds]
    assert shared[0] < 100  # of other prompts
    assert shared[1:] == [199, 199]


def test_without_a_seed_one_is_drawn(engine: Engine) -> None:
    texts = {
        one.text()
        for _ in range(2)
        for one in engine.generate_n(ids(9), 2, max_tokens=12, temperature=1.0, ignore_eos=True)
    }
    assert len(texts) == 4


def test_requests_that_begin_alike_compute_it_once(slow_folder: Path) -> None:
    system = ids(400, start=2)
    prompts = [[*system, *ids(20, start=n)] for n in range(5)]
    with Engine.load(slow_folder, prefix_cache_bytes=0) as engine:
        alone = [engine.generate(one, PARAMS).text() for one in prompts]
    with Engine.load(slow_folder) as engine:
        answers = [engine.generate(one, PARAMS) for one in prompts]
        assert [one.text() for one in answers] == alone
        assert cached(answers)[0] == 0
        assert min(cached(answers)[1:]) >= 400


def test_who_waits_goes_on_when_the_first_is_cancelled(slow_folder: Path) -> None:
    with Engine.load(slow_folder) as engine:
        first, second = engine.generate_n(ids(3000), 2, max_tokens=2, ignore_eos=True)
        first.cancel()
        assert list(second)[-1].finish_reason == "length"
        first.text()


def test_bad_calls(engine: Engine) -> None:
    for wrong in (0, -1, 1.5, True, "2", None):
        with pytest.raises(InvalidRequestError, match=r"\[engine\] n is "):
            engine.generate_n(ids(3), wrong)  # type: ignore[arg-type]
    for ask in (engine.generate_n, engine.agenerate_n):
        with pytest.raises(
            InvalidRequestError, match=r"^\[engine\] n is 1025, .* at most 1024; ask"
        ):
            ask(ids(3), 1025)
    with pytest.raises(ContextLengthError):
        engine.generate_n(ids(3), 2, max_tokens=5000)
    with pytest.raises(InvalidRequestError):
        engine.generate_n(ids(3), 2, seed="x")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        engine.generate_n(ids(3), 2, constraint=None)  # type: ignore[call-arg]
