"""Latent attention: read as published, refused where it makes no sense; what its cache holds."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import checkpoints
import convergio_mlx as cm
from arch.variants import tiny
from convergio_mlx.errors import LoadError, ModelCorruptError, UnsupportedModelError
from convergio_mlx.platform.native import native
from convergio_mlx.sizing.footprint import folder_footprint

ROWS = ("glm4_moe_lite", "deepseek_v3", "deepseek_v2")
AGAIN = "; download the model again or correct the file."
DEEPSEEK_V3 = {
    "model_type": "deepseek_v3",
    "max_position_embeddings": 163840,
    "rope_scaling": {
        "type": "yarn",
        "factor": 40,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
        "original_max_position_embeddings": 4096,
    },
}


def geometry(config: dict[str, Any]) -> Any:
    return native().geometry(json.dumps(config).encode())


def logits(folder: Path, config: dict[str, Any]) -> Any:
    with cm.Engine.load(folder) as engine:
        return np.asarray(engine.logits(checkpoints.tokens(config, 12)))


def test_deepseek_v3_as_it_is_published() -> None:
    sizes = geometry(DEEPSEEK_V3)
    assert sizes.kv_numbers_of_layers == [512 + 64] * 61
    stretched = 0.1 * math.log(40) + 1
    assert sizes.attention_scale == pytest.approx(192**-0.5 * stretched**2)
    periods, magnitude = sizes.rotary(0, 1)
    assert (len(periods), magnitude) == (32, 1.0)
    assert sizes.context_window == 163840
    queries = 7168 * 1536 + 1536 * 128 * 192
    keys = 7168 * 576 + 512 * 128 * 256
    assert sizes.mixer_parameters == 61 * (queries + keys + 128 * 128 * 7168)


@pytest.mark.parametrize("name", ["kimi_k2", "deepseek_v3"])
def test_kimi_k2_is_deepseek_v3(name: str) -> None:
    assert geometry({**tiny("deepseek_v3"), "model_type": name}).kv_numbers_of_layers == [80] * 3


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize(
    "key", ["kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"]
)
def test_sizes_that_are_none(row: str, key: str) -> None:
    for value in (0, -1, 16385):
        with pytest.raises(ModelCorruptError) as caught:
            geometry({**tiny(row), key: value})
        assert str(caught.value) == (
            f"[config] config.json: '{key}' is the integer {value}, which must be from 1 to 16384"
            f"{AGAIN}"
        )


FAULTS: list[tuple[str, dict[str, Any], type[LoadError], str]] = [
    (
        "deepseek_v3",
        {"qk_rope_head_dim": 7},
        ModelCorruptError,
        f"config.json: 'qk_rope_head_dim' is 7, which must be even{AGAIN}",
    ),
    (
        "deepseek_v3",
        {"n_group": 3},
        ModelCorruptError,
        f"config.json: 'n_group' is 3, which must divide 'n_routed_experts', 8{AGAIN}",
    ),
    (
        "deepseek_v2",
        {"topk_method": "group_limited_greedy", "n_group": 2, "topk_group": 3},
        ModelCorruptError,
        f"config.json: 'topk_group' is 3, which must be at most 'n_group', 2{AGAIN}",
    ),
    (
        "deepseek_v3",
        {"topk_method": "greedy"},
        UnsupportedModelError,
        "config.json: 'topk_method' is the string \"greedy\"; supported: noaux_tc.",
    ),
    (
        "deepseek_v2",
        {"topk_method": "noaux_tc"},
        UnsupportedModelError,
        "config.json: 'topk_method' is the string \"noaux_tc\"; supported: greedy, "
        "group_limited_greedy.",
    ),
    (
        "glm4_moe_lite",
        {"moe_layer_freq": 0},
        ModelCorruptError,
        "config.json: 'moe_layer_freq' is the integer 0, which must be from 1 to 16384" + AGAIN,
    ),
    (
        "deepseek_v2",
        {"num_experts_per_tok": None},
        ModelCorruptError,
        f"config.json: 'num_experts_per_tok' is missing{AGAIN}",
    ),
]


@pytest.mark.parametrize(("row", "changes", "error", "text"), FAULTS, ids=range(len(FAULTS)))
def test_faults(row: str, changes: dict[str, Any], error: type[LoadError], text: str) -> None:
    with pytest.raises(error) as caught:
        geometry({**tiny(row), **changes})
    assert str(caught.value) == f"[config] {text}"


def test_groups_of_a_router_that_chooses_without_are_not_read() -> None:
    assert geometry({**tiny("deepseek_v2"), "n_group": 3, "topk_group": 9}).experts == 8


def test_tensors_that_do_not_fit(tmp_path: Path) -> None:
    config = tiny("deepseek_v3")
    content = checkpoints.tensors(config)
    content["model.layers.1.self_attn.kv_b_proj.bias"] = checkpoints.stored(np.ones(256), "F32")
    del content["model.layers.0.self_attn.kv_a_layernorm.weight"]
    with pytest.raises(ModelCorruptError) as caught:
        cm.Engine.load(checkpoints.write(tmp_path, config, content=content))
    assert "'model.layers.0.self_attn.kv_a_layernorm.weight' is missing" in str(caught.value)
    assert "'model.layers.1.self_attn.kv_b_proj.bias' is not part of a" in str(caught.value)


def test_a_layer_that_drafts_tokens_is_known_and_not_needed(tmp_path: Path) -> None:
    config = {**tiny("deepseek_v3"), "num_nextn_predict_layers": 1}
    content = checkpoints.tensors(config)
    plain = logits(checkpoints.write(tmp_path / "plain", config, content=content), config)
    for part in ("eh_proj", "self_attn.kv_b_proj", "embed_tokens"):
        tensor = checkpoints.Tensor("F32", np.zeros((4, 4), np.float32))
        content[f"model.layers.3.{part}.weight"] = tensor
    folder = checkpoints.write(tmp_path / "drafts", config, content=content)
    np.testing.assert_array_equal(logits(folder, config), plain)


@pytest.mark.parametrize("mode", ["affine", "mxfp8"])
def test_one_quantized_matrix_is_what_it_unpacks_to(mode: str, tmp_path: Path) -> None:
    """mlx-lm would quantize its transposed part anew; here its numbers stay what they are."""
    import mlx.core as mx

    config = tiny("deepseek_v3")
    how = {"group_size": 32, "bits": 8, "mode": mode}
    content, floats = checkpoints.tensors(config), checkpoints.tensors(config)
    block: dict[str, Any] = dict(how)
    for layer in range(3):
        module = f"model.layers.{layer}.self_attn.kv_b_proj"
        block[module] = how
        parts = checkpoints.quantized(module, content.pop(f"{module}.weight").data, how, "F32")
        content.update(parts)
        arrays = [mx.array(part.data) for part in parts.values()]
        whole = np.array(mx.dequantize(*arrays, **how).astype(mx.float32))
        floats[f"{module}.weight"] = checkpoints.stored(whole, "F32")
    quantized = {**config, "quantization": block}
    ours = logits(checkpoints.write(tmp_path / "packed", quantized, content=content), config)
    plain = logits(checkpoints.write(tmp_path / "floats", config, content=floats), config)
    assert np.sqrt(np.mean((ours - plain) ** 2)) < 0.01 * np.std(plain)


@pytest.mark.parametrize("row", ROWS)
def test_the_footprint_counts_latents(row: str, tmp_path: Path) -> None:
    config = tiny(row)
    numbers = 3 * (config["kv_lora_rank"] + config["qk_rope_head_dim"])
    folder = checkpoints.write(tmp_path / row, config)
    footprint = folder_footprint(folder)
    assert footprint is not None
    assert footprint.need(250).kv_cache == 250 * numbers * footprint.kv_bytes
    with cm.Engine.load(folder) as engine:
        assert engine.kv_bytes_per_token == numbers * footprint.kv_bytes
