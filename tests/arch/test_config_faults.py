"""What a config.json may not say: each a typed error, whole sentence, before anything is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import checkpoints
import convergio_mlx as cm
from arch.variants import LLAMA3, LONG, LONGROPE, SHORT, YARN, tiny
from convergio_mlx.errors import ModelCorruptError, UnsupportedModelError
from convergio_mlx.native import native

NAN, INFINITY = float("nan"), float("inf")
AGAIN = "; download the model again or correct the file."
RETYPE = "; correct the file or download it again."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.write(tmp_path_factory.mktemp("faults"), tiny("llama"))


def said(folder: Path, changes: dict[str, Any], error: type[Exception]) -> str:
    """The sentence that loading `folder` with these changes to its config ends with."""
    (folder / "config.json").write_text(json.dumps({**tiny("llama"), **changes}))
    with pytest.raises(error) as caught:
        cm.Engine.load(folder)
    assert type(caught.value) is error
    return str(caught.value)


SIZES = {
    "hidden_size": 4194304,
    "intermediate_size": 4194304,
    "num_hidden_layers": 4096,
    "num_attention_heads": 16384,
    "num_key_value_heads": 16384,
    "head_dim": 16384,
    "vocab_size": 67108864,
    "max_position_embeddings": 268435456,
    "sliding_window": 268435456,
}


@pytest.mark.parametrize(("key", "most"), SIZES.items(), ids=list(SIZES))
def test_sizes(folder: Path, key: str, most: int) -> None:
    for value in (0, -1, most + 1, 2**31, 2**62):
        assert said(folder, {key: value}, ModelCorruptError) == (
            f"[config] config.json: '{key}' is {value}, which must be from 1 to {most}{AGAIN}"
        )
    wrong: list[tuple[Any, str]] = [
        ("64", 'the string "64"'),
        (64.0, "the number 64"),
        (True, "the boolean true"),
        (10**30, "the number 1e+30"),
        (NAN, "the number nan"),
        (INFINITY, "the number inf"),
        ([], "an array"),
        ({}, "an object"),
    ]
    for other, text in wrong:
        assert said(folder, {key: other}, ModelCorruptError) == (
            f"[json] config.json: '{key}' must be an integer but is {text}{RETYPE}"
        )


@pytest.mark.parametrize(
    "key",
    [
        "model_type",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "vocab_size",
        "max_position_embeddings",
    ],
)
def test_missing(folder: Path, key: str) -> None:
    expected = f"[config] config.json: '{key}' is missing{AGAIN}"
    assert said(folder, {key: None}, ModelCorruptError) == expected


NUMBERS = {
    "rms_norm_eps": "1e-30 to 1e30",
    "query_pre_attn_scalar": "1e-30 to 1e30",
    "attention_multiplier": "1e-30 to 1e30",
    "embedding_multiplier": "1e-30 to 1e30",
    "residual_multiplier": "1e-30 to 1e30",
    "logits_scaling": "1e-30 to 1e30",
    "rope_theta": "1e-12 to 1e12",
    "partial_rotary_factor": "1e-12 to 1e12",
}


@pytest.mark.parametrize(("key", "span"), NUMBERS.items(), ids=list(NUMBERS))
def test_numbers(folder: Path, key: str, span: str) -> None:
    for value, text in (
        (0, "the integer 0"),
        (-1.5, "the number -1.5"),
        (NAN, "the number nan"),
        (INFINITY, "the number inf"),
        (-INFINITY, "the number -inf"),
        (1e300, "the number 1e+300"),
        (1e-300, "the number 1e-300"),
    ):
        assert said(folder, {key: value}, ModelCorruptError) == (
            f"[config] config.json: '{key}' is {text}, which must be from {span}{AGAIN}"
        )
    assert said(folder, {key: "x"}, ModelCorruptError) == (
        f"[json] config.json: '{key}' must be a number but is the string \"x\"{RETYPE}"
    )


@pytest.mark.parametrize("key", ["attn_logit_softcapping", "final_logit_softcapping"])
def test_soft_caps(folder: Path, key: str) -> None:
    for value, text in ((-1, "the integer -1"), (NAN, "the number nan")):
        assert said(folder, {key: value}, ModelCorruptError) == (
            f"[config] config.json: '{key}' is {text}, which must be from 1e-30 to 1e30{AGAIN}"
        )


ROPE_TYPES = "supported rope types: default, linear, dynamic, llama3, yarn, longrope."
AFFINE = "supported: 2, 3, 4, 5, 6 or 8 bits with groups of 32, 64 or 128."
DOWN = "model.layers.0.mlp.down_proj"
CORRUPT: list[tuple[dict[str, Any], str]] = [
    (
        {"num_key_value_heads": 3},
        "[config] config.json: 'num_attention_heads' is 4, which must be a multiple of "
        f"'num_key_value_heads', 3{AGAIN}",
    ),
    (
        {"head_dim": 15},
        f"[config] config.json: a head has 15 dimensions, which must be even and at least 2{AGAIN}",
    ),
    (
        {"head_dim": None, "num_attention_heads": 128},
        f"[config] config.json: a head has 0 dimensions, which must be even and at least 2{AGAIN}",
    ),
    (
        {"model_type": 7},
        f"[json] config.json: 'model_type' must be a string but is the integer 7{RETYPE}",
    ),
    (
        {"hidden_act": 3},
        f"[json] config.json: 'hidden_act' must be a string but is the integer 3{RETYPE}",
    ),
    (
        {"tie_word_embeddings": "yes"},
        "[json] config.json: 'tie_word_embeddings' must be a boolean but is the string "
        f'"yes"{RETYPE}',
    ),
    (
        {"layer_types": ["full_attention"]},
        f"[config] config.json: 'layer_types' lists 1 layers and 'num_hidden_layers' is 3{AGAIN}",
    ),
    (
        {"layer_types": ["full_attention", 1, 2]},
        f"[json] config.json: 'layer_types[1]' must be a string but is the integer 1{RETYPE}",
    ),
    (
        {"no_rope_layers": [1, 0, 1, 1]},
        "[config] config.json: 'no_rope_layers' lists 4 layers and 'num_hidden_layers' is 3"
        f"{AGAIN}",
    ),
    (
        {"rope_scaling": "linear"},
        "[json] config.json: 'rope_scaling' must be an object but is the string "
        f'"linear"{RETYPE}',
    ),
    (
        {"rope_scaling": {"type": "linear"}},
        f"[config] config.json: 'rope_scaling' has no 'factor', which its rope type needs{AGAIN}",
    ),
    (
        {"rope_scaling": {"type": "linear", "factor": -2}},
        "[config] config.json: 'rope_scaling.factor' is the integer -2, which must be from 1e-12 "
        f"to 1e12{AGAIN}",
    ),
    (
        {"rope_scaling": {**LLAMA3, "high_freq_factor": 1.0}},
        "[config] config.json: 'rope_scaling.high_freq_factor' is the number 1, which must be "
        f"above 'low_freq_factor'{AGAIN}",
    ),
    (
        {"rope_scaling": {**LLAMA3, "original_max_position_embeddings": 0}},
        "[config] config.json: 'rope_scaling.original_max_position_embeddings' is the integer 0, "
        f"which must be from 1 to 268435456{AGAIN}",
    ),
    (
        {"rope_scaling": {**YARN, "beta_fast": 0}},
        "[config] config.json: 'rope_scaling.beta_fast' is the integer 0, which must be from "
        f"1e-12 to 1e12{AGAIN}",
    ),
    (
        {"rope_scaling": YARN, "rope_theta": 1.0},
        f"[config] config.json: 'rope_theta' must be above 1 for rope type yarn{AGAIN}",
    ),
    (
        {"rope_scaling": {**LONGROPE, "short_factor": SHORT[:3]}},
        "[config] config.json: 'rope_scaling.short_factor' has 3 factors and a head rotates 8 "
        f"pairs{AGAIN}",
    ),
    (
        {"rope_scaling": {**LONGROPE, "long_factor": [*LONG[:7], 0]}},
        "[config] config.json: 'rope_scaling.long_factor[7]' is the integer 0, which must be from "
        f"1e-12 to 1e12{AGAIN}",
    ),
    (
        {"rope_parameters": {"full_attention": 3}},
        "[json] config.json: 'rope_parameters.full_attention' must be an object but is the "
        f"integer 3{RETYPE}",
    ),
    (
        {"partial_rotary_factor": 0.01},
        "[config] config.json: 'partial_rotary_factor' turns 0 of a head's 16 dimensions, which "
        f"must be even, at least 2 and no more than those{AGAIN}",
    ),
    (
        {"partial_rotary_factor": 1.5},
        "[config] config.json: 'partial_rotary_factor' turns 24 of a head's 16 dimensions, which "
        f"must be even, at least 2 and no more than those{AGAIN}",
    ),
    (
        {"quantization": 4},
        f"[json] config.json: 'quantization' must be an object but is the integer 4{RETYPE}",
    ),
    (
        {"quantization": {"bits": 0}},
        f"[config] config.json: 'quantization.bits' is 0, which must be from 1 to 32{AGAIN}",
    ),
    (
        {"quantization": {"group_size": 2**40}},
        "[config] config.json: 'quantization.group_size' is 1099511627776, which must be from 1 "
        f"to 1024{AGAIN}",
    ),
    (
        {"quantization": {DOWN: {"bits": "8"}}},
        f"[json] config.json: 'quantization[\"{DOWN}\"].bits' must be an integer but is the string "
        f'"8"{RETYPE}',
    ),
]
UNSUPPORTED: list[tuple[dict[str, Any], str]] = [
    (
        {"hidden_act": "quick_gelu"},
        "[config] config.json: the activation is 'quick_gelu'; supported activations: silu, gelu, "
        "gelu_pytorch_tanh, relu.",
    ),
    (
        {"layer_types": ["full_attention", "linear_attention", "full_attention"]},
        "[config] config.json: 'layer_types' has the string \"linear_attention\"; supported: "
        "full_attention, sliding_attention.",
    ),
    (
        {"rope_scaling": {"type": "mrope"}},
        f"[config] config.json: 'rope_scaling.type' is the string \"mrope\"; {ROPE_TYPES}",
    ),
    (
        {"quantization": {"bits": 7}},
        f"[config] config.json: affine quantization with 7 bits and groups of 64; {AFFINE}",
    ),
    (
        {"quantization": {"group_size": 48, "bits": 4}},
        f"[config] config.json: affine quantization with 4 bits and groups of 48; {AFFINE}",
    ),
    (
        {"quantization": {"group_size": 64, "bits": 4, DOWN: {"bits": 9}}},
        f"[config] config.json: affine quantization with 9 bits and groups of 64; {AFFINE}",
    ),
    (
        {"quantization": {"mode": "mxfp4", "bits": 8}},
        "[config] config.json: mxfp4 quantization with 8 bits and groups of 32; supported: 4 bits "
        "with groups of 32.",
    ),
    (
        {"quantization": {"mode": "mxfp8", "group_size": 64}},
        "[config] config.json: mxfp8 quantization with 8 bits and groups of 64; supported: 8 bits "
        "with groups of 32.",
    ),
    (
        {"quantization": {"mode": "nvfp4", "group_size": 32}},
        "[config] config.json: nvfp4 quantization with 4 bits and groups of 32; supported: 4 bits "
        "with groups of 16.",
    ),
    (
        {"quantization": {"mode": "gguf"}},
        "[config] config.json: the quantization mode is 'gguf'; supported modes: affine, mxfp4, "
        "mxfp8, nvfp4.",
    ),
    (
        {"quantization_config": {"quant_method": "awq", "bits": 4}},
        "[config] config.json: 'quantization_config' has quant_method the string \"awq\", which is "
        "not MLX's format; use a checkpoint from mlx-community or convert it with mlx_lm.convert.",
    ),
]


def by_changes(cases: list[tuple[dict[str, Any], str]]) -> pytest.MarkDecorator:
    ids = [json.dumps(changes)[:60] for changes, _ in cases]
    return pytest.mark.parametrize(("changes", "sentence"), cases, ids=ids)


@by_changes(CORRUPT)
def test_corrupt(folder: Path, changes: dict[str, Any], sentence: str) -> None:
    assert said(folder, changes, ModelCorruptError) == sentence


@by_changes(UNSUPPORTED)
def test_unsupported(folder: Path, changes: dict[str, Any], sentence: str) -> None:
    assert said(folder, changes, UnsupportedModelError) == sentence


@pytest.mark.parametrize(
    ("model_type", "shown"),
    [("gpt2", "gpt2"), ("lla\nma", "lla\\nma"), ("x" * 5000, "x" * 60 + "...")],
    ids=["gpt2", "control", "long"],
)
def test_model_type(folder: Path, model_type: str, shown: str) -> None:
    assert said(folder, {"model_type": model_type}, UnsupportedModelError) == (
        f"[config] config.json: 'model_type' is the string \"{shown}\"; supported model types: "
        f"{', '.join(native().model_types())}."
    )


@pytest.mark.parametrize("text", ["[]", "3", '"x"', "null"])
def test_no_object(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    shown = {"[]": "an array", "3": "the integer 3", '"x"': 'the string "x"', "null": "null"}[text]
    with pytest.raises(ModelCorruptError) as caught:
        cm.Engine.load(folder)
    assert str(caught.value) == (
        f"[config] config.json: it holds {shown}, which must be an object{AGAIN}"
    )
