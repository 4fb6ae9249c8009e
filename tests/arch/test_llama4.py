"""Llama 4's text models: as they are published, and what their config.json may not say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import checkpoints
import convergio_mlx as cm
from arch.variants import tiny
from convergio_mlx.errors import LoadError, ModelCorruptError, UnsupportedModelError
from convergio_mlx.platform.native import native
from convergio_mlx.sizing.footprint import footprint, prefill_chunk

ROW = "llama4_text"
AGAIN = "; download the model again or correct the file."
SCOUT = {
    "model_type": "llama4",
    "text_config": {
        "model_type": ROW,
        "attention_chunk_size": 8192,
        "head_dim": 128,
        "hidden_size": 5120,
        "interleave_moe_layer_step": 1,
        "intermediate_size": 8192,
        "intermediate_size_mlp": 16384,
        "max_position_embeddings": 10485760,
        "num_attention_heads": 40,
        "num_experts_per_tok": 1,
        "num_hidden_layers": 48,
        "num_key_value_heads": 8,
        "num_local_experts": 16,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {
            "factor": 16.0,
            "high_freq_factor": 1.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192,
            "rope_type": "llama3",
        },
        "rope_theta": 500000.0,
        "use_qk_norm": True,
        "vocab_size": 202048,
    },
}


def geometry(config: dict[str, Any]) -> Any:
    return native().geometry(json.dumps(config).encode())


def test_scout_as_it_is_published() -> None:
    sizes = geometry(SCOUT)
    assert sizes.model_type == ROW
    assert sizes.windows == [8192, 8192, 8192, 0] * 12
    assert sizes.rotary_of_layers == [0, 0, 0, -1] * 12
    assert (sizes.experts, sizes.experts_per_token, sizes.sparse_layers) == (16, 1, 48)
    assert sizes.expert_width == sizes.shared_expert_width == 8192
    # 109 billion parameters, of which a token reads 17
    known = footprint(SCOUT, 109_000_000_000)
    assert known.active_weights == pytest.approx(17.2e9, rel=0.02)
    waves = [2 * np.pi * 5e5 ** (i / 128) for i in range(0, 128, 2)]
    found = [2 * np.pi * period for period in sizes.rotary(0, 1)[0]]
    expected = [16 * wave if wave > 8192 else wave for wave in waves]  # a step, without a ramp
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_every_second_layer_of_maverick_is_sparse() -> None:
    text = {**SCOUT["text_config"], "interleave_moe_layer_step": 2, "num_local_experts": 128}  # type: ignore[dict-item]
    sizes = geometry({"model_type": "llama4", "text_config": text})
    assert (sizes.experts, sizes.sparse_layers) == (128, 24)
    assert {width for _, _, width in sizes.widths_of_layers} == {16384}


def test_layers_that_are_listed_outrank_steps() -> None:
    assert geometry({**tiny(ROW), "moe_layers": [0, 3, 9, -1]}).sparse_layers == 2
    none = {"moe_layers": [], "num_local_experts": 0, "interleave_moe_layer_step": 0}
    dense = geometry({**tiny(ROW), **none})
    assert (dense.experts, dense.sparse_layers) == (0, 0)


def test_a_cache_of_chunks_is_bounded(tmp_path: Path) -> None:
    known = footprint(tiny(ROW), 1000)
    row = 2 * 2 * 32
    rows = prefill_chunk(known.geometry.experts) - 1 + 8
    wanted = (3 * row * min(200, rows) + row * 200) * known.kv_bytes
    assert known.need(200).kv_cache == wanted
    with cm.Engine.load(checkpoints.write(tmp_path, tiny(ROW))) as engine:
        assert engine.kv_bytes_per_token == row * known.kv_bytes


FAULTS: list[tuple[dict[str, Any], type[LoadError], str]] = [
    (
        {"attention_chunk_size": -3},
        ModelCorruptError,
        "'attention_chunk_size' is the integer -3, which must be at least 1",
    ),
    (
        {"layer_types": ["sliding_attention"] * 4},
        UnsupportedModelError,
        "'layer_types' has the string \"sliding_attention\"; supported: full_attention, "
        "chunked_attention.",
    ),
    ({"floor_scale": 0}, ModelCorruptError, "'floor_scale' is the integer 0, which must be at"),
    ({"attn_scale": -1}, ModelCorruptError, "'attn_scale' is the integer -1, which must be from"),
    (
        {"interleave_moe_layer_step": 0},
        ModelCorruptError,
        "'interleave_moe_layer_step' is the integer 0, which must be from 1 to 16384",
    ),
    ({"moe_layers": 3}, ModelCorruptError, "'moe_layers' must be an array but is the integer 3"),
    ({"use_qk_norm": 3}, ModelCorruptError, "'use_qk_norm' must be a boolean but is the"),
    ({"attn_temperature_tuning": "x"}, ModelCorruptError, "'attn_temperature_tuning' must be a"),
    ({"no_rope_layers": [1]}, ModelCorruptError, "'no_rope_layers' lists 1 layers"),
    (
        {"intermediate_size_mlp": 0},
        ModelCorruptError,
        "'intermediate_size_mlp' is the integer 0, which must be from 1 to 4194304",
    ),
]


@pytest.mark.parametrize(("changes", "error", "sentence"), FAULTS, ids=range(len(FAULTS)))
def test_faults(changes: dict[str, Any], error: type[LoadError], sentence: str) -> None:
    with pytest.raises(error) as caught:
        geometry({**tiny(ROW), **changes})
    assert sentence in str(caught.value)


@pytest.mark.parametrize("value", [None, 0, -1])
def test_without_a_chunk_size_every_layer_sees_all(value: int | None) -> None:
    assert geometry({**tiny(ROW), "attention_chunk_size": value}).windows == [0] * 4


@pytest.mark.parametrize("value", [False, 0])
def test_temperature_is_switched_off_by_either(value: object, tmp_path: Path) -> None:
    tokens = checkpoints.tokens(tiny(ROW), 20)
    logits = []
    for number, changes in enumerate(({"attn_temperature_tuning": value}, {"attn_scale": 0})):
        folder = checkpoints.write(tmp_path / str(number), {**tiny(ROW), **changes})
        with cm.Engine.load(folder) as engine:
            logits.append(np.asarray(engine.logits(tokens)))
    np.testing.assert_array_equal(*logits)
