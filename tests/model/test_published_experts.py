"""Experts as their publishers write them: loaded where they lie, to the bit as MLX's files of the
same numbers; where no product reads them so, refused with what turns them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

import checkpoints
import convergio_mlx as cm
from arch.variants import GEMMA4_EXPERTS, LENGTH, tiny
from convergio_mlx.errors import InvalidRequestError, ModelCorruptError, UnsupportedModelError
from convergio_mlx.platform.native import native
from convert.mlx_lm_convert import converted
from convert.test_quantizing import made, tensors
from model import mlx_lm_oracle
from model.exact_process import engine_logits
from model.test_logits import TOLERANCE
from published_experts import blocks, fused, in_mxfp4

GEMMA4 = {**tiny("gemma4_text"), **GEMMA4_EXPERTS}
FUSED: dict[str, dict[str, Any]] = {
    "gemma4": GEMMA4,
    "gemma4-narrow": {**GEMMA4, "moe_intermediate_size": 32, "num_experts": 5, "top_k_experts": 5},
}
"""Half as wide as the hidden state: the fused matrix is square, and the other tells."""
BLOCKS: dict[str, dict[str, Any]] = {
    "gpt_oss": tiny("gpt_oss"),
    "gpt_oss-narrow": {**tiny("gpt_oss"), "intermediate_size": 32, "num_local_experts": 3},
}
PUBLISHED = {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}


def check(mlx: Path, raw: Path, config: dict[str, Any]) -> None:
    tokens = checkpoints.tokens(config, LENGTH)
    expected = mlx_lm_oracle.logits(raw, tokens)
    chunks = (512, 1, 7)
    both = (engine_logits(folder, tuple(tokens), chunks) for folder in (raw, mlx))
    for chunk, ours, of_mlx in zip(chunks, *both, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=0, atol=TOLERANCE, err_msg=f"{chunk=}")
        np.testing.assert_array_equal(ours, of_mlx)


@pytest.mark.parametrize("name", FUSED)
def test_gate_and_up_in_one_tensor(name: str, tmp_path: Path) -> None:
    config = FUSED[name]
    mlx = checkpoints.write(tmp_path / "mlx", config)
    content = fused(checkpoints.tensors(config))
    check(mlx, checkpoints.write(tmp_path / "raw", config, content=content), config)


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_with_rows_in_turns(name: str, tmp_path: Path) -> None:
    config = BLOCKS[name]
    content = in_mxfp4(checkpoints.tensors(config, "BF16"))
    block = {"quantization": {"mode": "mxfp4", "group_size": 32, "bits": 4}}
    mlx = checkpoints.write(tmp_path / "mlx", {**config, **block}, content=content)
    raw_config = {**config, "quantization_config": PUBLISHED}
    raw = checkpoints.write(tmp_path / "raw", raw_config, content=blocks(content))
    check(mlx, raw, config)
    native().check_config(json.dumps(raw_config).encode())
    with cm.Engine.load(raw) as engine, cm.Engine.load(mlx) as other:
        assert engine.weight_bytes == other.weight_bytes
    with pytest.raises(InvalidRequestError, match=r"quantized already \(mxfp4, 4 bits, groups of"):
        made(raw, tmp_path / "made", bits=4)


def inputs_first(row: str) -> tuple[dict[str, Any], dict[str, checkpoints.Tensor]]:
    """A wrapped config, and MLX's tensors of it."""
    text = {**tiny(row), "experts_as": "stacked", "intermediate_size": 128}
    text |= {"moe_intermediate_size": 64, "num_hidden_layers": 2}
    config = {
        "model_type": WRAPPERS[row],
        "text_config": text,
        "vocab_size": text["vocab_size"],
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }
    return config, checkpoints.tensors(config)


WRAPPERS = {"qwen3_moe": "qwen3_vl_moe", "llama4_text": "llama4"}


@pytest.mark.parametrize("row", WRAPPERS)
def test_inputs_first_become_outputs_first(row: str, tmp_path: Path) -> None:
    config, content = inputs_first(row)
    raw = checkpoints.write(tmp_path / "raw", config, content=fused(content, inputs_first=True))
    ours = tensors(made(raw, tmp_path / "made", bits=4, group_size=32))
    theirs, _ = converted(raw, bits=4, group_size=32)
    same = tensors(
        made(checkpoints.write(tmp_path / "mlx", config), tmp_path / "same", bits=4, group_size=32)
    )
    for found in (theirs, same):
        kept = {name: value for name, value in found.items() if "vision" not in name}
        assert ours.keys() == kept.keys()
        for name, value in ours.items():
            assert value.shape == kept[name].shape, name
            assert mx.array_equal(value.view(mx.uint8), kept[name].view(mx.uint8)), name
    with cm.Engine.load(tmp_path / "made") as engine, cm.Engine.load(tmp_path / "same") as other:
        tokens = checkpoints.tokens(config, LENGTH)
        np.testing.assert_array_equal(engine.logits(tokens), other.logits(tokens))


@pytest.mark.parametrize("row", WRAPPERS)
def test_inputs_first_are_refused_with_what_turns_them(row: str, tmp_path: Path) -> None:
    config, content = inputs_first(row)
    raw = checkpoints.write(tmp_path / "raw", config, content=fused(content, inputs_first=True))
    with pytest.raises(UnsupportedModelError) as caught:
        cm.Engine.load(raw)
    text = str(caught.value)
    assert text.startswith("[weights] 'language_model.model.layers.")
    assert text.endswith(
        ".experts.down_proj' holds a row for each input, as its experts are stored transposed, "
        "where a product reads a row for each output; make a folder of it with convergio-mlx "
        "models quantize."
    )


def test_columns_that_no_group_divides_stay_floats_in_the_order_of_outputs(tmp_path: Path) -> None:
    config, _ = inputs_first("qwen3_moe")
    config["text_config"]["moe_intermediate_size"] = 48
    content = checkpoints.tensors(config)
    raw = checkpoints.write(tmp_path / "raw", config, content=fused(content, inputs_first=True))
    ours = tensors(made(raw, tmp_path / "made", bits=4, group_size=32))
    name = "language_model.model.layers.1.mlp.switch_mlp.down_proj.weight"
    wanted = mx.array(content[name].data).astype(mx.bfloat16)
    assert ours[name].dtype == mx.bfloat16
    assert mx.array_equal(ours[name], wanted)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("gate_up_proj", (7, 96, 63), "(7, 96, 64)"),
        ("gate_up_proj", (6, 96, 64), "(7, 96, 64)"),
        ("down_proj", (7, 65, 48), "(7, 64, 48)"),
    ],
)
def test_misshapen_parameters(
    name: str, shape: tuple[int, ...], expected: str, tmp_path: Path
) -> None:
    content = fused(checkpoints.tensors(GEMMA4))
    full = f"model.layers.2.experts.{name}"
    content[full] = checkpoints.Tensor("F32", np.zeros(shape, np.float32))
    folder = checkpoints.write(tmp_path, GEMMA4, content=content)
    with pytest.raises(ModelCorruptError) as caught:
        cm.Engine.load(folder)
    assert f"'{full}' has shape {shape}, expected {expected}" in str(caught.value)


@pytest.mark.parametrize("part", ["blocks", "scales", "bias"])
@pytest.mark.parametrize("module", ["gate_up_proj", "down_proj"])
def test_a_missing_part_of_blocks_is_named(module: str, part: str, tmp_path: Path) -> None:
    config = {**tiny("gpt_oss"), "quantization_config": PUBLISHED}
    content = blocks(in_mxfp4(checkpoints.tensors(config, "BF16")))
    name = f"model.layers.0.mlp.experts.{module}_{part}"
    del content[name]
    with pytest.raises(ModelCorruptError) as caught:
        cm.Engine.load(checkpoints.write(tmp_path, config, content=content))
    assert f"'{name}' is missing" in str(caught.value)


def test_blocks_are_of_their_family_alone() -> None:
    config = {**tiny("llama"), "quantization_config": PUBLISHED}
    with pytest.raises(UnsupportedModelError, match="has quant_method the string"):
        native().check_config(json.dumps(config).encode())


def test_floats_of_experts_in_turns_are_refused_where_they_would_be_split(tmp_path: Path) -> None:
    """Not converted: the halves of such a tensor are no gate and up."""
    config = tiny("gpt_oss")
    content = fused(checkpoints.tensors(config))
    folder = checkpoints.write(tmp_path / "raw", config, content=content)
    with pytest.raises(UnsupportedModelError) as caught:
        made(folder, tmp_path / "made", bits=4, group_size=32)
    assert str(caught.value) == (
        "[quantize] 'model.layers.0.mlp.experts.gate_up_proj' has rows of gate and up in turns, "
        "which are not converted; use a checkpoint from mlx-community."
    )
