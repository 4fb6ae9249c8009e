"""Layers of other sizes than their neighbours, keys and values that layers share, and what each
layer gets of a token: read as published, refused where they make no sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import checkpoints
import convergio_mlx as cm
from arch.variants import tiny
from convergio_mlx.errors import ModelCorruptError, UnsupportedModelError
from convergio_mlx.platform.native import native
from convergio_mlx.sizing.footprint import folder_footprint, prefill_chunk

ROW = "gemma4_text"
AGAIN = "; download the model again or correct the file."
PATTERN = ["sliding_attention"] * 5 + ["full_attention"]
DENSE_31B = {
    "model_type": "gemma4",
    "text_config": {
        "model_type": "gemma4_text",
        "hidden_size": 5376,
        "intermediate_size": 21504,
        "num_hidden_layers": 60,
        "num_attention_heads": 32,
        "num_key_value_heads": 16,
        "num_global_key_value_heads": 4,
        "head_dim": 256,
        "global_head_dim": 512,
        "attention_k_eq_v": True,
        "hidden_size_per_layer_input": 0,
        "num_kv_shared_layers": 0,
        "layer_types": PATTERN * 10,
        "sliding_window": 1024,
        "rope_parameters": tiny(ROW)["rope_parameters"],
    },
}


EXPERTS_26B = {
    "model_type": "gemma4",
    "text_config": {
        **DENSE_31B["text_config"],
        "hidden_size": 2816,
        "intermediate_size": 2112,
        "num_hidden_layers": 30,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "num_global_key_value_heads": 2,
        "layer_types": PATTERN * 5,
        "enable_moe_block": True,
        "num_experts": 128,
        "top_k_experts": 8,
        "moe_intermediate_size": 704,
    },
}


def geometry(config: dict[str, Any]) -> Any:
    return native().geometry(json.dumps(config).encode())


def test_gemma_4_31b_as_it_is_published() -> None:
    sizes = geometry(DENSE_31B)
    assert sizes.windows == ([1024] * 5 + [0]) * 10
    assert sizes.kv_numbers_of_layers == ([2 * 16 * 256] * 5 + [2 * 4 * 512]) * 10
    assert sizes.widths_of_layers[5] == (32 * 512, 4 * 512, 21504)
    assert sizes.attention_scale == 1.0
    full, sliding = sizes.rotary(0, 1)[0], sizes.rotary(1, 1)[0]
    assert (len(full), len(sliding)) == (256, 128)
    assert full[1] == pytest.approx(1e6 ** (2 / 512))
    assert full[64:] == [float("inf")] * 192  # a quarter of a head rotates
    assert sliding[1] == pytest.approx(1e4 ** (2 / 256))


def test_gemma_4_26b_a4b_as_it_is_published() -> None:
    sizes = geometry(EXPERTS_26B)
    assert (sizes.experts, sizes.experts_per_token, sizes.expert_width) == (128, 8, 704)
    assert (sizes.sparse_layers, sizes.shared_expert_width) == (30, 2112)
    assert geometry(DENSE_31B).experts == 0


def test_the_last_layers_share_and_are_twice_as_wide() -> None:
    sizes = geometry(tiny(ROW))
    assert sizes.kv_numbers_of_layers == [64, 128, 64, 0, 0, 0]
    assert [width[2] for width in sizes.widths_of_layers] == [96] * 3 + [192] * 3
    assert sizes.per_layer_size == 8


FAULTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    (
        {"global_head_dim": 31},
        ModelCorruptError,
        f"[config] config.json: 'global_head_dim' is 31, which must be even{AGAIN}",
    ),
    (
        {"attention_k_eq_v": True, "num_global_key_value_heads": 3},
        ModelCorruptError,
        "[config] config.json: 'num_attention_heads' is 4, which must be a multiple of "
        f"'num_global_key_value_heads', 3{AGAIN}",
    ),
    (
        {"num_kv_shared_layers": 6},
        ModelCorruptError,
        "[config] config.json: 'num_kv_shared_layers' is the integer 6, which must be from 0 to 5"
        f"{AGAIN}",
    ),
    (
        {"num_kv_shared_layers": 5},
        ModelCorruptError,
        "[config] config.json: 'num_kv_shared_layers' is 5 and layer 1 has no earlier layer of its "
        f"kind to share with{AGAIN}",
    ),
    (
        {"hidden_size_per_layer_input": -1},
        ModelCorruptError,
        "[config] config.json: 'hidden_size_per_layer_input' is the integer -1, which must be from "
        f"0 to 4096{AGAIN}",
    ),
    (
        {"enable_moe_block": True},
        ModelCorruptError,
        f"[config] config.json: 'num_experts' is missing{AGAIN}",
    ),
]


@pytest.mark.parametrize(("changes", "error", "sentence"), FAULTS, ids=range(len(FAULTS)))
def test_faults(changes: dict[str, Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as caught:
        geometry({**tiny(ROW), **changes})
    assert str(caught.value) == sentence


def test_faults_of_other_switches(tmp_path: Path) -> None:
    with pytest.raises(ModelCorruptError, match="'layer_rope_theta' lists 1 layers"):
        geometry({**tiny("muse_glimmer"), "layer_rope_theta": [0]})
    with pytest.raises(UnsupportedModelError, match=r"'layer_rope_theta\[1\]' is the integer 7;"):
        geometry({**tiny("muse_glimmer"), "layer_rope_theta": [0, 7, 0, 0]})
    parameters = {**tiny("ministral3")["rope_parameters"], "llama_4_scaling_beta": -1}
    with pytest.raises(ModelCorruptError, match=r"'rope_parameters\.llama_4_scaling_beta' is"):
        geometry({**tiny("ministral3"), "rope_parameters": parameters})
    with pytest.raises(UnsupportedModelError, match="the activation is 'tanh2'"):
        cm.Engine.load(checkpoints.write(tmp_path, {**tiny("phi"), "hidden_act": "tanh2"}))


def test_keys_of_layers_that_share_are_skipped(tmp_path: Path) -> None:
    """Published checkpoints hold them, and mlx-lm's conversions do not."""
    config = tiny(ROW)
    content = checkpoints.tensors(config)
    folder = checkpoints.write(tmp_path / "mlx", config, content=content)
    with cm.Engine.load(folder) as engine:
        logits, needed = np.asarray(engine.logits([1, 2, 3])), engine.weight_bytes
    for part in ("k_proj", "v_proj", "k_norm"):
        name = f"model.layers.3.self_attn.{part}.weight"
        content[name] = content[name.replace("layers.3", "layers.1")]
    folder = checkpoints.write(tmp_path / "raw", config, content=content)
    with cm.Engine.load(folder) as engine:
        assert engine.weight_bytes == needed
        np.testing.assert_array_equal(np.asarray(engine.logits([1, 2, 3])), logits)


def test_the_footprint_counts_what_each_layer_keeps(tmp_path: Path) -> None:
    folder = checkpoints.write(tmp_path / "model", tiny(ROW))
    footprint = folder_footprint(folder)
    assert footprint is not None
    rows = prefill_chunk() - 1 + 8
    assert footprint.need(250).kv_cache == (2 * 64 * min(250, rows) + 128 * 250) * 2
    with cm.Engine.load(folder) as engine:
        assert engine.kv_bytes_per_token == 128 * footprint.kv_bytes
