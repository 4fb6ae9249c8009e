"""Heads, gates and experts that differ from layer to layer: what is read, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from arch.variants import tiny
from convergio_mlx.errors import ModelCorruptError, UnsupportedModelError
from convergio_mlx.platform.native import native

AGAIN = "; download the model again or correct the file."


def geometry(**changes: Any) -> Any:
    return native().geometry(json.dumps({**tiny("laguna"), **changes}).encode())


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"num_attention_heads_per_layer": [4, 6, 2]},
            "'num_attention_heads_per_layer' lists 3 layers and 'num_hidden_layers' is 4",
        ),
        (
            {"mlp_layer_types": ["dense"] * 5},
            "'mlp_layer_types' lists 5 layers and 'num_hidden_layers' is 4",
        ),
        (
            {"num_attention_heads_per_layer": [4, 5, 2, 4]},
            "'num_attention_heads_per_layer[1]' is the integer 5, which must be a multiple of "
            "'num_key_value_heads', 2",
        ),
        (
            {"num_attention_heads_per_layer": [4, 4, 4, 0]},
            "'num_attention_heads_per_layer[3]' is the integer 0, which must be a multiple of "
            "'num_key_value_heads', 2",
        ),
        (
            {
                "num_attention_heads": 1,
                "num_key_value_heads": 1,
                "hidden_size": 2**22,
                "head_dim": None,
                "num_attention_heads_per_layer": [16384] * 4,
            },
            "'num_attention_heads_per_layer[0]' is the integer 16384, which must be at most 1 "
            "with heads of 4194304 dimensions",
        ),
    ],
)
def test_lists_of_layers(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ModelCorruptError) as caught:
        geometry(**changes)
    assert str(caught.value) == f"[config] config.json: {text}{AGAIN}"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"mlp_layer_types": ["dense", "sparse", "wide", "sparse"]},
            "'mlp_layer_types[2]' is the string \"wide\"; supported: dense, sparse.",
        ),
        ({"gating": "per-element"}, "'gating' is the string \"per-element\"; supported: per-head."),
        (
            {"moe_apply_router_weight_on_input": True},
            "'moe_apply_router_weight_on_input' is true; supported: false.",
        ),
    ],
)
def test_what_is_not_computed_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        geometry(**changes)
    assert str(caught.value) == f"[config] config.json: {text}"


def test_layers_without_lists_are_alike_but_the_first() -> None:
    found = geometry(num_attention_heads_per_layer=None, mlp_layer_types=None, layer_types=None)
    assert found.sparse_layers == 3
    assert found.windows == [0, 0, 0, 0]
