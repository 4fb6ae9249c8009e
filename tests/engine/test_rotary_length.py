"""LongRoPE and dynamic NTK rotate by the length that a sequence has, never by one that it might
reach: an answer is what the published models' own code gives, whatever max_tokens says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_models import ids, make_model

from convergio_mlx import Engine, SamplingParams
from convergio_mlx.platform.native import native

sys.path.insert(0, str(Path(__file__).parents[1]))
import checkpoints
from arch import variants
from engine.test_prefix_cache import ask
from model import mlx_lm_oracle

ORIGINAL = 64
"""Positions of the first training."""
PAIRS = 8
LONGROPE: dict[str, Any] = {
    "rope_scaling": {
        "rope_type": "longrope",
        "short_factor": [1.0 + 0.1 * i for i in range(PAIRS)],
        "long_factor": [1.5 + i for i in range(PAIRS)],
        "original_max_position_embeddings": ORIGINAL,
    },
    "max_position_embeddings": 512,
}
DYNAMIC: dict[str, Any] = {
    "rope_scaling": {"rope_type": "dynamic", "factor": 4.0},
    "max_position_embeddings": ORIGINAL,
}
SCALINGS = pytest.mark.parametrize("scaling", [LONGROPE, DYNAMIC], ids=["longrope", "dynamic"])
NEAR = 0.01
"""Of log-probabilities, where keys and values are float16."""
Made = Callable[[dict[str, Any]], Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("rotary")

    def make(scaling: dict[str, Any]) -> Path:
        folder = root / str(scaling["rope_scaling"]["rope_type"])
        return folder if folder.exists() else make_model(folder, **scaling)

    return make


def answered(engine: Engine, prompt: list[int], count: int) -> tuple[list[int], list[float], Any]:
    """The answer's tokens, their log-probabilities, and the stats."""
    generation = engine.generate(
        prompt, SamplingParams(max_tokens=count, ignore_eos=True, logprobs=0, temperature=0)
    )
    logprobs = [one for chunk in generation for one in chunk.logprobs]
    return [one.token_id for one in logprobs], [one.logprob for one in logprobs], generation.stats


def log_softmax(row: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    shifted = row - row.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


@SCALINGS
@pytest.mark.parametrize("prompt", [20, ORIGINAL, ORIGINAL + 40])
def test_a_bound_that_is_not_reached_changes_nothing(
    scaling: dict[str, Any], prompt: int, made: Made
) -> None:
    with Engine.load(made(scaling), prefix_cache_bytes=0) as engine:
        first = answered(engine, ids(prompt), 1)
        for count in (43, 44, 45, 90):
            other = answered(engine, ids(prompt), count)
            assert (other[0][:1], other[1][:1]) == (first[0], first[1])


@SCALINGS
def test_a_short_conversation_has_the_short_table(scaling: dict[str, Any], made: Made) -> None:
    plain = {**scaling, "rope_scaling": {**scaling["rope_scaling"]}}
    if "long_factor" in plain["rope_scaling"]:
        plain["rope_scaling"]["long_factor"] = plain["rope_scaling"]["short_factor"]
    else:
        plain["rope_scaling"] = None
        plain["max_position_embeddings"] = 512
    folder = made(scaling)
    with (
        Engine.load(folder) as engine,
        Engine.load(make_model(folder.parent / f"{folder.name}-short", **plain)) as short,
    ):
        count = 200 if scaling is LONGROPE else 90
        assert answered(engine, ids(20), count)[1][:44] == answered(short, ids(20), 44)[1]


def test_each_token_of_a_longrope_model_is_that_of_one_pass(made: Made) -> None:
    """As in Phi-3's own code: at the first token past the original context the keys are computed
    anew with the long table."""
    prompt = ids(ORIGINAL - 6)
    with Engine.load(made(LONGROPE)) as engine:
        tokens, logprobs, _ = answered(engine, prompt, 14)
        for at, (token, logprob) in enumerate(zip(tokens, logprobs, strict=True)):
            whole = log_softmax(np.asarray(engine.logits([*prompt, *tokens[:at]]))[-1])
            assert logprob == pytest.approx(float(whole[token]), abs=NEAR), at


def test_a_dynamic_model_goes_on_as_mlx_lm_does(made: Made) -> None:
    """New keys take the table of their length, older ones stay as they are."""
    folder = made(DYNAMIC)
    prompt = ids(ORIGINAL - 10)
    with Engine.load(folder) as engine:
        assert answered(engine, prompt, 60)[0] == mlx_lm_oracle.greedy(folder, prompt, 60)


GENERATED: dict[str, tuple[str, dict[str, Any], str]] = {
    "longrope": (
        "phi3",
        {"rope_scaling": variants.LONGROPE, "original_max_position_embeddings": 32},
        "87 59 11 88 85 59 88 76 54 44 87 54 40 87 79 87 79 74 77 72 59 74 8 65 11 92 16 87 94 16 "
        "87 80 62 79 44 16 10 4 20 12",
    ),
    "dynamic": (
        "llama",
        {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}, "max_position_embeddings": 32},
        "51 13 52 28 13 52 51 42 13 93 77 13 52 51 13 52 28 13 52 51 13 52 28 14 93 13 52 28 13 40 "
        "51 13 52 28 13 40 51 13 52 2",
    ),
}
"""What transformers 5.23.0 generates after 20 tokens, greedily, in float32, with its cache."""


@pytest.mark.parametrize("name", GENERATED)
def test_answers_across_the_boundary_are_those_of_transformers(name: str, tmp_path: Path) -> None:
    row, changes, expected = GENERATED[name]
    config = {**variants.tiny(row), **changes}
    checkpoints.write(tmp_path, config)
    answer = ask(native().load(str(tmp_path).encode(), 0), checkpoints.tokens(config, 20), 40)
    assert answer.tokens == [int(token) for token in expected.split()]


@SCALINGS
def test_reuse_changes_no_answer_across_the_boundary(scaling: dict[str, Any], made: Made) -> None:
    folder = made(scaling)
    with Engine.load(folder) as engine, Engine.load(folder, prefix_cache_bytes=0) as fresh:
        prompt = ids(30)
        found = []
        for count in (20, 20, 30, 5, 5):
            tokens, logprobs, stats = answered(engine, prompt, count)
            expected = answered(fresh, prompt, count)
            assert tokens == expected[0]
            assert logprobs == pytest.approx(expected[1], abs=NEAR)
            found.append((len(prompt), stats.cached_tokens, stats.prefix_miss))
            prompt = [*prompt, *tokens, *ids(4, start=count)]
        assert found[:2] == [(30, 0, "empty"), (54, 49, "")]
        # the third prompt is longer than the original context, what is kept of the second is not
        # all made with its table
        assert found[2][:2] == ((78, 0) if scaling is DYNAMIC else (78, 73))
        assert found[3][1] == (0 if scaling is DYNAMIC else 107)


def test_what_is_kept_of_a_long_sequence_serves_short_prompts_where_its_table_is_theirs(
    made: Made,
) -> None:
    short, long = ids(30), ids(30) + ids(60, start=3)
    for scaling in (LONGROPE, DYNAMIC):
        with Engine.load(made(scaling)) as engine:
            answered(engine, long, 3)
            assert answered(engine, short, 3)[2].prefix_miss == "other rotary table"
            tokens = answered(engine, short, 50)[0]  # grows beyond the original context
            stats = answered(engine, [*short, *tokens[:20], *ids(5, start=9)], 3)[2]
            if scaling is DYNAMIC:  # its first 64 keys have the short table still
                assert (stats.cached_tokens, stats.prefix_miss) == (50, "diverged")
            else:
                assert stats.prefix_miss == "other rotary table"


@pytest.mark.parametrize("row", variants.rows())
def test_no_model_type_s_answer_depends_on_its_bound(row: str, tmp_path: Path) -> None:
    """Windows too: where a prompt is cut into passes may depend on what the answer could reach."""
    checkpoints.write(tmp_path, variants.tiny(row))
    tokens = checkpoints.tokens(variants.tiny(row), 40)
    load = native().load
    answers = [ask(load(str(tmp_path).encode(), 1 << 30), tokens, n).tokens for n in (3, 17, 200)]
    assert answers[0] == answers[1][:3] == answers[2][:3]
    assert answers[1] == answers[2][:17]
