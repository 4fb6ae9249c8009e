"""GGUF files of layers with a state: heads in another order, decays, matrices of two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

import checkpoints
import convergio_mlx as cm
from convergio_mlx.convert.gguf import convert_gguf, inspect_gguf
from convert import gguf_files
from convert.gguf_files import Kind
from convert.golden_files import contents, rewritten, with_tensors
from convert.llama_cpp_cases import BY_NAME

Array = np.ndarray[Any, Any]


def file_of_blocks(path: Path, kind: Kind, dim: int) -> tuple[Path, dict[str, Any]]:
    """A Qwen 3.5 whose recurrent matrices are of a kind of blocks and its value heads, `dim`
    numbers wide, in tiles, as the writer orders them; and its weights before that."""
    case = BY_NAME["qwen35"]
    config = {**case.config, "linear_key_head_dim": dim, "linear_value_head_dim": dim}
    config |= {"hidden_size": 32}
    weights = checkpoints.weights(config)
    keys = config["linear_num_key_heads"]
    values = config["linear_num_value_heads"]

    before = 2 * keys * dim

    def tiles(rows: Array) -> Array:
        heads = rows.reshape(keys, values // keys, -1, *rows.shape[1:])
        return heads.swapaxes(0, 1).reshape(rows.shape)

    def written(name: str, part: str, value: Array) -> Array:
        if name.endswith("norm.weight") and ".linear_attn." not in name:
            return value + np.float32(1)
        if part == "conv1d":
            return written(name, "in_proj_qkv", value[:, 0])
        if part == "in_proj_qkv":
            return np.concatenate([value[:before], tiles(value[before:])])
        if part in ("in_proj_z", "in_proj_a", "in_proj_b", "dt_bias"):
            return tiles(value)
        if part == "A_log":
            return tiles(-np.exp(value))
        return tiles(value.T).T if part == "out_proj" else value

    architecture, known, _ = contents("qwen35")
    known |= {
        "qwen35.embedding_length": 32,
        "qwen35.ssm.state_size": dim,
        "qwen35.ssm.inner_size": values * dim,
    }
    names = gguf_files.names_of(architecture, config["num_hidden_layers"])
    tensors: dict[str, Any] = {}
    for name, value in weights.items():
        part = name.rsplit(".", 2)[1 if name.endswith(".weight") else 2]
        blocks = "linear_attn" in name and part not in ("conv1d", "norm")
        one = {names(name.replace(".dt_bias", ".dt_proj.bias")): written(name, part, value)}
        tensors |= gguf_files.quantized(one, [kind]) if blocks else one
    return gguf_files.write(path, architecture, known, tensors), weights


@pytest.mark.parametrize("kind", [Kind.Q8_0, Kind.Q4_1, Kind.F16])
def test_heads_of_blocks_are_put_in_order(kind: Kind, tmp_path: Path) -> None:
    """Rows and columns, of weights, scales and biases."""
    path, weights = file_of_blocks(tmp_path / "m.gguf", kind, 32)
    convert_gguf(path, tmp_path / "after")
    found: dict[str, Any] = mx.load(str(tmp_path / "after" / "model.safetensors"))
    bits = {Kind.Q8_0: 8, Kind.Q4_1: 4}.get(kind)
    checked = 0
    for name, value in weights.items():
        if name.endswith(".weight") and "linear_attn" in name and "conv1d" not in name:
            module = name.removesuffix(".weight")
            made = found[name]
            if f"{module}.scales" in found:
                scales, biases = found[f"{module}.scales"], found[f"{module}.biases"]
                made = mx.dequantize(
                    made, *(one.astype(mx.float32) for one in (scales, biases)), 32, bits
                )
                checked += 1
            wanted = gguf_files.rounded(value, kind)
            np.testing.assert_allclose(np.array(made.astype(mx.float32)), wanted, atol=1e-6)
        elif name.endswith(("A_log", "dt_bias")):
            np.testing.assert_allclose(np.array(found[name]), value, atol=1e-6)
    assert checked == (10 if bits else 0)


def test_groups_that_reach_over_heads_are_refused(tmp_path: Path) -> None:
    path, _ = file_of_blocks(tmp_path / "m.gguf", Kind.Q8_0, 16)
    said = (
        "tensor 'blk.0.ssm_out.weight' is of kind Q8_0, and its groups of 32 reach over the ends "
        "of heads"
    )
    assert said in inspect_gguf(path).refusals


def test_a_decay_that_grows_is_refused(tmp_path: Path) -> None:
    decays = np.array([-0.5, -0.1, -1, -2, 0.25, -1], np.float32)
    path = with_tensors(tmp_path / "m.gguf", "qwen35", {"blk.2.ssm_a": decays})
    with pytest.raises(cm.ModelCorruptError) as error:
        convert_gguf(path, tmp_path / "after")
    assert str(error.value) == (
        "[gguf] tensor 'blk.2.ssm_a' has a decay that is no number below 0; get the file again."
    )


@pytest.mark.parametrize(
    ("case", "name", "said"),
    [
        ("qwen35", "blk.0.ssm_a", "decays of qwen35 models must be F32"),
        (
            "granitehybrid-experts",
            "blk.0.ffn_up_shexp.weight",
            "'blk.0.ffn_up_shexp.weight', below it in one matrix, is of F16",
        ),
    ],
)
def test_a_kind_that_does_not_suit_is_refused(
    case: str, name: str, said: str, tmp_path: Path
) -> None:
    half = contents(case)[2][name].astype(np.float16)
    path = with_tensors(tmp_path / "m.gguf", case, {name: (half, Kind.F16)})
    assert any(said in one for one in inspect_gguf(path).refusals), inspect_gguf(path).refusals


def test_older_files_have_an_interval_alone(tmp_path: Path) -> None:
    changes = {"attention__recurrent_layers": None, "full_attention_interval": 2}
    found = inspect_gguf(rewritten(tmp_path / "m.gguf", "qwen35", **changes))
    assert not found.refusals
    assert found.config["full_attention_interval"] == 2


def test_experts_alone_have_no_other_width(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "m.gguf", "qwen35moe", feed_forward_length=None)
    assert not inspect_gguf(path).refusals


def test_layers_that_draft_have_no_recurrence(tmp_path: Path) -> None:
    """Published files have one, counted among the layers, and a list that is as long."""
    changes = {
        "block_count": 5,
        "nextn_predict_layers": 1,
        "attention__recurrent_layers": [True, False, True, False, False],
    }
    found = inspect_gguf(rewritten(tmp_path / "m.gguf", "qwen35", **changes))
    assert not found.refusals
    assert found.config["num_hidden_layers"] == 4


def test_rotary_embeddings_that_granite_s_models_have(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "m.gguf", "granitehybrid", rope__scaling__finetuned=True)
    assert inspect_gguf(path).config["position_embedding_type"] == "rope"
    path = rewritten(tmp_path / "n.gguf", "granitehybrid")
    assert inspect_gguf(path).config["position_embedding_type"] == "nope"
