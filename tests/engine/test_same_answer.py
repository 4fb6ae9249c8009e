"""A token's logits do not depend on how many tokens a pass has, where a prompt was cut, or what of
it was reused: to the bit, on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_models import ids, make_model

import checkpoints
from arch.variants import VARIANTS, Variant
from convergio_mlx import Engine, SamplingParams
from convergio_mlx.platform.native import native
from everyday import one_in

every_family = pytest.mark.parametrize(
    "variant",
    one_in(5, VARIANTS, always=lambda one: one.name == one.row),
    ids=lambda one: one.name,
)
"""Each row of the table every day, and a share of what else its config.json may say."""


def bits(logits: Any) -> Any:
    return np.asarray(logits).view(np.uint32)


@every_family
def test_the_logits_of_every_family_do_not_depend_on_the_chunk(
    variant: Variant, tmp_path: Path
) -> None:
    checkpoints.write(tmp_path, variant.config, "F32")
    model = native().load(str(tmp_path).encode(), 0)
    tokens = checkpoints.tokens(variant.config, 40)
    single = bits(model.logits(tokens, 1))
    for chunk in (2, 3, 7, 9, 16, 40):
        assert np.array_equal(bits(model.logits(tokens, chunk)), single), chunk


@every_family
def test_the_logits_of_every_family_do_not_depend_on_the_company(
    variant: Variant, tmp_path: Path
) -> None:
    """Sequences that share passes: some decode, others prefill, and they end at other times."""
    checkpoints.write(tmp_path, variant.config, "F32")
    model = native().load(str(tmp_path).encode(), 0)
    tokens = checkpoints.tokens(variant.config, 40)
    sequences = [tokens, tokens[7:31], tokens[3:4], tokens[20:], tokens[::-1]]
    chunks = [1, 3, 1, 9, 1]
    together = model.logits_together(sequences, chunks)
    for found, sequence in zip(together, sequences, strict=True):
        assert np.array_equal(bits(found), bits(model.logits(sequence, 1)))


@pytest.mark.parametrize("window", [5, 64])
def test_the_logits_of_a_window_do_not_depend_on_the_company(window: int, tmp_path: Path) -> None:
    kinds = ["sliding_attention", "full_attention"]
    sliding = {"layer_types": kinds, "sliding_window": window}
    model = native().load(str(make_model(tmp_path / "model", **sliding)).encode(), 0)
    sequences = [ids(330), ids(10, start=4), ids(200, start=9)]
    together = model.logits_together(sequences, [31, 1, 2])
    for found, sequence in zip(together, sequences, strict=True):
        assert np.array_equal(bits(found), bits(model.logits(sequence, 1)))


def test_the_logits_of_a_quantized_model_do_not_depend_on_the_company() -> None:
    with Engine.load("convergio-guide") as engine:
        tokens = [3 + n * 7 % (engine.vocab_size - 3) for n in range(90)]
        sequences = [tokens[at : at + 20 + at] for at in range(0, 40, 2)]
        together = engine._model.logits_together(sequences, [1 + n % 3 for n in range(20)])
        for found, sequence in zip(together, sequences, strict=True):
            assert np.array_equal(bits(found), bits(engine.logits(sequence, chunk=1)))


@pytest.mark.parametrize("window", [None, 5, 64, 100])
def test_the_logits_of_a_window_do_not_depend_on_the_chunk(
    window: int | None, tmp_path: Path
) -> None:
    kinds = ["sliding_attention", "full_attention"]
    sliding = {"layer_types": kinds, "sliding_window": window} if window else {}
    model = native().load(str(make_model(tmp_path / "model", **sliding)).encode(), 0)
    tokens = ids(330)
    single = bits(model.logits(tokens, 1))
    for chunk in (2, 8, 9, 63, 330):
        assert np.array_equal(bits(model.logits(tokens, chunk)), single), chunk


def test_the_logits_of_a_quantized_model_do_not_depend_on_the_chunk() -> None:
    with Engine.load("convergio-guide") as engine:
        tokens = [3 + n * 7 % (engine.vocab_size - 3) for n in range(90)]
        single = bits(engine.logits(tokens, chunk=1))
        for chunk in (2, 3, 4, 7, 8, 9, 16, 64, 512):
            assert np.array_equal(bits(engine.logits(tokens, chunk=chunk)), single), chunk


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0, 1.2])
def test_a_conversation_has_the_same_numbers_with_and_without_reuse(temperature: float) -> None:
    params = SamplingParams(temperature=temperature, seed=5, max_tokens=24, logprobs=2)
    with (
        Engine.load("convergio-guide") as reusing,
        Engine.load("convergio-guide", prefix_cache_bytes=0) as fresh,
    ):
        messages = [{"role": "user", "content": "Which model is the smallest?"}]
        for question in ("And the largest?", "How do I download it?", "Thanks!"):
            answers = [list(engine.generate(messages, params)) for engine in (reusing, fresh)]
            found, wanted = ([one for chunk in each for one in chunk.logprobs] for each in answers)
            assert found == wanted
            text = "".join(chunk.text for chunk in answers[0])
            messages += [{"role": "assistant", "content": text}]
            messages += [{"role": "user", "content": question}]
