"""Each architecture: a checkpoint, written as llama.cpp's writer does and converted back, gives the
logits that the checkpoint itself gives."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import checkpoints
import convergio_mlx as cm
from arch.variants import LLAMA3, LONGROPE, YARN, tiny
from convergio_mlx.convert import gguf_writing
from convergio_mlx.convert.gguf import convert_gguf, inspect_gguf
from convergio_mlx.convert.shards import shards_of
from convert import gguf_files
from convert.gguf_files import Kind

LENGTH = 48
FIRST = {**LLAMA3, "original_max_position_embeddings": 8192}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "llama-tied": ("llama", {"tie_word_embeddings": True}),
    "llama-biases": ("llama", {"attention_bias": True, "mlp_bias": True}),
    "llama-wide-heads": ("llama", {"head_dim": 32}),
    "llama-llama3": ("llama", {"rope_scaling": FIRST}),
    "llama-other-factors": ("llama", {"rope_scaling": LLAMA3}),
    "llama-linear": ("llama", {"rope_scaling": {"rope_type": "linear", "factor": 4.0}}),
    "llama-yarn": ("llama", {"rope_scaling": YARN}),
    "mistral": ("mistral", {"sliding_window": None}),
    "qwen2": ("qwen2", {}),
    "qwen3": ("qwen3", {}),
    "phi3": ("phi3", {}),
    "phi3-window": ("phi3", {"sliding_window": 8}),
    "phi3-longrope": ("phi3", {"rope_scaling": LONGROPE, "original_max_position_embeddings": 32}),
    "phi3-partial": ("phi3", {"partial_rotary_factor": 0.5}),
    "gemma": ("gemma", {}),
    "gemma2": ("gemma2", {"query_pre_attn_scalar": 32, "sliding_window": 8}),
    "gemma3": ("gemma3_text", {"query_pre_attn_scalar": 32, "sliding_window_pattern": 6}),
    "gemma3-linear": (
        "gemma3_text",
        {
            "query_pre_attn_scalar": 32,
            "sliding_window_pattern": 6,
            "rope_scaling": {"rope_type": "linear", "factor": 8.0},
        },
    ),
    "smollm3": ("smollm3", {"no_rope_layer_interval": 4}),
    "olmo2": ("olmo2", {}),
    "olmo3": ("olmo3", {"sliding_window": 8}),
    "granite": ("granite", {}),
    "seed_oss": ("seed_oss", {}),
    "ernie4_5": ("ernie4_5", {}),
    "hunyuan-dense": ("hunyuan_v1_dense", {"rope_scaling": None}),
    "mixtral": ("mixtral", {"experts_as": "stacked"}),
    "qwen2moe": ("qwen2_moe", {"experts_as": "stacked"}),
    "qwen3moe": ("qwen3_moe", {"experts_as": "stacked"}),
    "olmoe": ("olmoe", {"experts_as": "stacked"}),
    "granitemoe": ("granitemoe", {"experts_as": "stacked"}),
    "exaone4": ("exaone4", {}),
    "exaone4-no-window": ("exaone4", {"sliding_window": None, "sliding_window_pattern": None}),
}


def logits(folder: Path, tokens: list[int]) -> np.ndarray[Any, Any]:
    with cm.Engine.load(folder) as engine:
        return np.asarray(engine.logits(tokens))


def config_of(case: str) -> dict[str, Any]:
    row, changes = CASES[case]
    config = {**tiny(row), **changes}
    if row.startswith("gemma"):
        config["query_pre_attn_scalar"] = gguf_files.head_dim(config)
    return config


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.slow] * ("-" in case)) for case in CASES],
)
def test_the_converted_folder_gives_the_same_logits(case: str, tmp_path: Path) -> None:
    config = config_of(case)
    before = checkpoints.write(tmp_path / "before", config)
    path = gguf_files.write_model(tmp_path / "m.gguf", config, checkpoints.weights(config))
    convert_gguf(path, tmp_path / "after")
    tokens = checkpoints.tokens(config, LENGTH)
    wanted, found = logits(before, tokens), logits(tmp_path / "after", tokens)
    np.testing.assert_allclose(found, wanted, atol=2e-6 * np.abs(wanted).max(), rtol=0)
    if "gemma" not in case and case not in ("llama-other-factors", "llama-llama3"):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("case", ["llama", "qwen3moe"])
def test_quantized_matrices_and_experts_give_the_logits_of_their_floats(
    case: str, tmp_path: Path
) -> None:
    config = config_of(case)
    kinds = [Kind.Q8_0, Kind.Q4_1, Kind.Q5_0]
    exact = checkpoints.weights(config)
    rounded = {
        name: gguf_files.rounded(value, kinds[at % 3])
        for at, (name, value) in enumerate(exact.items())
    }
    content = {name: checkpoints.stored(value, "F32") for name, value in rounded.items()}
    before = checkpoints.write(tmp_path / "before", config, content=content)
    path = gguf_files.write_model(tmp_path / "m.gguf", config, exact, kinds=kinds)
    convert_gguf(path, tmp_path / "after")
    tokens = checkpoints.tokens(config, LENGTH)
    wanted, found = logits(before, tokens), logits(tmp_path / "after", tokens)
    np.testing.assert_allclose(found, wanted, atol=1e-3 * np.abs(wanted).max(), rtol=0)


def test_a_model_of_several_files_of_weights_has_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf_writing, "shards_of", partial(shards_of, limit=60_000))
    config = config_of("qwen2")
    before = checkpoints.write(tmp_path / "before", config)
    path = gguf_files.write_model(tmp_path / "m.gguf", config, checkpoints.weights(config))
    convert_gguf(path, tmp_path / "after")
    index = json.loads((tmp_path / "after" / "model.safetensors.index.json").read_text())
    files = set(index["weight_map"].values())
    assert len(files) > 2
    assert files == {one.name for one in (tmp_path / "after").glob("*.safetensors")}
    tokens = checkpoints.tokens(config, LENGTH)
    np.testing.assert_array_equal(logits(tmp_path / "after", tokens), logits(before, tokens))


def test_llama_3s_scaling_is_found_by_its_factors(tmp_path: Path) -> None:
    config = config_of("llama-llama3")
    path = gguf_files.write_model(tmp_path / "m.gguf", config, checkpoints.weights(config))
    convert_gguf(path, tmp_path / "after")
    found = json.loads((tmp_path / "after" / "config.json").read_text())
    assert found["rope_scaling"] == FIRST


@pytest.mark.slow  # mlx-lm
def test_matrices_of_several_kinds_are_told_in_the_quantization_block(tmp_path: Path) -> None:
    """Also by what mlx-lm reads: a general entry and those of other modules."""
    config = {**tiny("llama"), "hidden_size": 256, "head_dim": 64, "intermediate_size": 256}
    path = gguf_files.write_model(
        tmp_path / "m.gguf",
        config,
        checkpoints.weights(config),
        kinds=[Kind.Q4_0, Kind.Q8_0, Kind.F32, Kind.Q5_1, Kind.Q4_0],
    )
    convert_gguf(path, tmp_path / "after")
    block = json.loads((tmp_path / "after" / "config.json").read_text())["quantization"]
    general = {key: block.pop(key) for key in ("mode", "bits", "group_size")}
    assert general == {"mode": "affine", "bits": 4, "group_size": 32}
    assert {one["bits"] for one in block.values()} == {5, 8}
    tokens = checkpoints.tokens(config, LENGTH)
    from model import mlx_lm_oracle

    expected = mlx_lm_oracle.logits(tmp_path / "after", tokens)
    np.testing.assert_allclose(logits(tmp_path / "after", tokens), expected, atol=2e-3)


def test_the_summary_tells_what_a_file_is(tmp_path: Path) -> None:
    config = {**tiny("qwen3"), "hidden_size": 64}
    path = gguf_files.write_model(
        tmp_path / "m.gguf",
        config,
        checkpoints.weights(config),
        kinds=[Kind.Q8_0],
        general__name="A model",
    )
    found = inspect_gguf(path)
    convert_gguf(path, tmp_path / "after")
    assert (found.architecture, found.name, found.refusals) == ("qwen3", "A model", ())
    assert found.parameters == sum(value.size for value in checkpoints.weights(config).values())
    assert found.file_bytes == path.stat().st_size
    written = (tmp_path / "after" / "model.safetensors").stat().st_size
    assert 0 < found.converted_bytes - written < found.converted_bytes / 5 or (
        written - found.converted_bytes < 20_000
    )
    assert found.kinds["Q8_0"] > found.kinds["F32"] - 20
