"""Logits of every row of the table, and of what its config.json may say, against mlx-lm on the same
weights and against logits that transformers computed (tests/golden/, made by
tools/transformers_goldens.py), in one forward and through the KV cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import checkpoints
from arch.variants import LENGTH, NOT_MLX_LM, NOT_TRANSFORMERS, VARIANTS, Variant
from golden.logits import GOLDEN_ROWS, golden
from model import mlx_lm_oracle
from model.exact_process import engine_logits

TOLERANCE = 1e-4
"""Absolute, on logits of order 1. What is seen is about 5e-6: both add float32 numbers in another
order."""
CHUNKS = (512, 1, 7)
Folders = Callable[[Variant], Path]


def tokens_of(variant: Variant) -> tuple[int, ...]:
    return tuple(checkpoints.tokens(variant.config, LENGTH))


def by_name(variants: list[Variant]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("variant", variants, ids=[v.name for v in variants])


@pytest.mark.slow
@by_name([v for v in VARIANTS if not v.not_mlx_lm])
def test_logits_equal_mlx_lm(variant: Variant, folder_of: Folders) -> None:
    folder, tokens = folder_of(variant), tokens_of(variant)
    expected = mlx_lm_oracle.logits(folder, list(tokens))
    assert 0.3 < np.std(expected) < 3
    for chunk, ours in zip(CHUNKS, engine_logits(folder, tokens, CHUNKS), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=0, atol=TOLERANCE, err_msg=f"{chunk=}")


@by_name([v for v in VARIANTS if not v.not_transformers])
def test_logits_equal_transformers(variant: Variant, folder_of: Folders) -> None:
    expected = golden(variant)
    found = engine_logits(folder_of(variant), tokens_of(variant), CHUNKS)
    for chunk, ours in zip(CHUNKS, found, strict=True):
        np.testing.assert_allclose(
            ours[-GOLDEN_ROWS:], expected, rtol=0, atol=TOLERANCE, err_msg=f"{chunk=}"
        )


@by_name(VARIANTS)
def test_cached_equals_uncached_and_chunked_equals_whole(
    variant: Variant, folder_of: Folders
) -> None:
    whole, *others = engine_logits(folder_of(variant), tokens_of(variant), CHUNKS)
    for chunk, ours in zip(CHUNKS[1:], others, strict=True):
        np.testing.assert_allclose(ours, whole, rtol=0, atol=2e-5, err_msg=f"{chunk=}")


@by_name([v for v in VARIANTS if v.changes])
def test_what_a_config_says_shows(variant: Variant, folder_of: Folders) -> None:
    """A comparison proves something if ignoring the change would fail it."""
    row = Variant(variant.row, variant.row)
    plain = engine_logits(folder_of(row), tokens_of(variant), CHUNKS)[0]
    apart = np.abs(engine_logits(folder_of(variant), tokens_of(variant), CHUNKS)[0] - plain).max()
    assert apart < TOLERANCE if variant.as_row else apart > 100 * TOLERANCE


def test_every_row_has_a_reference() -> None:
    """At least one of mlx-lm and transformers computes what a variant says."""
    alone = [v.name for v in VARIANTS if v.not_mlx_lm and v.not_transformers]
    assert not alone
    every = {v.row for v in VARIANTS}
    assert {v.row for v in VARIANTS if not v.not_mlx_lm} == every - set(NOT_MLX_LM)
    assert {v.row for v in VARIANTS if not v.not_transformers} == every - set(NOT_TRANSFORMERS)
