"""Models whose layers have states: what is reused of a conversation, what they take, and that an
answer does not depend on either."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_models import VOCABULARY, ids, write_model

from arch.variants import tiny
from convergio_mlx import Engine, SamplingParams

PARAMS = SamplingParams(max_tokens=12, ignore_eos=True, temperature=1.0, seed=4, logprobs=1)
ROWS = ("lfm2", "qwen3_5", "kimi_linear", "granitemoehybrid", "nemotron_h")
ROWS = (*ROWS, "mamba2", "falcon_h1", "olmo_hybrid")


def described(row: str) -> dict[str, object]:
    length = {"max_position_embeddings": 1024, "model_max_length": 1024}
    return {**tiny(row), **length, "vocab_size": VOCABULARY, "eos_token_id": 1}


@pytest.fixture(scope="module", params=ROWS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("states") / request.param, described(request.param))


@pytest.fixture
def engine(folder: Path) -> Iterator[Engine]:
    with Engine.load(folder) as loaded:
        yield loaded


def answered(engine: Engine, prompt: list[int]) -> tuple[list[int], list[object], int]:
    generation = engine.generate(prompt, PARAMS)
    chunks = list(generation)
    tokens = [token for chunk in chunks for token in chunk.token_ids]
    return tokens, [one for c in chunks for one in c.logprobs], generation.stats.cached_tokens


def test_a_conversation_that_goes_on_is_not_read_again(engine: Engine, folder: Path) -> None:
    prompt = ids(70)
    with Engine.load(folder, prefix_cache_bytes=0) as fresh:
        for turn in range(3):
            tokens, logprobs, cached = answered(engine, prompt)
            assert (tokens, logprobs) == answered(fresh, prompt)[:2]
            assert (cached > 0) == (turn > 0)
            prompt = [*prompt, *tokens, *ids(9, start=turn)]


def test_another_end_of_a_prompt_is_no_part_of_its_state(engine: Engine, folder: Path) -> None:
    first = ids(64)
    answered(engine, first)
    other = [*first[:40], *ids(30, start=7)]
    with Engine.load(folder, prefix_cache_bytes=0) as fresh:
        for prompt in (other, first, [*first, 3], first[:63]):
            assert answered(engine, prompt)[:2] == answered(fresh, prompt)[:2]


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 257])
def test_an_answer_at_any_length(length: int, engine: Engine, folder: Path) -> None:
    with Engine.load(folder, prefix_cache_bytes=0) as fresh:
        prompt = ids(length)
        first = answered(fresh, prompt)
        assert answered(engine, prompt) == first
        assert answered(engine, prompt)[:2] == first[:2]


def test_cancelled_and_asked_again_is_as_asked_once(engine: Engine, folder: Path) -> None:
    prompt = ids(300)
    with Engine.load(folder, prefix_cache_bytes=0) as fresh:
        expected = answered(fresh, prompt)[:2]
    for taken in (0, 1, 5):
        generation = engine.generate(prompt, PARAMS)
        for _ in range(taken):
            next(generation, None)
        generation.cancel()
        list(generation)
        assert answered(engine, prompt)[:2] == expected


def test_nothing_is_drafted(engine: Engine) -> None:
    generation = engine.generate([5, 6, 7, 8] * 20, max_tokens=40, ignore_eos=True)
    generation.text()
    assert generation.stats.drafted_tokens == 0


def test_what_a_sequence_takes(engine: Engine) -> None:
    kept = []
    for length in (20, 200):
        generation = engine.generate(ids(length), max_tokens=1, ignore_eos=True)
        generation.text()
        kept.append(generation.stats.kv_bytes)
    if engine.kv_bytes_per_token == 0:
        assert [engine.state_bytes] * 2 == kept
    else:
        most = kept[0] + 400 * engine.kv_bytes_per_token
        assert 0 < engine.state_bytes < kept[0] < kept[1] < most
