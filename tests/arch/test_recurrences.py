"""Layers with a recurrence: their sizes as published, and what is shared with no other row."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import checkpoints
import convergio_mlx as cm
from arch.variants import tiny
from convergio_mlx.errors import ModelCorruptError, UnsupportedModelError
from convergio_mlx.platform.native import native

DATA = Path(os.environ.get("CONVERGIO_TEST_DATA", "/nonexistent")) / "configs"
CONFIGS = {path.stem: path for path in sorted(DATA.glob("*.json"))}


def geometry(config: dict[str, Any]) -> Any:
    return native().geometry(json.dumps(config).encode())


def delta(layers: int, heads: int, channels: int) -> int:
    """Numbers of the states of Qwen's layers: matrices of 128 × 128 and the inputs of 4 taps."""
    return layers * (heads * 128 * 128 + 3 * channels)


PUBLISHED = {
    "lfm2.5-1.2b": ("lfm2", 10 * 2 * 2048, 6, 8192),
    "lfm2-8b-a1b": ("lfm2_moe", 18 * 2 * 2048, 6, 7168),
    "lfm2.5-8b-a1b": ("lfm2_moe", 18 * 2 * 2048, 6, 7168),
    "qwen3.5-4b": ("qwen3_5", delta(24, 32, 8192), 8, 9216),
    "qwen3.5-9b": ("qwen3_5", delta(24, 32, 8192), 8, 12288),
    "qwen3.8-27b": ("qwen3_5", delta(48, 48, 10240), 16, 17408),
    "qwen3.5-35b-a3b": ("qwen3_5_moe", delta(30, 32, 8192), 10, 0),
    "qwen3.6-35b-a3b": ("qwen3_5_moe", delta(30, 32, 8192), 10, 0),
    "qwen3-next-80b-a3b": ("qwen3_next", delta(36, 32, 8192), 12, 5120),
}
"""Row, numbers of a state, layers with attention, width of a dense feed-forward."""


@pytest.mark.skipif(not CONFIGS, reason="needs CONVERGIO_TEST_DATA")
@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes_of_published_models(name: str) -> None:
    row, numbers, attending, width = PUBLISHED[name]
    found = geometry(json.loads(CONFIGS[name].read_text()))
    assert found.model_type == row
    assert found.state_numbers == numbers
    assert sum(numbers > 0 for numbers in found.kv_numbers_of_layers) == attending
    assert [index >= 0 for index in found.rotary_of_layers] == [
        numbers > 0 for numbers in found.kv_numbers_of_layers
    ]
    if width:
        assert found.intermediate_size == width


def test_qwen_rotates_a_quarter_of_a_head() -> None:
    found = geometry({"model_type": "qwen3_5"})
    assert len(found.rotary(0, 1)[0]) == 32


@pytest.mark.parametrize("row", ["qwen3_next", "qwen3_5", "qwen3_5_moe"])
def test_norms_add_one_as_published_and_not_once_converted(row: str, tmp_path: Path) -> None:
    """What tells the two apart is how convolutions lie."""
    config = tiny(row)
    content = checkpoints.tensors(config)
    tokens = checkpoints.tokens(config, 9)

    def logits(name: str) -> np.ndarray[Any, Any]:
        with cm.Engine.load(checkpoints.write(tmp_path / name, config, content=content)) as engine:
            return np.asarray(engine.logits(tokens))

    expected = logits("published")
    for name, tensor in content.items():
        if "conv1d" in name:
            content[name] = checkpoints.Tensor(tensor.dtype, tensor.data.swapaxes(1, 2))
        elif "norm" in name and "linear_attn" not in name:
            content[name] = checkpoints.Tensor(tensor.dtype, tensor.data + np.float32(1))
    np.testing.assert_allclose(logits("converted"), expected, rtol=0, atol=1e-5)


FAULTS: list[tuple[str, str, tuple[int, ...], str]] = [
    ("lfm2", "model.layers.0.conv.conv.weight", (64, 2, 1), "(64, 2, 1), expected (64, 3, 1)"),
    ("lfm2", "model.layers.0.conv.conv.weight", (64, 3), "(64, 3), expected (64, 3, 1)"),
    ("qwen3_5", "model.layers.0.linear_attn.A_log", (3,), "(3), expected (6)"),
    ("qwen3_5", "model.layers.1.self_attn.q_proj.weight", (64, 64), "(64, 64), expected (128, 64)"),
    ("granitemoehybrid", "model.layers.0.mamba.D", (16,), "(16), expected (8)"),
    (
        "granitemoehybrid",
        "model.layers.0.mamba.in_proj.weight",
        (280, 64),
        "(280, 64), expected (288, 64)",
    ),
]


@pytest.mark.parametrize(("row", "name", "shape", "said"), FAULTS, ids=range(len(FAULTS)))
def test_tensors_of_other_shapes(
    row: str, name: str, shape: tuple[int, ...], said: str, tmp_path: Path
) -> None:
    content = checkpoints.tensors(tiny(row))
    content[name] = checkpoints.Tensor("F32", np.zeros(shape, np.float32))
    with pytest.raises(ModelCorruptError) as caught:
        cm.Engine.load(checkpoints.write(tmp_path, tiny(row), content=content))
    assert str(caught.value) == (
        f"[model] the checkpoint does not fit its config.json: '{name}' has shape {said}; "
        "download the model again or use a checkpoint whose config.json matches."
    )


def test_the_bytes_of_a_state(tmp_path: Path) -> None:
    with cm.Engine.load(checkpoints.write(tmp_path, tiny("qwen3_5"))) as engine:
        assert engine.state_bytes == 2 * (6 * 8 * 16 + 3 * (2 * 2 * 8 + 6 * 16)) * 4


@pytest.mark.skipif(not CONFIGS, reason="needs CONVERGIO_TEST_DATA")
def test_kimi_linear_as_it_is_published() -> None:
    found = geometry(json.loads(CONFIGS["kimi-linear-48b-a3b"].read_text()))
    assert found.state_numbers == 20 * (32 * 128 * 128 + 3 * 3 * 32 * 128)
    assert [i + 1 for i, kept in enumerate(found.kv_numbers_of_layers) if kept] == [
        *range(4, 25, 4),
        27,
    ]
    assert set(found.rotary_of_layers) == {-1}
    assert (found.experts, found.experts_per_token, found.sparse_layers) == (256, 8, 26)
    assert found.context_window == 1048576


def test_kimi_linear_without_lists() -> None:
    """As transformers' class: each fourth layer from the second such on has attention."""
    found = geometry({"model_type": "kimi_linear", "num_hidden_layers": 9})
    assert [kept > 0 for kept in found.kv_numbers_of_layers] == [i in (4, 8) for i in range(9)]
    assert found.state_numbers == 7 * (32 * 128 * 128 + 3 * 3 * 32 * 128)


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        (7, "[json] config.json: 'linear_attn_config' must be an object but is the integer 7; "),
        (
            {"kda_layers": [0]},
            "[config] config.json: 'linear_attn_config.kda_layers[0]' is the integer 0, which must "
            "be from 1 to 4; ",
        ),
        (
            {"num_heads": 0},
            "[config] config.json: 'linear_attn_config.num_heads' is the integer 0, which must be "
            "from 1 to 16384; ",
        ),
        (
            {"short_conv_kernel_size": 1},
            "[config] config.json: 'linear_attn_config.short_conv_kernel_size' is the integer 1, "
            "which must be from 2 to 64; ",
        ),
    ],
    ids=range(4),
)
def test_faults_of_the_block_of_kimi_linear(block: Any, sentence: str) -> None:
    with pytest.raises(ModelCorruptError) as caught:
        geometry({**tiny("kimi_linear"), "linear_attn_config": block})
    assert str(caught.value).startswith(sentence)


def scanned(layers: int, heads: int, head_dim: int) -> int:
    """Numbers of the states of Granite's layers: 128 for each number of a head, and the inputs of 4
    taps."""
    values = heads * head_dim
    return layers * (values * 128 + 3 * (values + 2 * 128))


GRANITE = {
    "granite-4.0-h-350m": (scanned(28, 48, 32), [10, 13, 17, 27], 2048, 0),
    "granite-4.0-h-micro": (scanned(36, 64, 64), [5, 15, 25, 35], 8192, 0),
    "granite-4.0-h-tiny": (scanned(36, 48, 64), [5, 15, 25, 35], 1024, 64),
}
"""Numbers of a state, layers with attention, width of what serves every token, experts."""


@pytest.mark.skipif(not CONFIGS, reason="needs CONVERGIO_TEST_DATA")
@pytest.mark.parametrize("name", GRANITE)
def test_granite_4_as_it_is_published(name: str) -> None:
    numbers, attending, width, experts = GRANITE[name]
    found = geometry(json.loads(CONFIGS[name].read_text()))
    assert found.model_type == "granitemoehybrid"
    assert found.state_numbers == numbers
    assert [i for i, kept in enumerate(found.kv_numbers_of_layers) if kept] == attending
    assert set(found.rotary_of_layers) == {-1}
    assert (found.intermediate_size, found.experts) == (width, experts)
    if experts:
        assert (found.experts_per_token, found.expert_width) == (6, 512)
        assert (found.shared_expert_width, found.sparse_layers) == (width, 40)


def test_granite_4_by_its_model_type_alone() -> None:
    """As transformers' class: layers of Mamba-2 alone, all sparse, none of them rotated."""
    found = geometry({"model_type": "granitemoehybrid"})
    assert found.state_numbers == 32 * (8192 * 256 + 3 * (8192 + 2 * 256))
    assert set(found.kv_numbers_of_layers) == {0}
    assert (found.intermediate_size, found.shared_expert_width) == (1024, 1024)
    assert (found.experts, found.experts_per_token, found.expert_width) == (8, 2, 11008)
    assert found.sparse_layers == 32


@pytest.mark.parametrize("count", [0, None])
def test_granite_4_without_experts(count: int | None) -> None:
    found = geometry(
        {**tiny("granitemoehybrid"), "num_local_experts": count, "num_experts_per_tok": 0}
    )
    assert (found.experts, found.sparse_layers) == (0, 0)


@pytest.mark.parametrize("limit", [[0.0, float("inf")], [0, {"__float__": "Infinity"}]])
def test_steps_without_a_limit(limit: list[Any], tmp_path: Path) -> None:
    """The two ways in which files say infinity."""

    def logits(name: str, **changes: Any) -> np.ndarray[Any, Any]:
        config = {**tiny("granitemoehybrid"), **changes}
        with cm.Engine.load(checkpoints.write(tmp_path / name, config)) as engine:
            return np.asarray(engine.logits(checkpoints.tokens(config, 9)))

    np.testing.assert_array_equal(
        logits("said", time_step_limit=limit), logits("null", time_step_limit=None)
    )


def test_mamba_2_with_an_activation_of_its_own() -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        geometry({**tiny("granitemoehybrid"), "hidden_act": "gelu"})
    assert str(caught.value) == (
        "[config] config.json: 'hidden_act' is the string \"gelu\"; supported: silu."
    )


def test_granite_4_rotated_otherwise() -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        geometry({**tiny("granitemoehybrid"), "position_embedding_type": "alibi"})
    assert str(caught.value) == (
        "[config] config.json: 'position_embedding_type' is the string \"alibi\"; supported: nope, "
        "rope."
    )


@pytest.mark.parametrize(
    ("row", "changes", "what"),
    [
        ("kimi_linear", {"linear_attn_config": {"num_heads": 16384, "head_dim": 16384}}, "keys"),
        (
            "qwen3_next",
            {"linear_num_key_heads": 16384, "linear_num_value_heads": 16384}
            | {"linear_key_head_dim": 16384, "linear_value_head_dim": 16384},
            "keys",
        ),
        ("qwen3_next", {"linear_value_head_dim": 16384, "linear_num_value_heads": 16384}, "values"),
    ],
)
def test_sizes_whose_sums_are_no_numbers(row: str, changes: dict[str, Any], what: str) -> None:
    with pytest.raises(ModelCorruptError) as caught:
        geometry({**tiny(row), **changes})
    assert str(caught.value) == (
        f"[config] config.json: a recurrent layer's {what} have 268435456 numbers, which must be "
        "at most 16777216; download the model again or correct the file."
    )


def test_a_bias_that_is_not_used_is_named(tmp_path: Path) -> None:
    config = tiny("kimi_linear")
    content = checkpoints.tensors(config)
    conv = next(name for name in content if name.endswith("q_conv1d.weight"))
    bias = conv.replace(".weight", ".bias")
    size = content[conv].data.shape[0]
    content[bias] = checkpoints.Tensor("F32", np.ones(size, np.float32))
    folder = checkpoints.write(tmp_path, config, content=content)
    with pytest.raises(ModelCorruptError, match=bias.replace(".", r"\.")):
        cm.Engine.load(folder)
