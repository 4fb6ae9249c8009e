"""Geometries with states: the same model for llama.cpp and here, and what making a token reads."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

import checkpoints
import convergio_mlx as cm
import geometries
import llama_cpp_oracle
from comparison import gguf_file
from comparison.checkpoint import checkpoint, quantization
from comparison.geometry import (
    GEOMETRIES,
    Config,
    is_matrix,
    kv_kept,
    kv_read,
    shapes,
    states,
    weights_read,
)
from comparison.recurrent import STATE_BYTES
from convergio_mlx.convert.gguf import convert_gguf
from convergio_mlx.platform.native import native

SMALL_QWEN35 = GEOMETRIES["qwen3.5-4b-8"] | {
    "vocab_size": 512,
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 64,
    "intermediate_size": 256,
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 64,
    "linear_value_head_dim": 64,
    "rope_parameters": GEOMETRIES["qwen3.5-4b-8"]["rope_parameters"] | {"mrope_section": [3, 3, 2]},
}
SMALL_GRANITE = GEOMETRIES["granite-4-h-tiny"] | {
    "vocab_size": 512,
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 64,
    "shared_intermediate_size": 128,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "layer_types": ["mamba", "attention", "mamba", "mamba"],
    "mamba_n_heads": 4,
    "mamba_d_state": 64,
}
SMALL_LFM2 = GEOMETRIES["lfm2.5-1.2b"] | {
    "vocab_size": 512,
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 256,
    "block_dim": 128,
    "block_ff_dim": 256,
    "layer_types": ["conv", "conv", "full_attention", "conv"],
}
SMALL_RECURRENT = {
    "lfm2.5-1.2b": SMALL_LFM2,
    "qwen3.5-4b-8": SMALL_QWEN35,
    "granite-4-h-tiny": SMALL_GRANITE,
}


@pytest.mark.parametrize("config", SMALL_RECURRENT.values(), ids=SMALL_RECURRENT)
def test_the_engine_reads_as_much(config: Config, tmp_path: Path) -> None:
    """But for vectors and convolutions, which are not counted."""
    block = {"quantization": quantization("affine-64", config)}
    model = native().load(os.fsencode(checkpoint(tmp_path / "made", config | block)))
    estimated = 4.5 / 8 * weights_read(config).dense + 4.5 / 8 * weights_read(config).experts
    assert estimated < model.step_weight_bytes < 1.05 * estimated
    assert model.state_bytes == STATE_BYTES * states(config)


@pytest.mark.parametrize("config", SMALL_RECURRENT.values(), ids=SMALL_RECURRENT)
def test_matrices_take_as_many_bytes_on_both_sides(config: Config) -> None:
    """All of them, with equal names and shapes but for what files have apart."""
    files = [shape for name, shape in gguf_file.tensors(config).items() if is_matrix(name, shape)]
    ours = [shape for name, shape in shapes(config).items() if is_matrix(name, shape)]
    assert sum(map(math.prod, files)) == sum(map(math.prod, ours))


@pytest.mark.parametrize("config", SMALL_RECURRENT.values(), ids=SMALL_RECURRENT)
def test_llama_cpp_computes_the_same_model(config: Config, tmp_path: Path) -> None:
    """A file as it is compared, converted to a folder. llama.cpp rounds activations to 8 bits."""
    path = tmp_path / "model.gguf"
    gguf_file.write(path, config, "Q8_0")
    tokens = checkpoints.tokens(config, 70)
    theirs = llama_cpp_oracle.logits(path, tokens)
    convert_gguf(path, tmp_path / "folder")
    with cm.Engine.load(tmp_path / "folder") as engine:
        ours = np.asarray(engine.logits(tokens))
    assert ours.shape == theirs.shape
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.999


def test_layers_with_states_have_no_keys_and_values() -> None:
    lfm = GEOMETRIES["lfm2.5-1.2b"]
    assert kv_read(lfm, 100) == kv_kept(lfm, 100) == 2 * 8 * 64 * 6 * 100
    assert states(lfm) == 2 * 2048 * 10
    qwen = GEOMETRIES["qwen3.5-4b-8"]
    assert kv_read(qwen, 100) == kv_kept(qwen, 100) == 2 * 4 * 256 * 2 * 100
    assert states(qwen) == 6 * (32 * 128 * 128 + 3 * (2 * 16 + 32) * 128)
    granite = GEOMETRIES["granite-4-h-tiny"]
    assert kv_read(granite, 100) == kv_kept(granite, 100) == 2 * 4 * 128 * 4 * 100
    assert states(granite) == 36 * (48 * 64 * 128 + 3 * (48 * 64 + 2 * 128))
    assert states(GEOMETRIES["llama-3.2-1b"]) == 0


@pytest.mark.parametrize("name", SMALL_RECURRENT)
def test_geometries_with_states_are_those_published(name: str) -> None:
    """But for layers that are cut off."""
    data = os.environ.get("CONVERGIO_TEST_DATA")
    if data is None:
        pytest.skip("set CONVERGIO_TEST_DATA")
    published = {"qwen3.5-4b-8": "qwen3.5-4b", "granite-4-h-tiny": "granite-4.0-h-tiny"}
    path = Path(data) / "configs" / f"{published.get(name, name)}.json"
    whole = json.loads(path.read_text())
    text = whole.get("text_config", whole)
    config = {key: value for key, value in text.items() if key not in ("model_type", "dtype")}
    layers = GEOMETRIES[name]["num_hidden_layers"]
    cut = geometries.cut({**config, "model_type": whole["model_type"]}, layers)
    cut.setdefault("tie_word_embeddings", True)  # lfm2 says tie_embedding
    assert shapes(GEOMETRIES[name]) == shapes(cut)
