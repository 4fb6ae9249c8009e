"""A key that config.json lacks means what it means to the published class: for every model type and
every key, what we read is compared with the defaults of transformers' configuration class."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

import pytest

from arch.variants import rows
from convergio_mlx.platform.native import native
from everyday import one_in

transformers = pytest.importorskip("transformers")

OTHER: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 256,
    "intermediate_size": 112,
    "num_hidden_layers": 7,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 32,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-3,
    "layer_norm_eps": 2e-3,
    "norm_epsilon": 3e-3,
    "norm_eps": 4e-3,
    "post_norm_eps": 5e-3,
    "hidden_act": "relu",
    "hidden_activation": "relu",
    "rope_theta": 12345.0,
    "rope_local_base_freq": 2345.0,
    "partial_rotary_factor": 0.75,
    "sliding_window": 24,
    "use_sliding_window": True,
    "max_window_layers": 3,
    "sliding_window_pattern": 3,
    "no_rope_layer_interval": 3,
    "attn_logit_softcapping": 7.0,
    "final_logit_softcapping": 9.0,
    "query_pre_attn_scalar": 48,
    "attention_multiplier": 0.3,
    "embedding_multiplier": 5.0,
    "residual_multiplier": 0.7,
    "logits_scaling": 3.0,
    "num_experts": 12,
    "num_local_experts": 12,
    "num_experts_per_tok": 3,
    "moe_intermediate_size": 40,
    "shared_expert_intermediate_size": 72,
    "decoder_sparse_step": 2,
    "n_routed_experts": 16,
    "q_lora_rank": 24,
    "kv_lora_rank": 40,
    "qk_nope_head_dim": 12,
    "qk_rope_head_dim": 6,
    "v_head_dim": 20,
    "n_shared_experts": 2,
    "moe_num_experts": 10,
    "moe_k": 4,
    "moe_num_shared_experts": 3,
    "moe_layer_start_index": 2,
    "moe_layer_end_index": 5,
    "moe_layer_interval": 2,
    "first_k_dense_replace": 2,
    "logit_scale": 0.7,
    "output_multiplier": 0.3,
    "qk_scale_factor": 2.5,
    "use_parallel_residual": True,
    "intermediate_size_mlp": 144,
    "attention_chunk_size": 40,
    "interleave_moe_layer_step": 2,
    "conv_L_cache": 5,
    "full_attn_idxs": [1, 4],
    "block_ff_dim": 400,
    "block_multiple_of": 48,
    "block_ffn_dim_multiplier": 1.3,
    "num_dense_layers": 3,
    "linear_num_value_heads": 48,
    "linear_num_key_heads": 8,
    "linear_key_head_dim": 24,
    "linear_value_head_dim": 40,
    "linear_conv_kernel_dim": 6,
    "full_attention_interval": 3,
    "model_max_length": 640,
    "num_experts_per_token": 5,
    "num_shared_experts": 4,
    "linear_num_heads": 3,
    "linear_head_dim": 20,
    "shared_intermediate_size": 88,
    "mamba_n_heads": 16,
    "mamba_d_head": 24,
    "mamba_n_groups": 2,
    "mamba_d_state": 20,
    "mamba_d_conv": 3,
}
"""A value that is no class's default for every key that is read."""


CLASSES = {
    "qwen3_vl": "qwen3_vl_text",
    "muse_glimmer": "muse_glimmer_text",
    "qwen3_5": "qwen3_5_text",
    "qwen3_5_moe": "qwen3_5_moe_text",
}
"""Where the row's own name is that of a multimodal model's class, its text model's."""


GRANITE = ("granite", "granitemoe")
QWEN_NEXT = ("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text")
QWEN_MOE = ("qwen2_moe", "qwen3_moe", "qwen3_next", "qwen3_5_moe_text")
SHARED_EXPERT = ("qwen2_moe", "qwen3_next", "qwen3_5_moe_text")
SHORT_CONVS = ("lfm2", "lfm2_moe")
LATENT = ("glm4_moe_lite", "deepseek_v3", "deepseek_v2")
GLM = ("glm4_moe", *LATENT)
LOCAL = ("mixtral", "granitemoe", "minimax_m2", "gpt_oss", "phimoe", "llama4_text")
EXPERTS = (*LOCAL, *QWEN_MOE, "olmoe", *GLM, "ernie4_5_moe", "laguna", "lfm2_moe")
COUNTS = {
    **dict.fromkeys(LOCAL, "num_local_experts"),
    **dict.fromkeys((*QWEN_MOE, "olmoe", "laguna", "lfm2_moe"), "num_experts"),
    **dict.fromkeys(GLM, "n_routed_experts"),
    "ernie4_5_moe": "moe_num_experts",
}
ALIASES = {
    "qwen3_moe": ("num_local_experts",),
    "mixtral": ("num_experts",),
    "minimax_m2": ("num_experts",),
    "gpt_oss": ("num_experts",),
    "olmoe": ("num_local_experts",),
    "glm4_moe": ("num_local_experts",),
    "glm4_moe_lite": ("num_local_experts",),
    "deepseek_v3": ("num_local_experts",),
    "deepseek_v2": ("num_experts",),
    "ernie4_5_moe": ("num_experts", "num_experts_per_tok"),
}
"""Other names that transformers alone has for numbers of experts."""
NEEDED: dict[str, dict[str, Any]] = {
    "deepseek_v2": {"num_experts_per_tok": 3},
    **{row: {"hidden_act": "silu"} for row in ("qwen3_next", "qwen3_5", "qwen3_5_moe")},
}
"""Keys without a default, and those that may have one value alone."""
UNPUBLISHED = {"exaone"}
"""Rows without a class in transformers."""
OTHERWISE = {"gemma4_text", "kimi_linear", "granitemoehybrid", "nemotron_h", "mamba2"}
OTHERWISE |= {"falcon_h1", "olmo_hybrid"}
"""Rows whose layers differ in more than is compared here: test_geometry.py, test_recurrences.py,
test_layer_kinds.py, test_mamba.py."""
ROWS = sorted(set(rows()) - UNPUBLISHED - OTHERWISE)
PARTIAL = {"phi3", "glm4", "glm4_moe", "stablelm", "phi", "nemotron", "laguna"}
PARTIAL |= {"qwen3_next", "qwen3_5", "qwen3_5_moe", *QWEN_NEXT}
SCALED = {"ministral3", "apertus", "gpt_oss"}
"""Rows whose class scales where a config.json says nothing; what is compared here is unscaled."""
UNSCALED = {"rope_type": "default", "rope_theta": 12345.0}
EPS_KEYS = {
    "cohere": "layer_norm_eps",
    "cohere2": "layer_norm_eps",
    "stablelm": "layer_norm_eps",
    "phi": "layer_norm_eps",
    "starcoder2": "norm_epsilon",
    "nemotron": "norm_eps",
    "lfm2": "norm_eps",
    "lfm2_moe": "norm_eps",
}
LOGIT_KEYS = {
    "cohere": "logit_scale",
    "cohere2": "logit_scale",
    "muse_glimmer": "output_multiplier",
}


def published(config: dict[str, Any]) -> Any:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    model_type = CLASSES.get(config["model_type"], config["model_type"])
    values = {key: value for key, value in config.items() if key != "model_type"}
    return CONFIG_MAPPING[model_type](**values)


WINDOWED = ("mistral", "ministral3", "mixtral", "phi3", "phimoe", "qwen3_moe", "starcoder2")
NO_WINDOW = ("llama", "qwen3_vl_text", "olmo2", "olmoe", "glm4_moe", "minimax_m2", *GRANITE)
NO_WINDOW = (*NO_WINDOW, *SHORT_CONVS, *QWEN_NEXT, "seed_oss", "glm4", "ernie4_5", "ernie4_5_moe")


def windows_of(known: Any) -> list[int]:
    """For each layer, as the class's model uses what its configuration says."""
    layers = known.num_hidden_layers
    if known.model_type in WINDOWED:
        return [known.sliding_window or 0] * layers
    if not hasattr(known, "layer_types") or known.model_type in NO_WINDOW:
        return [0] * layers
    if known.model_type == "llama4_text":
        chunk = known.attention_chunk_size
        return [chunk if kind == "chunked_attention" else 0 for kind in known.layer_types]
    used = getattr(known, "use_sliding_window", True)
    window = (known.sliding_window or 0) if used else 0
    return [window if kind == "sliding_attention" else 0 for kind in known.layer_types]


def attending(known: Any) -> list[bool]:
    if known.model_type not in (*SHORT_CONVS, *QWEN_NEXT):
        return [True] * known.num_hidden_layers
    if known.layer_types is not None:
        return [kind == "full_attention" for kind in known.layer_types]
    # lfm2_moe's class has no default; mlx-lm's reads this
    listed = getattr(known, "full_attn_idxs", range(known.num_hidden_layers))
    return [layer in listed for layer in range(known.num_hidden_layers)]


def state_numbers(known: Any) -> int:
    layers = attending(known).count(False)
    if known.model_type in SHORT_CONVS:
        return int(layers * (known.conv_L_cache - 1) * known.hidden_size)
    if known.model_type in QWEN_NEXT:
        matrix = known.linear_key_head_dim * known.linear_value_head_dim
        keys = known.linear_num_key_heads * known.linear_key_head_dim
        values = known.linear_num_value_heads * known.linear_value_head_dim
        inputs = (known.linear_conv_kernel_dim - 1) * (2 * keys + values)
        return int(layers * (inputs + known.linear_num_value_heads * matrix))
    return 0


def width_of(known: Any) -> int:
    if known.model_type == "llama4_text":
        return int(known.intermediate_size_mlp)
    width = int(getattr(known, "intermediate_size", 5632))  # qwen3_5_moe has no dense layer
    if known.model_type == "lfm2" and known.block_auto_adjust_ff_dim:
        width = int(known.block_ffn_dim_multiplier * int(2 * width / 3))
        width = -(-width // known.block_multiple_of) * known.block_multiple_of
    return width


def rotated_layers(known: Any) -> list[bool]:
    if known.model_type in ("smollm3", "llama4_text"):
        return [bool(flag) for flag in known.no_rope_layers]
    if known.model_type == "muse_glimmer_text":
        return [bool(theta) for theta in known.layer_rope_theta]
    if known.model_type in ("exaone4", "cohere2") and known.sliding_window is not None:
        return [kind == "sliding_attention" for kind in known.layer_types]
    return attending(known)


def experts_of(known: Any) -> dict[str, int]:
    if known.model_type not in EXPERTS:
        names = ("experts", "experts_per_token", "expert_width", "shared_expert_width")
        return dict.fromkeys((*names, "sparse_layers"), 0)
    kind, glm = known.model_type, known.model_type in GLM
    ernie = kind == "ernie4_5_moe"
    laguna = kind == "laguna"
    # others keep what they do not read
    narrow = glm or ernie or laguna or kind in (*QWEN_MOE, "lfm2_moe")
    width = known.moe_intermediate_size if narrow else known.intermediate_size
    shared = known.n_shared_experts * width if glm else 0
    if ernie:
        shared = known.moe_num_shared_experts * width
    llama4 = kind == "llama4_text"
    if llama4:
        shared = width
    step = getattr(known, "decoder_sparse_step", 1) if kind in QWEN_MOE[:3] else 1
    # glm4_moe_lite's class has a list of layers in its place, the first of them dense
    dense = getattr(known, "first_k_dense_replace", 1) if glm else int(laguna)
    dense = known.num_dense_layers if kind == "lfm2_moe" else dense
    return {
        "experts": getattr(known, COUNTS[kind]),
        "experts_per_token": known.num_experts_per_tok,
        "expert_width": width,
        "shared_expert_width": (
            known.shared_expert_intermediate_size if kind in (*SHARED_EXPERT, "laguna") else shared
        ),
        "sparse_layers": (
            len(known.moe_layers)
            if llama4
            else _spanned(known)
            if ernie
            else known.num_hidden_layers // step - dense
        ),
    }


def _spanned(known: Any) -> int:
    layers = range(known.moe_layer_start_index, known.moe_layer_end_index + 1)
    return sum((layer + 1) % known.moe_layer_interval == 0 for layer in layers)


def expected(known: Any) -> dict[str, Any]:
    """What transformers' configuration says, in our terms."""
    kind = known.model_type
    # glm4_moe's class has none; each published config says 128, and its defaults' quotient is 42.6
    quotient = 128 if kind == "glm4_moe" else known.hidden_size // known.num_attention_heads
    head_dim = getattr(known, "head_dim", None) or quotient
    latent = kind in LATENT
    if latent:
        head_dim = known.qk_nope_head_dim + known.qk_rope_head_dim
    gemma = kind in ("gemma2", "gemma3_text")
    muse = kind == "muse_glimmer_text"
    row = kind.removesuffix("_text") if kind in CLASSES.values() else kind
    logits_divisor = getattr(known, "logits_scaling", 1.0) if kind in GRANITE else 1.0
    if key := LOGIT_KEYS.get(row):
        logits_divisor = 1 / getattr(known, key)
    scale = (known.query_pre_attn_scalar if gemma else head_dim) ** -0.5
    scale *= known.qk_scale_factor if muse else 1.0
    ropes = known.rope_parameters
    if kind == "olmo3":
        # transformers drops a "rope_theta" beside the block for sliding layers, mlx-lm does not
        ropes["sliding_attention"]["rope_theta"] = ropes["full_attention"]["rope_theta"]
    local = "full_attention" in ropes
    nested = [ropes["full_attention"], ropes["sliding_attention"]] if local else [ropes]
    return {
        "vocab_size": known.vocab_size,
        "hidden_size": known.hidden_size,
        "intermediate_size": width_of(known),
        "heads": known.num_attention_heads,
        "kv_heads": 1 if latent else known.num_key_value_heads or known.num_attention_heads,
        "head_dim": known.kv_lora_rank + known.qk_rope_head_dim if latent else head_dim,
        "context_window": known.max_position_embeddings,
        "norm_eps": getattr(known, EPS_KEYS.get(row, "rms_norm_eps")),
        "post_norm_eps": getattr(
            known, "post_norm_eps" if muse else EPS_KEYS.get(row, "rms_norm_eps")
        ),
        "attention_scale": known.attention_multiplier if kind in GRANITE else scale,
        "attention_softcap": (gemma and known.attn_logit_softcapping) or 0.0,
        "logits_softcap": ((gemma or muse) and known.final_logit_softcapping) or 0.0,
        "logits_divisor": logits_divisor,
        "residual_multiplier": known.residual_multiplier if kind in GRANITE else 1.0,
        "embedding_multiplier": (
            math.sqrt(known.hidden_size)
            if gemma or kind == "gemma"
            else (known.embedding_multiplier if kind in GRANITE else 1.0)
        ),
        "activation": (
            "silu"
            if kind in SHORT_CONVS
            else known.hidden_activation
            if gemma or muse
            else known.hidden_act
        ),
        # where the class does not tie, a file without a head is taken for what it is
        "tied": True if getattr(known, "tie_word_embeddings", False) else None,
        **experts_of(known),
        "windows": windows_of(known),
        "state_numbers": state_numbers(known),
        "rotated": rotated_layers(known),
        "rotary": [
            periods(
                rope["rope_theta"],
                known.qk_rope_head_dim
                if latent
                else int(
                    head_dim * (rope.get("partial_rotary_factor", 1.0) if kind in PARTIAL else 1.0)
                ),
            )
            for rope in nested
        ],
    }


def periods(theta: float, dims: int) -> list[float]:
    return [theta ** (i / dims) for i in range(0, dims, 2)]


def read(config: dict[str, Any]) -> dict[str, Any]:
    """What we read of a config.json, as `expected`."""
    geometry = native().geometry(json.dumps(config).encode())
    tables = max(geometry.rotary_of_layers) + 1
    if config["model_type"] in ("gemma3_text", "gemma4_text", "olmo3", "laguna"):
        tables = 2
    found = {
        "rotated": [index >= 0 for index in geometry.rotary_of_layers],
        "rotary": [geometry.rotary(index, 1)[0] for index in range(tables)],
    }
    return {**{key: getattr(geometry, key) for key in compared() if key not in found}, **found}


@cache
def compared() -> tuple[str, ...]:
    """The names in `expected`, the same of every class."""
    return (*expected(published({"model_type": "llama"})),)


def approximately(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: [pytest.approx(one, rel=1e-6) for one in value]
        if key == "rotary"
        else (pytest.approx(value, rel=1e-6) if isinstance(value, float) else value)
        for key, value in values.items()
    }


def full(row: str) -> dict[str, Any]:
    """A config.json with every key that is read, none of them at its default."""
    other = dict(OTHER)
    if row not in PARTIAL:
        del other["partial_rotary_factor"]
    for alias in ALIASES.get(row, ()):
        del other[alias]
    if row == "glm4_moe_lite":
        del other["head_dim"]  # another name that transformers has for qk_rope_head_dim
    if row == "muse_glimmer":
        other["num_hidden_layers"] = 8  # its pattern is counted from the last layer
    if row in SCALED:
        other["rope_parameters"] = UNSCALED
        del other["rope_theta"]
    return {"model_type": row, **other}


@pytest.mark.parametrize("row", ROWS)
def test_model_type_alone(row: str) -> None:
    config: dict[str, Any] = {"model_type": row, **NEEDED.get(row, {})}
    if row in SCALED:
        config["rope_parameters"] = UNSCALED
    assert read(config) == approximately(expected(published(config)))


@pytest.mark.parametrize("row", one_in(4, ROWS))
def test_one_key_missing_and_none(row: str) -> None:
    for missing in (None, *OTHER):
        config = {name: value for name, value in full(row).items() if name != missing}
        config.update(NEEDED.get(row, {}))
        assert read(config) == approximately(expected(published(config))), missing


NULLS = [
    ("llama", "head_dim"),
    ("llama", "num_key_value_heads"),
    ("mistral", "head_dim"),
    ("mistral", "sliding_window"),
    ("qwen2", "sliding_window"),
    ("qwen3", "sliding_window"),
    ("phi3", "sliding_window"),
    ("gemma2", "sliding_window"),
    ("gemma2", "attn_logit_softcapping"),
    ("gemma2", "final_logit_softcapping"),
    ("gemma3_text", "final_logit_softcapping"),
    ("gemma3_text", "sliding_window"),
    ("smollm3", "sliding_window"),
    ("olmo3", "sliding_window"),
    ("granite", "num_key_value_heads"),
]


@pytest.mark.parametrize(("row", "key"), NULLS)
def test_null_is_none_and_not_the_default(row: str, key: str) -> None:
    config = {**full(row), key: None}
    assert read(config) == approximately(expected(published(config)))


@pytest.mark.parametrize("changes", [{}, {"rope_scaling": None}, {"rope_theta": 12345.0}])
@pytest.mark.parametrize("row", sorted(SCALED))
def test_no_scaling_is_that_of_the_class(row: str, changes: dict[str, Any]) -> None:
    config: dict[str, Any] = {"model_type": row, "num_hidden_layers": 2, **changes}

    def read_with(**more: Any) -> Any:
        geometry = native().geometry(json.dumps({**config, **more}).encode())
        return geometry.rotary(0, 1), geometry.context_window

    block = published(config).rope_parameters
    assert read_with() == read_with(rope_parameters=block)
    assert read_with() != read_with(rope_parameters=UNSCALED)
