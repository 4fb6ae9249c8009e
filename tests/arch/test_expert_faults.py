"""What config.json and checkpoint may not say of experts: each a typed error, whole sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import checkpoints
import convergio_mlx as cm
from arch.variants import GEMMA4_EXPERTS, tiny
from convergio_mlx.errors import ModelCorruptError, UnsupportedModelError
from convergio_mlx.platform.native import native

AGAIN = "; download the model again or correct the file."


def said(changes: dict[str, Any], row: str = "qwen3_moe") -> str:
    with pytest.raises(ModelCorruptError) as caught:
        native().geometry(json.dumps({**tiny(row), **changes}).encode())
    text = str(caught.value)
    assert text.startswith("[config] config.json: ")
    assert text.endswith(AGAIN)
    return text.removeprefix("[config] config.json: ").removesuffix(AGAIN)


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ("qwen3_moe", "num_experts"),
        ("qwen3_moe", "num_experts_per_tok"),
        ("mixtral", "num_local_experts"),
    ],
)
def test_numbers_of_experts(row: str, key: str) -> None:
    for value in (0, -1, 16385):
        assert said({key: value}, row) == (
            f"'{key}' is the integer {value}, which must be from 1 to 16384"
        )


@pytest.mark.parametrize(
    ("row", "key", "least"),
    [
        ("qwen3_moe", "moe_intermediate_size", 1),
        ("qwen2_moe", "shared_expert_intermediate_size", 0),
    ],
)
def test_widths_of_experts(row: str, key: str, least: int) -> None:
    for value in (least - 1, 2**22 + 1):
        assert said({key: value}, row) == (
            f"'{key}' is the integer {value}, which must be from {least} to 4194304"
        )


def test_more_experts_are_chosen_than_there_are() -> None:
    assert said({"num_experts_per_tok": 9}) == (
        "'num_experts_per_tok' is 9, which must be at most 'num_experts', 8"
    )
    assert said({"num_experts_per_tok": 7}, "mixtral") == (
        "'num_experts_per_tok' is 7, which must be at most 'num_local_experts', 6"
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"n_group": 3}, "'n_group' is 3, which must divide 'n_routed_experts', 8"),
        (
            {"n_group": 2, "topk_group": 3},
            "'topk_group' is 3, which must be at most 'n_group', 2",
        ),
        (
            {"n_group": 8, "topk_group": 4},
            "'n_group' is 8 of 8 experts; a group must have at least 2",
        ),
        (
            {"n_group": 4, "topk_group": 1},
            "'num_experts_per_tok' is 3, which must be at most the 2 experts of 'topk_group' "
            "groups",
        ),
        ({"n_group": 0}, "'n_group' is the integer 0, which must be from 1 to 16384"),
        (
            {"routed_scaling_factor": 0},
            "'routed_scaling_factor' is the integer 0, which must be from 1e-30 to 1e30",
        ),
        (
            {"first_k_dense_replace": -1},
            "'first_k_dense_replace' is the integer -1, which must be from 0 to 2147483647",
        ),
        (
            {"n_shared_experts": 16000, "moe_intermediate_size": 4096},
            "'n_shared_experts' is 16000 with experts of width 4096, which together must be at "
            "most 4194304",
        ),
    ],
)
def test_groups_and_shared_experts(changes: dict[str, Any], text: str) -> None:
    assert said(changes, "glm4_moe") == text


@pytest.mark.parametrize("key", ["swiglu_alpha", "swiglu_limit"])
@pytest.mark.parametrize("value", [0, -1, 1e31])
def test_a_clamped_activation(key: str, value: float) -> None:
    assert said({key: value}, "gpt_oss").endswith(", which must be from 1e-30 to 1e30")


@pytest.mark.parametrize(
    ("key", "least"),
    [("moe_layer_start_index", 0), ("moe_layer_end_index", -1), ("moe_layer_interval", 1)],
)
def test_a_span_of_sparse_layers(key: str, least: int) -> None:
    assert said({key: least - 1}, "ernie4_5_moe").startswith(
        f"'{key}' is the integer {least - 1}, which must be from {least} to "
    )


def test_a_correction_of_another_shape(tmp_path: Path) -> None:
    name = "model.layers.1.mlp.moe_statics.e_score_correction_bias"
    config = tiny("ernie4_5_moe")
    content = checkpoints.tensors(config)
    content[name] = checkpoints.Tensor("F32", np.zeros(6, np.float32))
    assert f"'{name}' has shape (6), expected (1, 6)" in faults(tmp_path, config, content)


@pytest.mark.parametrize("key", ["short_mscale", "long_mscale"])
def test_a_rotary_magnitude(key: str) -> None:
    scaling = {"type": "longrope", "short_factor": [1.0] * 8, "long_factor": [1.0] * 8, key: 0}
    assert said({"rope_scaling": scaling}, "phimoe").startswith(
        f"'rope_scaling.{key}' is the integer 0, which must be from "
    )


def test_layers_that_draft_tokens_are_known_and_not_needed(tmp_path: Path) -> None:
    config = {**tiny("glm4_moe"), "num_nextn_predict_layers": 1}
    draft = checkpoints.Tensor("F32", np.zeros((4, 4), np.float32))
    content = {**checkpoints.tensors(config), "model.layers.3.eh_proj.weight": draft}
    folder = checkpoints.write(tmp_path / "model", config, content=content)
    cm.Engine.load(folder).close()
    assert "'model.layers.4.eh_proj.weight' is not part of a glm4_moe model" in faults(
        tmp_path / "more", config, {**content, "model.layers.4.eh_proj.weight": draft}
    )


def test_steps_between_sparse_layers() -> None:
    assert said({"decoder_sparse_step": 0}) == (
        "'decoder_sparse_step' is the integer 0, which must be from 1 to 16384"
    )


def test_layers_that_are_not_there_are_no_dense_ones() -> None:
    """As in the references, which ask whether a layer is listed."""
    config = json.dumps({**tiny("qwen3_moe"), "mlp_only_layers": [-1, 7, 1]}).encode()
    assert native().geometry(config).sparse_layers == 2


def test_what_would_be_ignored_is_refused() -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        native().geometry(json.dumps({**tiny("olmoe"), "clip_qkv": 8.0}).encode())
    assert str(caught.value) == (
        "[config] config.json: 'clip_qkv' is the number 8; supported: null."
    )


def faults(tmp_path: Path, config: dict[str, Any], content: dict[str, checkpoints.Tensor]) -> str:
    folder = checkpoints.write(tmp_path / "model", config, content=content)
    with pytest.raises(ModelCorruptError) as caught:
        cm.Engine.load(folder)
    return str(caught.value)


@pytest.mark.parametrize("how", ["published", "stacked"])
def test_a_missing_expert_is_named(how: str, tmp_path: Path) -> None:
    config = {**tiny("qwen3_moe"), "experts_as": how}
    content = checkpoints.tensors(config)
    name = (
        "model.layers.1.mlp.switch_mlp.up_proj.weight"
        if how == "stacked"
        else "model.layers.1.mlp.experts.5.up_proj.weight"
    )
    del content[name]
    assert f"'{name}' is missing" in faults(tmp_path, config, content)


def test_experts_beyond_their_number_are_named(tmp_path: Path) -> None:
    config = {**tiny("qwen3_moe"), "num_experts": 7}
    content = checkpoints.tensors(tiny("qwen3_moe"))
    text = faults(tmp_path, config, content)
    assert "model.layers.{0-2}.mlp.experts.7.up_proj.weight" in text
    assert "'model.layers.{0-2}.mlp.gate.weight' has shape (8, 64), expected (7, 64)" in text


def test_a_stack_of_another_number_of_experts_is_misshapen(tmp_path: Path) -> None:
    config = {**tiny("mixtral"), "experts_as": "stacked"}
    text = faults(tmp_path, {**config, "num_local_experts": 5}, checkpoints.tensors(config))
    assert (
        "'model.layers.{0-2}.block_sparse_moe.switch_mlp.gate_proj.weight' has shape (6, 48, 64), "
        "expected (5, 48, 64)" in text
    )


def test_experts_of_one_layer_are_stored_alike(tmp_path: Path) -> None:
    config = {
        **tiny("qwen3_moe"),
        "quantization": {
            "group_size": 32,
            "bits": 4,
            "model.layers.0.mlp.experts.3.up_proj": {"group_size": 32, "bits": 8},
        },
        "moe_intermediate_size": 64,
    }
    assert (
        "'model.layers.0.mlp.experts.3.up_proj' is stored in another way than "
        "'model.layers.0.mlp.experts.0.up_proj'"
        in faults(tmp_path, config, checkpoints.tensors(config))
    )


GPT_OSS = "model.layers.0.mlp."


def test_one_of_the_biases_of_experts_is_missing(tmp_path: Path) -> None:
    """A layer has what the others have; without any bias a model is as well."""
    config = tiny("gpt_oss")
    content = checkpoints.tensors(config)
    del content[f"{GPT_OSS}experts.down_proj.bias"]
    assert f"'{GPT_OSS}experts.down_proj.bias' is missing, which other layers have" in faults(
        tmp_path, config, content
    )


def test_biases_of_another_number_of_experts_are_misshapen(tmp_path: Path) -> None:
    config = tiny("gpt_oss")
    content = checkpoints.tensors(config)
    content[f"{GPT_OSS}experts.up_proj.bias"] = checkpoints.Tensor(
        "F32", np.zeros((6, 96), np.float32)
    )
    content[f"{GPT_OSS}router.bias"] = checkpoints.Tensor("F32", np.zeros(8, np.float32))
    text = faults(tmp_path, config, content)
    assert f"'{GPT_OSS}experts.up_proj.bias' has shape (6, 96), expected (7, 96)" in text
    assert f"'{GPT_OSS}router.bias' has shape (8), expected (7)" in text


def test_a_missing_stack_is_named(tmp_path: Path) -> None:
    config = tiny("gpt_oss")
    content = checkpoints.tensors(config)
    del content[f"{GPT_OSS}experts.gate_proj.weight"]
    assert f"'{GPT_OSS}experts.gate_proj.weight' is missing" in faults(tmp_path, config, content)


GEMMA4 = {**tiny("gemma4_text"), **GEMMA4_EXPERTS}


@pytest.mark.parametrize("key", ["num_experts", "top_k_experts", "moe_intermediate_size"])
def test_experts_without_their_numbers(key: str) -> None:
    assert said({**GEMMA4_EXPERTS, key: None}, "gemma4_text") == f"'{key}' is missing"


def test_experts_beside_a_dense_feed_forward_are_of_their_family_alone() -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        native().geometry(json.dumps({**tiny("llama"), "enable_moe_block": True}).encode())
    assert str(caught.value) == (
        "[config] config.json: 'enable_moe_block' is true; supported: false."
    )


@pytest.mark.parametrize(
    "name",
    [
        "router.proj.weight",
        "router.scale",
        "router.per_expert_scale",
        "experts.switch_glu.up_proj.weight",
        "pre_feedforward_layernorm_2.weight",
        "post_feedforward_layernorm_1.weight",
        "mlp.up_proj.weight",
    ],
)
def test_what_stands_beside_a_dense_feed_forward_is_needed(name: str, tmp_path: Path) -> None:
    content = checkpoints.tensors(GEMMA4)
    del content[f"model.layers.1.{name}"]
    assert f"'model.layers.1.{name}' is missing" in faults(tmp_path, GEMMA4, content)
