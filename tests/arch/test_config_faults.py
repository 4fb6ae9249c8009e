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
from convergio_mlx.platform.native import native

NAN, INFINITY = float("nan"), float("inf")
AGAIN = "; download the model again or correct the file."
RETYPE = "; correct the file or download it again."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.write(tmp_path_factory.mktemp("faults"), tiny("llama"))


def said(folder: Path, changes: dict[str, Any], error: type[Exception], row: str = "llama") -> str:
    """The sentence that loading `folder` with these changes to a row's config ends with."""
    (folder / "config.json").write_text(json.dumps({**tiny(row), **changes}))
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
}
WRONG_TYPES: list[tuple[Any, str]] = [
    ("64", 'the string "64"'),
    (True, "the boolean true"),
    ([], "an array"),
    ({}, "an object"),
]


@pytest.mark.parametrize(("key", "most"), SIZES.items(), ids=list(SIZES))
def test_sizes(folder: Path, key: str, most: int) -> None:
    for value in (0, -1, most + 1, 2**31, 2**62):
        assert said(folder, {key: value}, ModelCorruptError) == (
            f"[config] config.json: '{key}' is the integer {value}, which must be from 1 to {most}"
            f"{AGAIN}"
        )
    for other, text in (
        *WRONG_TYPES,
        (64.0, "the number 64"),
        (10**30, "the number 1e+30"),
        (NAN, "the number nan"),
        (INFINITY, "the number inf"),
    ):
        assert said(folder, {key: other}, ModelCorruptError) == (
            f"[json] config.json: '{key}' must be an integer but is {text}{RETYPE}"
        )


@pytest.mark.parametrize(
    ("row", "key", "none"),
    [("llama", "max_position_embeddings", ()), ("mistral", "sliding_window", (0, -1))],
)
def test_numbers_of_tokens(folder: Path, row: str, key: str, none: tuple[int, ...]) -> None:
    for value, text in (
        (0, "the integer 0"),
        (-1, "the integer -1"),
        (-7, "the integer -7"),
        (NAN, "the number nan"),
        (0.5, "the number 0.5"),
    ):
        if value not in none:
            assert said(folder, {key: value}, ModelCorruptError, row) == (
                f"[config] config.json: '{key}' is {text}, which must be at least 1{AGAIN}"
            )
    for other, text in WRONG_TYPES:
        assert said(folder, {key: other}, ModelCorruptError, row) == (
            f"[json] config.json: '{key}' must be a number but is {text}{RETYPE}"
        )


def test_no_model_type(folder: Path) -> None:
    expected = f"[config] config.json: 'model_type' is missing{AGAIN}"
    assert said(folder, {"model_type": None}, ModelCorruptError) == expected


NUMBERS = {
    ("llama", "rms_norm_eps"): "1e-30 to 1e30",
    ("gemma2", "query_pre_attn_scalar"): "1e-30 to 1e30",
    ("granite", "attention_multiplier"): "1e-30 to 1e30",
    ("granite", "embedding_multiplier"): "1e-30 to 1e30",
    ("granite", "residual_multiplier"): "1e-30 to 1e30",
    ("granite", "logits_scaling"): "1e-30 to 1e30",
    ("llama", "rope_theta"): "1e-12 to 1e12",
    ("phi3", "partial_rotary_factor"): "1e-12 to 1e12",
}


@pytest.mark.parametrize(("place", "span"), NUMBERS.items(), ids=["-".join(one) for one in NUMBERS])
def test_numbers(folder: Path, place: tuple[str, str], span: str) -> None:
    row, key = place
    for value, text in (
        (0, "the integer 0"),
        (-1.5, "the number -1.5"),
        (NAN, "the number nan"),
        (INFINITY, "the number inf"),
        (-INFINITY, "the number -inf"),
        (1e300, "the number 1e+300"),
        (1e-300, "the number 1e-300"),
    ):
        assert said(folder, {key: value}, ModelCorruptError, row) == (
            f"[config] config.json: '{key}' is {text}, which must be from {span}{AGAIN}"
        )
    assert said(folder, {key: "x"}, ModelCorruptError, row) == (
        f"[json] config.json: '{key}' must be a number but is the string \"x\"{RETYPE}"
    )


@pytest.mark.parametrize("key", ["attn_logit_softcapping", "final_logit_softcapping"])
def test_soft_caps(folder: Path, key: str) -> None:
    for value, text in ((-1, "the integer -1"), (NAN, "the number nan")):
        assert said(folder, {key: value}, ModelCorruptError, "gemma2") == (
            f"[config] config.json: '{key}' is {text}, which must be from 1e-30 to 1e30{AGAIN}"
        )


ROPE_TYPES = "supported rope types: default, linear, dynamic, llama3, yarn, longrope, proportional."
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
        {"layer_types": ["full_attention"], "sliding_window": 8},
        f"[config] config.json: 'layer_types' lists 1 layers and 'num_hidden_layers' is 3{AGAIN}",
    ),
    (
        {"layer_types": ["full_attention", 1, 2], "sliding_window": 8},
        f"[json] config.json: 'layer_types[1]' must be a string but is the integer 1{RETYPE}",
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
        {"rope_scaling": {**LLAMA3, "high_freq_factor": 0.5}},
        "[config] config.json: 'rope_scaling.high_freq_factor' is the number 0.5, which must be "
        f"at least 'low_freq_factor'{AGAIN}",
    ),
    (
        {"rope_scaling": {**LLAMA3, "original_max_position_embeddings": 0}},
        "[config] config.json: 'rope_scaling.original_max_position_embeddings' is the integer 0, "
        f"which must be at least 1{AGAIN}",
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
]
UNSUPPORTED: list[tuple[dict[str, Any], str]] = [
    (
        {"hidden_act": "quick_gelu"},
        "[config] config.json: the activation is 'quick_gelu'; supported activations: silu, gelu, "
        "gelu_pytorch_tanh, relu, "
        "relu2.",
    ),
    (
        {
            "layer_types": ["full_attention", "linear_attention", "full_attention"],
            "sliding_window": 8,
        },
        "[config] config.json: 'layer_types' has the string \"linear_attention\"; supported: "
        "full_attention, sliding_attention.",
    ),
    (
        {"rope_scaling": {"type": "mrope"}},
        f"[config] config.json: 'rope_scaling.type' is the string \"mrope\"; {ROPE_TYPES}",
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


OF_ROWS: list[tuple[str, dict[str, Any], str]] = [
    (
        "smollm3",
        {"no_rope_layers": [1, 0, 1, 1, 1]},
        "[config] config.json: 'no_rope_layers' lists 5 layers and 'num_hidden_layers' is 4"
        f"{AGAIN}",
    ),
    (
        "phi3",
        {"partial_rotary_factor": 0.01},
        "[config] config.json: 'partial_rotary_factor' rotates 0 of a head's 16 dimensions, which "
        f"must be even, at least 2 and no more than those{AGAIN}",
    ),
    (
        "phi3",
        {"partial_rotary_factor": 1.5},
        "[config] config.json: 'partial_rotary_factor' rotates 24 of a head's 16 dimensions, which "
        f"must be even, at least 2 and no more than those{AGAIN}",
    ),
    (
        "exaone4",
        {"sliding_window_pattern": "LLX", "layer_types": None},
        "[config] config.json: 'sliding_window_pattern' is the string \"LLX\", which must be a "
        f"number of layers or letters L (sliding) and G (full){AGAIN}",
    ),
    (
        "gemma3_text",
        {"sliding_window_pattern": -1},
        "[config] config.json: 'sliding_window_pattern' is the integer -1, which must be from 1 to "
        f"4096{AGAIN}",
    ),
]


OF_ROWS += [
    (
        "lfm2",
        {"conv_L_cache": 1},
        f"[config] config.json: 'conv_L_cache' is the integer 1, which must be from 2 to 64{AGAIN}",
    ),
    (
        "lfm2",
        {"layer_types": ["conv"]},
        f"[config] config.json: 'layer_types' lists 1 layers and 'num_hidden_layers' is 4{AGAIN}",
    ),
    (
        "lfm2",
        {"layer_types": None, "full_attn_idxs": [1, 4]},
        "[config] config.json: 'full_attn_idxs[1]' is the integer 4, which must be from 0 to 3"
        f"{AGAIN}",
    ),
    (
        "lfm2",
        {"layer_types": None, "full_attn_idxs": ["x"]},
        "[json] config.json: 'full_attn_idxs[0]' must be an integer but is the string \"x\""
        f"{RETYPE}",
    ),
    (
        "lfm2",
        {"block_multiple_of": 4194304, "block_ffn_dim_multiplier": 1000, "block_ff_dim": 9000},
        "[config] config.json: 'block_ff_dim' is 9000, which 'block_ffn_dim_multiplier' and "
        "'block_multiple_of' make 8388608, which must be from 1 to 4194304"
        f"{AGAIN}",
    ),
    (
        "lfm2",
        {"block_ffn_dim_multiplier": 0},
        "[config] config.json: 'block_ffn_dim_multiplier' is the integer 0, which must be from "
        f"1e-3 to 1e3{AGAIN}",
    ),
    (
        "qwen3_5",
        {"linear_num_value_heads": 5},
        "[config] config.json: 'linear_num_value_heads' is 5, which must be a multiple of "
        f"'linear_num_key_heads', 2{AGAIN}",
    ),
    (
        "qwen3_next",
        {"full_attention_interval": 0},
        "[config] config.json: 'full_attention_interval' is the integer 0, which must be from 1 "
        f"to 4096{AGAIN}",
    ),
    *(
        (
            "qwen3_5",
            {key: value},
            f"[config] config.json: '{key}' is the integer {value}, which must be from 1 to 16384"
            f"{AGAIN}",
        )
        for key in (
            "linear_num_value_heads",
            "linear_num_key_heads",
            "linear_key_head_dim",
            "linear_value_head_dim",
        )
        for value in (0, -1, 16385, 2**40)
    ),
]


OF_ROWS += [
    (
        "granitemoehybrid",
        {"mamba_n_heads": 7, "mamba_n_groups": 2},
        "[config] config.json: 'mamba_n_heads' is 7, which must be a multiple of 'mamba_n_groups', "
        f"2{AGAIN}",
    ),
    (
        "granitemoehybrid",
        {"mamba_d_head": "auto", "mamba_n_heads": 3},
        "[config] config.json: 'mamba_n_heads' is 3, which must divide 128, 'mamba_expand' times "
        f"'hidden_size', into at most 16384{AGAIN}",
    ),
    (
        "granitemoehybrid",
        {"mamba_d_head": "half"},
        f"[json] config.json: 'mamba_d_head' must be an integer but is the string \"half\"{RETYPE}",
    ),
    (
        "granitemoehybrid",
        {"mamba_n_heads": 16384, "mamba_d_head": 16384},
        "[config] config.json: the convolution of a layer goes over 268435480 channels, which must "
        f"be at most 4194304{AGAIN}",
    ),
    (
        "granitemoehybrid",
        {"time_step_limit": [0.1]},
        f"[config] config.json: 'time_step_limit' is an array, which must be two numbers{AGAIN}",
    ),
    (
        "granitemoehybrid",
        {"time_step_limit": [-1, 2]},
        "[config] config.json: 'time_step_limit[0]' is the integer -1, which must be at least 0"
        f"{AGAIN}",
    ),
    (
        "granitemoehybrid",
        {"time_step_limit": [3, 2]},
        "[config] config.json: 'time_step_limit[1]' is the integer 2, which must be above 0 and at "
        f"least 'time_step_limit[0]'{AGAIN}",
    ),
    *(
        (
            "granitemoehybrid",
            {key: value},
            f"[config] config.json: '{key}' is the integer {value}, which must be from 1 to 16384"
            f"{AGAIN}",
        )
        for key in ("mamba_n_heads", "mamba_d_head", "mamba_n_groups", "mamba_d_state")
        for value in (0, -1, 16385, 2**40)
    ),
]


def test_types_of_layers_of_granite_4(folder: Path) -> None:
    changes = {"layer_types": ["mamba", "conv", "mamba", "mamba"]}
    assert said(folder, changes, UnsupportedModelError, "granitemoehybrid") == (
        "[config] config.json: 'layer_types' has the string \"conv\"; supported: attention, mamba."
    )


@pytest.mark.parametrize(("row", "key"), [("qwen3_next", "hidden_act"), ("qwen3_5", "hidden_act")])
def test_an_activation_after_the_convolution_that_there_is_not(
    folder: Path, row: str, key: str
) -> None:
    assert said(folder, {key: "gelu"}, UnsupportedModelError, row) == (
        f"[config] config.json: '{key}' is the string \"gelu\"; supported: silu."
    )


@pytest.mark.parametrize(("row", "kind"), [("lfm2", "conv"), ("qwen3_5", "linear_attention")])
def test_a_type_of_layer_that_a_class_does_not_have(folder: Path, row: str, kind: str) -> None:
    assert said(
        folder, {"layer_types": [kind, "mamba", kind, kind]}, UnsupportedModelError, row
    ) == (
        "[config] config.json: 'layer_types' has the string \"mamba\"; supported: full_attention, "
        f"{kind}."
    )


@pytest.mark.parametrize(("row", "changes", "sentence"), OF_ROWS, ids=range(len(OF_ROWS)))
def test_corrupt_for_a_class_that_reads_it(
    folder: Path, row: str, changes: dict[str, Any], sentence: str
) -> None:
    assert said(folder, changes, ModelCorruptError, row) == sentence


@pytest.mark.parametrize("key", ["use_bidirectional_attention", "rope_traditional"])
def test_switches_that_would_compute_something_else(folder: Path, key: str) -> None:
    assert said(folder, {key: True}, UnsupportedModelError, "gemma3_text") == (
        f"[config] config.json: '{key}' is true; supported: false."
    )


def test_two_rotary_embeddings_where_the_class_has_one(folder: Path) -> None:
    parts = {
        "full_attention": {"rope_type": "default", "rope_theta": 1e4},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e6},
    }
    assert said(folder, {"rope_parameters": parts}, UnsupportedModelError) == (
        "[config] config.json: 'rope_parameters.sliding_attention' differs from that of "
        "full_attention; a llama model has one rotary embedding for all layers."
    )


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
