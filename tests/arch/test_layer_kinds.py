"""Nemotron-H: layers that are one thing alone, as letters or lists say, experts without a gate."""

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
CONFIG = DATA / "nemotron-3-nano-30b-a3b.json"
PATTERN = "hybrid_override_pattern"
AGAIN = "; download the model again or correct the file."


def geometry(config: dict[str, Any]) -> Any:
    return native().geometry(json.dumps(config).encode())


@pytest.mark.skipif(not CONFIG.exists(), reason="needs CONVERGIO_TEST_DATA")
def test_nemotron_3_nano_as_it_is_published() -> None:
    config = json.loads(CONFIG.read_text())
    found = geometry(config)
    values, keys = 64 * 64, 8 * 128
    assert found.model_type == "nemotron_h"
    assert found.state_numbers == 23 * (values * 128 + 3 * (values + 2 * keys))
    attending = [i for i, kept in enumerate(found.kv_numbers_of_layers) if kept]
    assert attending == [i for i, letter in enumerate(config[PATTERN]) if letter == "*"]
    assert {found.kv_numbers_of_layers[i] for i in attending} == {2 * 2 * 128}
    assert set(found.rotary_of_layers) == {-1}
    assert (found.experts, found.experts_per_token, found.sparse_layers) == (128, 6, 23)
    assert (found.expert_width, found.shared_expert_width) == (1856, 3712)
    assert found.expert_parameters == 2 * 2688 * 1856
    assert found.context_window == 262144
    inner = [width for _, _, width in found.widths_of_layers]
    assert [width > 0 for width in inner] == [letter in "E-" for letter in config[PATTERN]]


def test_nemotron_h_by_its_model_type_alone() -> None:
    """As transformers' class: one layer of each kind."""
    found = geometry({"model_type": "nemotron_h"})
    assert [kept > 0 for kept in found.kv_numbers_of_layers] == [False, False, True, False]
    assert found.state_numbers == 8192 * 128 + 3 * (8192 + 2 * 8 * 128)
    assert (found.experts, found.experts_per_token, found.expert_width) == (8, 2, 7688)
    assert (found.shared_expert_width, found.sparse_layers) == (7688, 1)
    assert [inner > 0 for _, _, inner in found.widths_of_layers] == [False, True, False, True]


def test_the_list_counts_before_the_letters() -> None:
    config = {**tiny("nemotron_h"), "layers_block_type": ["full_attention", "mlp"]}
    found = geometry({**config, "num_hidden_layers": 70})
    assert [kept > 0 for kept in found.kv_numbers_of_layers] == [True, False]
    assert (found.state_numbers, found.experts, found.sparse_layers) == (0, 0, 0)


def test_experts_of_a_latent_are_smaller() -> None:
    whole, latent = (geometry({**tiny("nemotron_h"), **more}) for more in ({}, LATENT))
    assert whole.expert_parameters == 2 * 64 * 40
    assert latent.expert_parameters == 2 * 24 * 40


LATENT: dict[str, Any] = {"moe_latent_size": 24}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {PATTERN: ""},
            f"'{PATTERN}' is the string \"\", which must be a list of 1 to 4096 layers",
        ),
        (
            {"layers_block_type": []},
            "'layers_block_type' is an array, which must be a list of 1 to 4096 layers",
        ),
        (
            {"moe_latent_size": 0},
            "'moe_latent_size' is the integer 0, which must be from 1 to 4194304",
        ),
        (
            {"mamba_num_heads": 6},
            "'mamba_num_heads' is 6, which must be a multiple of 'n_groups', 4",
        ),
        (
            {"n_routed_experts": 2},
            "'num_experts_per_tok' is 3, which must be at most 'n_routed_experts', 2",
        ),
    ],
    ids=range(5),
)
def test_values_that_no_model_can_have(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelCorruptError) as caught:
        geometry({**tiny("nemotron_h"), **changes})
    assert str(caught.value) == f"[config] config.json: {sentence}{AGAIN}"


def test_experts_are_not_read_where_no_layer_has_any() -> None:
    found = geometry({**tiny("nemotron_h"), PATTERN: "M-*", "n_routed_experts": -7})
    assert found.experts == 0


def test_kinds_that_there_are_not() -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        geometry({**tiny("nemotron_h"), PATTERN: "ME|*"})
    assert str(caught.value) == (
        f"[config] config.json: '{PATTERN}' is the string \"ME|*\"; supported letters: M "
        "(Mamba-2), * (attention), - (MLP), E (experts)."
    )
    with pytest.raises(UnsupportedModelError) as caught:
        geometry({**tiny("nemotron_h"), "layers_block_type": ["moe", "rwkv"]})
    assert str(caught.value) == (
        "[config] config.json: 'layers_block_type[1]' is the string \"rwkv\"; supported: "
        "full_attention, linear_attention, mlp, moe."
    )


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("backbone.layers.1.mixer.experts.3.up_proj.weight", (40, 64), (40, 24)),
        ("backbone.layers.1.mixer.fc1_latent_proj.weight", (64, 24), (24, 64)),
        ("backbone.layers.1.mixer.shared_experts.down_proj.weight", (56, 64), (64, 56)),
        ("backbone.layers.0.mixer.norm.weight", (16,), (128,)),
    ],
)
def test_tensors_of_other_shapes(
    name: str, shape: tuple[int, ...], expected: tuple[int, ...], tmp_path: Path
) -> None:
    content = checkpoints.tensors({**tiny("nemotron_h"), **LATENT})
    content[name] = checkpoints.Tensor("F32", np.zeros(shape, np.float32))
    config = {**tiny("nemotron_h"), **LATENT}
    with pytest.raises(ModelCorruptError) as caught:
        cm.Engine.load(checkpoints.write(tmp_path, config, content=content))
    found, wanted = (f"({', '.join(map(str, one))})" for one in (shape, expected))
    assert f"'{name}' has shape {found}, expected {wanted}" in str(caught.value)
