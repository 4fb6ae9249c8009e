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
from convergio_mlx.errors import ModelCorruptError
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
