"""The rows' tiny configs, and what else a config.json of each may say: what the comparisons with
mlx-lm and transformers loop over."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LENGTH = 48
"""Tokens that each variant is run on; some of the windows and first contexts are shorter."""


@dataclass(frozen=True)
class Variant:
    """A row's tiny config with changes. Where one of the references computes something else by
    design, the reason stands here, and the other one is the reference."""

    name: str
    row: str
    changes: dict[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    """Keys of the tiny config that are left out."""
    not_mlx_lm: str = ""
    not_transformers: str = ""
    wrapper: str = ""
    """The model type of a multimodal config.json that has this one as its text_config."""
    as_row: bool = False
    """The logits are the row's own: what is said has no effect here, and must not."""

    @property
    def config(self) -> dict[str, Any]:
        """The whole config.json."""
        config = {**tiny(self.row), **self.changes}
        config = {key: value for key, value in config.items() if key not in self.without}
        if not self.wrapper:
            return config
        return {
            "model_type": self.wrapper,
            "text_config": config,
            "vocab_size": config["vocab_size"],
            "tie_word_embeddings": config.get("tie_word_embeddings", False),
            "vision_config": {},
        }


def tiny(row: str) -> dict[str, Any]:
    """The tiny config of a row: tests/arch/<model_type>.json."""
    path = HERE / f"{row}.json"
    assert path.exists(), (
        f"the table has a row '{row}' without a tiny config; write {path.name} beside the others "
        "(docs/add-a-model.md)."
    )
    config: dict[str, Any] = json.loads(path.read_text())
    return config


def rows() -> list[str]:
    """The model types that have a tiny config."""
    return sorted(path.stem for path in HERE.glob("*.json"))


LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
SHORT = [1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5]
LONG = [1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 9.0]
LONGROPE = {"type": "longrope", "short_factor": SHORT, "long_factor": LONG}
WINDOWLESS = {
    "sliding_window": None,
    "sliding_window_pattern": None,
    "layer_types": ["full_attention"] * 4,
}
ALTERNATE = ["sliding_attention", "full_attention", "sliding_attention"]

GEMMA4_EXPERTS = {
    "enable_moe_block": True,
    "num_experts": 7,
    "top_k_experts": 3,
    "moe_intermediate_size": 48,
    "hidden_size_per_layer_input": 0,
    "num_kv_shared_layers": 0,
    "attention_k_eq_v": True,
    "num_global_key_value_heads": 1,
}
"""As Gemma 4 26B-A4B is published."""

NOT_TRANSFORMERS = {
    "exaone": "transformers has no such class.",
    "muse_glimmer": "transformers has this text model inside the multimodal one alone.",
    "qwen3_vl": "transformers has this text model inside the multimodal one alone.",
}
"""Rows that transformers has no causal language model for."""
NOT_MLX_LM = {
    "gemma": "mlx-lm computes the exact gelu; Gemma was trained with the tanh approximation, which "
    "transformers takes the published 'gelu' for.",
}
"""Rows that mlx-lm computes otherwise."""
WRAPPED_IN_MLX_LM = {
    "llama4_text": "mlx-lm has experts and chunks inside the multimodal model alone.",
}
"""Rows whose tiny config is one of mlx-lm's inside another alone."""
NO_DEFAULT_SCALING = "mlx-lm does not scale where config.json says nothing."
NO_WINDOW = "mlx-lm's class for this model type has no sliding window."
ALWAYS_GATED = "transformers takes anything but a gate for each head as one for each number."
OLD_KEYS = "mlx-lm reads rope_parameters in some classes alone, and this is none of them."
STACKED = "transformers reads experts as they are published, one by one."
INTERVAL = "mlx-lm reads full_attention_interval and no layer_types."
ADDS_ONE = "mlx-lm tells by a convolution whether norms are as published, and there is none."
CONVERTED = "transformers reads convolutions as they are published."
GROUPS = "mlx-lm norms all groups of heads together."
SILU = "mlx-lm's class computes silu whatever the config says."


def _variants() -> list[Variant]:
    out = [
        Variant(
            row,
            row,
            not_mlx_lm=NOT_MLX_LM.get(row, "") or WRAPPED_IN_MLX_LM.get(row, ""),
            not_transformers=NOT_TRANSFORMERS.get(row, ""),
        )
        for row in rows()
    ]

    def add(row: str, name: str, changes: dict[str, Any], **reasons: Any) -> None:
        out.append(Variant(f"{row}-{name}", row, changes, **reasons))

    add("llama", "tied", {"tie_word_embeddings": True})
    add("llama", "biases", {"attention_bias": True, "mlp_bias": True})
    add("llama", "many-heads", {"num_key_value_heads": 4})
    add("llama", "one-kv-head", {"num_key_value_heads": 1})
    add("llama", "wide-heads", {"head_dim": 32})
    add("llama", "llama3", {"rope_scaling": LLAMA3})
    add("llama", "linear", {"rope_scaling": {"type": "linear", "factor": 4.0}})
    add(
        "llama",
        "dynamic",
        {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}, "max_position_embeddings": 32},
    )
    add(
        "llama",
        "dynamic-short",
        {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}},
        as_row=True,
    )
    add("llama", "yarn", {"rope_scaling": YARN})
    add("llama", "yarn-betas", {"rope_scaling": {**YARN, "beta_fast": 8, "beta_slow": 2}})
    add(
        "llama",
        "yarn-mscale",
        {"rope_scaling": {**YARN, "mscale": 1.5, "mscale_all_dim": 0.5}},
    )
    add(
        "llama",
        "yarn-attention",
        {"rope_scaling": {**YARN, "attention_factor": 1.3, "truncate": False}},
        not_mlx_lm="mlx-lm reads neither attention_factor nor truncate.",
    )
    add(
        "llama",
        "parameters",
        {"rope_parameters": {**LLAMA3, "rope_theta": 10000.0}},
        not_mlx_lm=OLD_KEYS,
    )
    add("llama", "gelu", {"hidden_act": "gelu"}, not_mlx_lm=SILU)
    add("llama", "relu", {"hidden_act": "relu"}, not_mlx_lm=SILU)
    add(
        "llama",
        "layer-types",
        {"layer_types": ALTERNATE, "sliding_window": 8},
        not_transformers="transformers' llama ignores layer_types.",
    )
    add("mistral", "window", {"sliding_window": 8}, not_mlx_lm=NO_WINDOW)
    add("mistral", "window-of-one", {"sliding_window": 1}, not_mlx_lm=NO_WINDOW)
    add("qwen2", "window", {"use_sliding_window": True}, not_mlx_lm=NO_WINDOW)
    add(
        "qwen2",
        "unused-window",
        {"layer_types": ALTERNATE},
        not_transformers="transformers refuses layer_types that slide where no window is used.",
        as_row=True,
    )
    add("qwen2", "untied", {"tie_word_embeddings": False})
    add("qwen2", "yarn", {"rope_scaling": YARN})
    add(
        "qwen3",
        "window",
        {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
        not_mlx_lm=NO_WINDOW,
    )
    add("qwen3", "biases", {"attention_bias": True}, not_mlx_lm="mlx-lm's qwen3 has no biases.")
    add(
        "qwen3",
        "parameters",
        {"rope_parameters": {**YARN, "rope_theta": 10000.0}, "rope_theta": None},
    )
    add("phi3", "window", {"sliding_window": 8}, not_mlx_lm=NO_WINDOW)
    add("phi3", "gqa", {"num_key_value_heads": 2})
    add("phi3", "partial", {"partial_rotary_factor": 0.5})
    add("phi3", "longrope-long", {"rope_scaling": LONGROPE, "original_max_position_embeddings": 32})
    add(
        "phi3",
        "longrope-short",
        {"rope_scaling": LONGROPE, "original_max_position_embeddings": 64},
        not_mlx_lm="mlx-lm turns by long_factor at any length.",
    )
    add(
        "phi3",
        "longrope-partial",
        {
            "rope_scaling": {**LONGROPE, "short_factor": SHORT[:6], "long_factor": LONG[:6]},
            "original_max_position_embeddings": 32,
            "partial_rotary_factor": 0.75,
        },
    )
    add("gemma2", "window", {"sliding_window": 8}, not_mlx_lm=NO_WINDOW)
    add(
        "gemma2",
        "uncapped",
        {"attn_logit_softcapping": None, "final_logit_softcapping": None},
        not_mlx_lm="mlx-lm's gemma2 cannot do without soft caps.",
    )
    add("gemma3_text", "linear", {"rope_scaling": {"rope_type": "linear", "factor": 8.0}})
    add("gemma3_text", "untied", {"tie_word_embeddings": False})
    add(
        "gemma3_text",
        "capped",
        {"final_logit_softcapping": 1.5},
        not_mlx_lm="mlx-lm's gemma3 has no soft caps.",
    )
    add(
        "gemma3_text",
        "parameters",
        {
            "layer_types": ["full_attention", *ALTERNATE],
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 20000.0},
            },
        },
        not_mlx_lm="mlx-lm's gemma3 reads neither layer_types nor rope_parameters.",
    )
    add("smollm3", "flags", {"no_rope_layers": [0, 1, 1, 0]})
    add(
        "smollm3",
        "window",
        {"use_sliding_window": True, "sliding_window": 8},
        not_mlx_lm="mlx-lm's smollm3 slides by layer_types alone.",
    )
    add("smollm3", "biases", {"attention_bias": True, "mlp_bias": True})
    add("olmo2", "biases", {"attention_bias": True})
    add("olmo3", "yarn", {"rope_scaling": YARN})
    add("olmo3", "layer-types", {"layer_types": ["full_attention", *ALTERNATE]})
    add("granite", "biases", {"attention_bias": True, "mlp_bias": True})
    add("granite", "untied", {"tie_word_embeddings": False})
    add("exaone4", "windowless", WINDOWLESS)
    return out


def _laguna() -> list[Variant]:
    out: list[Variant] = []

    def add(row: str, name: str, changes: dict[str, Any], **reasons: Any) -> None:
        out.append(Variant(f"{row}-{name}", row, changes, **reasons))

    add("laguna", "stacked", {"experts_as": "stacked"}, not_transformers=STACKED)
    add("laguna", "capped", {"moe_router_logit_softcapping": 1.5, "num_experts_per_tok": 7})
    add("laguna", "ungated", {"gating": False}, not_transformers=ALWAYS_GATED)
    full = {"rope_theta": 500000.0, "partial_rotary_factor": 0.5, **YARN}
    add(
        "laguna",
        "yarn",
        {
            "rope_parameters": {
                "full_attention": {**full, "beta_fast": 64.0, "attention_factor": 1.2},
                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            }
        },
        not_mlx_lm="mlx-lm does not read attention_factor.",
    )
    add(
        "laguna",
        "alike",
        {"num_attention_heads_per_layer": None, "mlp_layer_types": None, "layer_types": None},
    )
    return out


def _granite_hybrids(add: Callable[..., None]) -> None:
    row = "granitemoehybrid"
    dense = {"num_local_experts": 0, "num_experts_per_tok": 0, "intermediate_size": 40}
    converted = {"convs_as": "converted", "experts_as": "stacked"}
    add(row, "converted", converted, not_transformers=CONVERTED)
    add(row, "dense", dense)
    add(row, "dense-converted", {**dense, **converted}, not_transformers=CONVERTED)
    add(row, "rope", {"position_embedding_type": "rope"})
    add(row, "groups", {"mamba_n_groups": 4}, not_mlx_lm=GROUPS)
    add(row, "two-taps", {"mamba_d_conv": 2})
    add(row, "no-conv-bias", {"mamba_conv_bias": False})
    add(row, "biases", {"mamba_proj_bias": True, "attention_bias": True})
    add(row, "wide-heads", {"mamba_n_heads": 2, "mamba_d_head": 64, "mamba_d_state": 7})
    add(
        row,
        "auto-heads",
        {"mamba_d_head": "auto", "mamba_n_heads": 4},
        not_mlx_lm="mlx-lm reads the size of a head as a number.",
    )
    add(row, "step-limit", {"time_step_limit": [0.3, 0.6]})
    add(row, "no-attention", {"layer_types": ["mamba"] * 4})
    add(row, "all-attention", {"layer_types": ["attention"] * 4})
    add(
        row,
        "new-types",
        {"layer_types": ["linear_attention", "full_attention", *["linear_attention"] * 2]},
        not_mlx_lm="mlx-lm knows the types of layers by their older names.",
        as_row=True,
    )
    add(row, "untied", {"tie_word_embeddings": False, "num_experts_per_tok": 1})
    add(row, "one-kv-head", {"num_key_value_heads": 1})


def _nemotrons(add: Callable[..., None]) -> None:
    row = "nemotron_h"
    pattern = "hybrid_override_pattern"
    converted = {"convs_as": "converted", "experts_as": "stacked"}
    add(row, "converted", converted, not_transformers=CONVERTED, as_row=True)
    latent = {"moe_latent_size": 24}
    add(row, "latent", latent)
    add(row, "latent-converted", {**latent, **converted}, not_transformers=CONVERTED)
    words = ["linear_attention", "moe", "full_attention", "mlp", "linear_attention"]
    add(row, "words", {pattern: None, "layers_block_type": words}, as_row=True)
    older = ["mamba", "moe", "attention", "mlp", "mamba"]
    add(row, "older-words", {pattern: None, "layers_block_type": older}, as_row=True)
    add(row, "no-attention", {pattern: "MEM-M", "num_hidden_layers": 5})
    add(row, "no-recurrence", {pattern: "*E-*", "num_hidden_layers": 4})
    add(row, "no-experts", {pattern: "M-*-M-"})
    add(row, "biases", {"use_bias": True, "mamba_proj_bias": True, "mlp_bias": True, **latent})
    add(
        row,
        "attention-biases",
        {"attention_bias": True},
        not_transformers="transformers' attention has no biases.",
    )
    add(row, "no-conv-bias", {"use_conv_bias": False})
    add(row, "one-group", {"n_groups": 1, "num_key_value_heads": 1})
    add(row, "two-taps", {"conv_kernel": 2})
    wide = {"mamba_num_heads": 2, "mamba_head_dim": 64, "n_groups": 2, "ssm_state_size": 7}
    add(row, "wide-heads", wide)
    add(row, "expert-groups", {"n_routed_experts": 8, "n_group": 4, "topk_group": 2})
    add(row, "unnormalized", {"norm_topk_prob": False, "routed_scaling_factor": 0.7})
    add(
        row,
        "one-chosen",
        {"num_experts_per_tok": 1},
        not_mlx_lm="mlx-lm does not normalize a single weight.",
    )
    add(
        row,
        "step-limit",
        {"time_step_limit": [0.3, 0.6]},
        not_transformers="transformers reads time_step_min in its place, for prompts alone.",
    )
    add(row, "silu", {"mlp_hidden_act": "silu"}, not_mlx_lm="mlx-lm's class is always relu2.")


def _mambas(add: Callable[..., None]) -> None:
    converted = {"convs_as": "converted"}
    row = "mamba2"
    add(row, "converted", converted, not_transformers=CONVERTED, as_row=True)
    add(row, "tied", {"tie_word_embeddings": True})
    add(row, "biases", {"use_bias": True})
    add(row, "no-conv-bias", {"use_conv_bias": False})
    add(row, "groups", {"n_groups": 4}, not_mlx_lm=GROUPS)
    add(row, "five-taps", {"conv_kernel": 5})
    add(row, "wide-heads", {"num_heads": 2, "head_dim": 64, "state_size": 7})
    add(row, "step-limit", {"time_step_limit": [0.3, 0.6]})

    row = "falcon_h1"
    once = "mlx-lm's conversion takes the matrices alone."
    add(row, "converted", converted, not_transformers=CONVERTED)
    tied = {"tie_word_embeddings": True, "lm_head_multiplier": 2.5}
    add(row, "tied", tied)
    add(row, "tied-converted", {**tied, **converted}, not_transformers=CONVERTED)
    add(row, "keys", {"key_multiplier": 0.39}, not_mlx_lm="mlx-lm never multiplies keys.")
    add(
        row,
        "attention-in",
        {"attention_in_multiplier": 1.5},
        not_mlx_lm="mlx-lm multiplies what queries and keys are made of, and not values.",
    )
    listed = ("mlp_multipliers", "ssm_multipliers")
    names = ("attention_out", "embedding", "lm_head", "ssm_in", "ssm_out")
    add(
        row,
        "plain",
        {},
        without=(*listed, *(f"{name}_multiplier" for name in names)),
        not_mlx_lm="mlx-lm's class has other defaults.",
    )
    add(row, "normed", {"mamba_rms_norm": True})
    add(row, "norm-first", {"mamba_rms_norm": True, "mamba_norm_before_gate": True})
    add(row, "groups", {"mamba_n_groups": 3})
    normed = {"mamba_n_groups": 3, "mamba_rms_norm": True}
    add(row, "normed-groups", normed, not_mlx_lm=GROUPS)
    biases = {"attention_bias": True, "mlp_bias": True, "attention_in_multiplier": 1.5}
    inner = {"mamba_proj_bias": True, "projectors_bias": True}
    add(row, "biases", {**biases, **inner}, not_mlx_lm=once)
    add(row, "two-taps", {"mamba_d_conv": 2, "mamba_conv_bias": False})
    add(
        row,
        "auto-heads",
        {"mamba_d_head": "auto"},
        not_mlx_lm="mlx-lm reads the size of a head as a number.",
        as_row=True,
    )
    add(
        row,
        "expanded",
        {"mamba_d_ssm": None, "mamba_n_heads": 8},
        not_mlx_lm="mlx-lm reads the size of all heads as a number.",
    )
    wide = {"mamba_n_heads": 2, "mamba_d_head": 48, "mamba_d_state": 7}
    add(row, "wide-heads", {**wide, "num_key_value_heads": 1})
    add(
        row,
        "step-limit",
        {"time_step_limit": [0.3, 0.6]},
        not_mlx_lm="mlx-lm's class has no limits of steps.",
    )


def _olmo_hybrids(add: Callable[..., None]) -> None:
    row = "olmo_hybrid"
    mixed = ["linear_attention", "full_attention"]
    add(row, "converted", {"convs_as": "converted"}, not_transformers=CONVERTED, as_row=True)
    add(row, "positive", {"linear_allow_neg_eigval": False})
    add(row, "unrotated", {"rope_parameters": {"rope_type": "default", "rope_theta": None}})
    add(row, "theta", {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}})
    add(row, "one-key-head", {"linear_num_key_heads": 1, "num_key_value_heads": 1})
    add(row, "equal-heads", {"linear_num_key_heads": 3, "linear_num_value_heads": 3})
    add(row, "wide-keys", {"linear_key_head_dim": 32, "linear_value_head_dim": 4})
    add(row, "two-taps", {"linear_conv_kernel_dim": 2})
    add(row, "biases", {"attention_bias": True})
    add(row, "tied", {"tie_word_embeddings": True, "rms_norm_eps": 1e-4})
    add(row, "attention-first", {"layer_types": [*mixed[::-1], *mixed[::-1]]})
    add(row, "default-types", {"layer_types": None})
    only = {"layer_types": ["linear_attention"] * 4}
    add(row, "no-attention", only, not_transformers="transformers' class asks for both kinds.")


def _recurrences() -> list[Variant]:
    out: list[Variant] = []

    def add(row: str, name: str, changes: dict[str, Any], **reasons: Any) -> None:
        out.append(Variant(f"{row}-{name}", row, changes, **reasons))

    converted = {"convs_as": "converted"}
    for row in ("lfm2", "lfm2_moe", "qwen3_next", "qwen3_5", "qwen3_5_moe"):
        changes = {**converted, "experts_as": "stacked"}
        add(row, "converted", changes, not_transformers=CONVERTED, as_row=True)
    add("lfm2", "biases", {"conv_bias": True})
    add("lfm2", "two-taps", {"conv_L_cache": 2})
    add("lfm2", "seven-taps", {"conv_L_cache": 7})
    add("lfm2", "indices", {"layer_types": None, "full_attn_idxs": [0, 3]})
    add("lfm2", "width", {"block_auto_adjust_ff_dim": False, "block_ff_dim": 88})
    add("lfm2", "factor", {"block_ffn_dim_multiplier": 1.7, "block_multiple_of": 24})
    add(
        "lfm2",
        "all-attention",
        {"layer_types": ["full_attention"] * 4},
        not_mlx_lm="mlx-lm's lfm2 asks for the first layer that has a convolution.",
    )
    add("lfm2", "one-kv-head", {"num_key_value_heads": 1})
    add(
        "lfm2",
        "no-attention",
        {"layer_types": ["conv"] * 4},
        not_mlx_lm="mlx-lm's lfm2 asks for the first layer that attends.",
    )
    add(
        "lfm2",
        "untied",
        {"tie_word_embeddings": True, "tie_embedding": False},
        not_mlx_lm="mlx-lm's lfm2 is always tied.",
    )
    add("lfm2_moe", "dense", {"num_dense_layers": 4})
    add("lfm2_moe", "unnormalized", {"norm_topk_prob": False, "routed_scaling_factor": 1.5})
    add("lfm2_moe", "one-chosen", {"num_experts_per_tok": 1, "num_dense_layers": 0})
    linear = ["linear_attention"] * 4
    for row in ("qwen3_next", "qwen3_5"):
        add(row, "two-taps", {"linear_conv_kernel_dim": 2})
        add(row, "one-key-head", {"linear_num_key_heads": 1})
        add(row, "equal-heads", {"linear_num_key_heads": 4, "linear_num_value_heads": 4})
        add(row, "wide-keys", {"linear_key_head_dim": 32, "linear_value_head_dim": 4})
        add(row, "biases", {"attention_bias": True})
        add(row, "no-attention", {"layer_types": linear}, not_mlx_lm=INTERVAL)
        add(
            row,
            "layer-types",
            {"layer_types": ["full_attention", *linear[2:], "full_attention"]},
            not_mlx_lm=INTERVAL,
        )
        add(row, "all-attention", {"full_attention_interval": 1}, not_mlx_lm=ADDS_ONE)
    block = tiny("kimi_linear")["linear_attn_config"]
    add(
        "kimi_linear",
        "converted",
        {**converted, "experts_as": "stacked", "latent_as": "absorbed"},
        not_transformers=CONVERTED,
    )
    add("kimi_linear", "two-taps", {"linear_attn_config": {**block, "short_conv_kernel_size": 2}})
    add("kimi_linear", "one-head", {"linear_attn_config": {**block, "num_heads": 1}})
    add("kimi_linear", "narrow-heads", {"linear_attn_config": {**block, "head_dim": 4}})
    kinds = {"full_attn_layers": [1, 2, 4], "kda_layers": [3]}
    add("kimi_linear", "other-layers", {"linear_attn_config": {**block, **kinds}})
    add("kimi_linear", "groups", {"num_experts": 8, "num_expert_group": 4, "topk_group": 2})
    add("kimi_linear", "unnormalized", {"moe_renormalize": False, "num_shared_experts": 2})
    _granite_hybrids(add)
    _nemotrons(add)
    _mambas(add)
    _olmo_hybrids(add)
    add("qwen3_next", "unnormalized", {"norm_topk_prob": False})
    add("qwen3_next", "some-dense", {"decoder_sparse_step": 2, "mlp_only_layers": [1]})
    add("qwen3_next", "tied", {"tie_word_embeddings": True})
    add("qwen3_next", "half-rotated", {"partial_rotary_factor": 0.5})
    add("qwen3_5", "untied", {"tie_word_embeddings": False})
    add("qwen3_5_moe", "interval", {"full_attention_interval": 3})
    return out


def _experts() -> list[Variant]:
    out: list[Variant] = []

    def add(row: str, name: str, changes: dict[str, Any], **reasons: Any) -> None:
        out.append(Variant(f"{row}-{name}", row, changes, **reasons))

    stacked = {"experts_as": "stacked"}
    for row in ("mixtral", "qwen2_moe", "qwen3_moe", "olmoe", "phimoe"):
        add(row, "stacked", stacked, not_transformers=STACKED, as_row=True)
    add("granitemoe", "stacked", stacked, not_transformers=STACKED)
    add("mixtral", "one-kv-head", {"num_key_value_heads": 1, "num_experts_per_tok": 5})
    add("mixtral", "window", {"sliding_window": 8}, not_mlx_lm=NO_WINDOW)
    add(
        "qwen2_moe",
        "normalized",
        {"norm_topk_prob": True, "num_key_value_heads": 4},
        not_mlx_lm="mlx-lm's qwen2_moe never normalizes.",
    )
    add("qwen2_moe", "all-chosen", {"num_experts_per_tok": 7})
    add(
        "qwen2_moe",
        "tied",
        {"tie_word_embeddings": True},
        not_mlx_lm="mlx-lm's qwen2_moe always has a head of its own.",
    )
    add(
        "qwen2_moe",
        "some-dense",
        {"decoder_sparse_step": 2, "num_hidden_layers": 5, "mlp_only_layers": [3]},
        not_mlx_lm="mlx-lm's qwen2_moe is sparse in every layer.",
    )
    add("qwen3_moe", "unnormalized", {"norm_topk_prob": False})
    add("qwen3_moe", "one-of-many", {"num_experts": 13, "num_experts_per_tok": 1})
    add("qwen3_moe", "all-chosen", {"num_experts_per_tok": 8})
    add(
        "qwen3_moe",
        "some-dense",
        {"decoder_sparse_step": 2, "num_hidden_layers": 5, "mlp_only_layers": [3]},
    )
    add("olmoe", "normalized", {"norm_topk_prob": True})
    add("olmoe", "gqa", {"num_key_value_heads": 2, "num_experts_per_tok": 1})
    add("glm4_moe", "stacked", stacked, not_transformers=STACKED, as_row=True)
    add("minimax_m2", "stacked", stacked, not_transformers=STACKED, as_row=True)
    add("glm4_moe", "groups", {"n_group": 4, "topk_group": 2, "first_k_dense_replace": 0})
    add(
        "glm4_moe",
        "unnormalized",
        {"norm_topk_prob": False, "n_shared_experts": 2, "attention_bias": False},
    )
    add("minimax_m2", "all-rotated", {"rotary_dim": 32, "num_experts_per_tok": 6})
    add("granitemoe", "untied", {"tie_word_embeddings": False, "num_experts_per_tok": 1})
    add("phimoe", "narrow", {"router_jitter_noise": 0.01, "num_key_value_heads": 1})
    add(
        "phimoe",
        "three-chosen",
        {"num_experts_per_tok": 3},
        not_transformers="transformers chooses two experts, whatever the config says.",
    )
    add(
        "phimoe",
        "unbiased",
        {"attention_bias": False, "lm_head_bias": False},
        not_mlx_lm="mlx-lm's phimoe always has biases.",
    )
    add("phimoe", "window", {"sliding_window": 8}, not_mlx_lm=NO_WINDOW)
    mscales = {"short_mscale": 1.2, "long_mscale": 1.4}
    for first, name, reason in (
        (32, "long", {"not_transformers": "transformers turns by short_factor at any length."}),
        (64, "short", {"not_mlx_lm": "mlx-lm turns by long_factor at any length."}),
    ):
        context = {"original_max_position_embeddings": first}
        scaling = {**LONGROPE, **mscales, **context}
        add("phimoe", f"longrope-{name}", {"rope_scaling": scaling, **context}, **reason)
    add(
        "ernie4_5_moe",
        "stacked",
        {**stacked, "moe_k": 3},
        not_transformers="transformers' class always has a correction.",
    )
    add(
        "ernie4_5_moe",
        "corrected",
        {"moe_k": 3},
        not_mlx_lm="mlx-lm drops the correction by which experts are chosen.",
    )
    add("ernie4_5_moe", "every-second-sparse", {"moe_layer_interval": 2})
    add(
        "ernie4_5_moe",
        "some-dense",
        {"num_hidden_layers": 5, "moe_layer_start_index": 2, "moe_num_shared_experts": 1},
    )
    add("ernie4_5_moe", "untied", {"tie_word_embeddings": False, "num_key_value_heads": 1})
    add(
        "ernie4_5_moe",
        "to-the-last",
        {"moe_layer_end_index": -1},
        not_mlx_lm="mlx-lm takes -1 for no layer.",
        as_row=True,
    )
    add("gemma4_text", "experts", GEMMA4_EXPERTS)
    shared = {"num_kv_shared_layers": 2, "attention_k_eq_v": False}
    inputs = {"hidden_size_per_layer_input": 8, "top_k_experts": 7}
    add("gemma4_text", "experts-and-shared-keys", {**GEMMA4_EXPERTS, **shared, **inputs})
    add("gpt_oss", "one-kv-head", {"num_key_value_heads": 1, "num_experts_per_tok": 7})
    types = ["full_attention", "sliding_attention", "sliding_attention", "full_attention"]
    add("gpt_oss", "layer-types", {"layer_types": types, "sliding_window": 3})
    yarn = tiny("gpt_oss")["rope_scaling"]
    add(
        "gpt_oss",
        "untruncated",
        {"rope_scaling": {**yarn, "truncate": False}},
        not_mlx_lm="mlx-lm does not read truncate, which OpenAI's model is published with.",
    )
    add(
        "gpt_oss",
        "default-scaling",
        {"rope_scaling": None},
        not_mlx_lm=NO_DEFAULT_SCALING,
    )
    add(
        "gpt_oss",
        "clamped",
        {"swiglu_limit": 0.3, "swiglu_alpha": 1.1},
        not_mlx_lm="mlx-lm has the published limit and alpha for every model.",
    )
    add(
        "gpt_oss",
        "tied",
        {"tie_word_embeddings": True},
        not_mlx_lm="mlx-lm's gpt_oss always has a head of its own.",
    )
    return out


def _latent() -> list[Variant]:
    """Latent attention and the routers of its families."""
    out: list[Variant] = []

    def add(row: str, name: str, changes: dict[str, Any], **reasons: Any) -> None:
        out.append(Variant(f"{row}-{name}", row, changes, **reasons))

    one_matrix = "transformers reads the published matrix alone."
    one_head = {"num_attention_heads": 1, "num_key_value_heads": 1}
    own_head = "mlx-lm's class always has a head of its own."
    for row in ("glm4_moe_lite", "deepseek_v3"):
        add(row, "absorbed", {"latent_as": "absorbed"}, not_transformers=one_matrix, as_row=True)
        add(row, "queries-at-once", {"q_lora_rank": None})
        add(row, "biases", {"attention_bias": True, **one_head})
        add(row, "tied", {"tie_word_embeddings": True}, not_mlx_lm=own_head)
        add(
            row,
            "halves",
            {"rope_interleave": False},
            not_mlx_lm="mlx-lm's class rotates neighbours whatever the config says.",
        )
        add(
            row,
            "every-second-sparse",
            {"moe_layer_freq": 2, "num_hidden_layers": 4},
            not_transformers="transformers' class has no moe_layer_freq.",
        )
    add("glm4_moe_lite", "groups", {"n_group": 4, "topk_group": 2, "norm_topk_prob": False})
    add(
        "glm4_moe_lite",
        "other-eps",
        {"rms_norm_eps": 0.01},
        not_mlx_lm="mlx-lm gives the norms of latents rms_norm_eps, transformers 1e-6.",
    )
    add("deepseek_v3", "ungrouped", {"n_group": 1, "topk_group": 1, "rope_scaling": None})
    add("deepseek_v3", "all-sparse", {"first_k_dense_replace": 0, "n_shared_experts": 2})
    add("deepseek_v2", "queries-of-rank", {"q_lora_rank": 24, "attention_bias": True})
    groups = {"topk_method": "group_limited_greedy", "n_group": 4, "topk_group": 2}
    add("deepseek_v2", "groups", {**groups, "routed_scaling_factor": 1.7})
    add("deepseek_v2", "best-group", {**groups, "n_group": 2, "topk_group": 1})
    add("deepseek_v2", "tied", {"tie_word_embeddings": True}, not_mlx_lm=own_head)
    add(
        "deepseek_v2",
        "unscaled",
        {"rope_scaling": None},
        not_mlx_lm="mlx-lm's class cannot do without rope_scaling.",
    )
    return out


def _llama4() -> list[Variant]:
    """Chunked attention, layers without a rotary embedding and their temperature, experts that are
    given weighed rows."""
    row = "llama4_text"
    out: list[Variant] = []

    def add(name: str, changes: dict[str, Any], **reasons: Any) -> None:
        reasons.setdefault("not_mlx_lm", WRAPPED_IN_MLX_LM[row])
        out.append(Variant(f"{row}-{name}", row, changes, **reasons))

    none = {"moe_layers": [], "num_local_experts": 0, "num_experts_per_tok": 0}
    rotated = {"no_rope_layers": [1, 1, 1, 1], "attention_chunk_size": 64}
    tied = {"tie_word_embeddings": True, "interleave_moe_layer_step": 0}
    add("dense", {**none, **rotated, **tied}, not_mlx_lm="")
    add("two-chosen", {"num_experts_per_tok": 2, "moe_layers": [0, 3]})
    add("flags", {"no_rope_layers": [0, 1, 1, 0], "num_key_value_heads": 1})
    add("untuned", {"attn_temperature_tuning": False})
    kinds = ["full_attention", "chunked_attention", "full_attention", "chunked_attention"]
    add("layer-types", {"layer_types": kinds})
    add("biases", {"attention_bias": True, "attention_chunk_size": 1})
    by_mlx = {
        "not_mlx_lm": "",
        "wrapper": "llama4",
        "not_transformers": "transformers names the tensors otherwise (test_wrappers.py).",
    }
    step = {**LLAMA3, "high_freq_factor": 1.0}
    add("chunks-of-seven", {"attention_chunk_size": 7, "rope_scaling": step}, **by_mlx)
    sparse = {"interleave_moe_layer_step": 1, "num_hidden_layers": 5}
    sparse["attn_temperature_tuning"] = 4  # as older files say it
    add("all-sparse", {**sparse, "use_qk_norm": False, "num_key_value_heads": 4}, **by_mlx)
    return out


def _defaults() -> list[Variant]:
    """Keys that are missing mean what they mean to the published class."""
    out: list[Variant] = []

    def add(row: str, name: str, changes: dict[str, Any], **reasons: Any) -> None:
        out.append(Variant(f"{row}-{name}", row, changes, **reasons))

    add(
        "gemma2",
        "default-soft-caps",
        {},
        without=("attn_logit_softcapping", "final_logit_softcapping"),
    )
    add(
        "gemma2",
        "default-scale",
        {},
        without=("query_pre_attn_scalar",),
        not_mlx_lm="mlx-lm's gemma2 has another default, 144.",
    )
    for row in ("phi3", "olmo2", "olmo3", "exaone4"):
        reason = "mlx-lm's class has no default."
        add(row, "default-eps", {}, without=("rms_norm_eps",), not_mlx_lm=reason)
    add(
        "exaone4",
        "letters",
        {"num_hidden_layers": 5, "sliding_window_pattern": "LLG"},
        without=("layer_types",),
        not_transformers="transformers divides by the letters.",
    )
    add(
        "exaone4",
        "number",
        {"sliding_window_pattern": 3},
        without=("layer_types",),
        not_mlx_lm="mlx-lm's exaone4 takes letters alone.",
    )
    add("gemma2", "other-activation-key", {"hidden_act": "relu"}, as_row=True)
    add("llama", "other-activation-key", {"hidden_activation": "relu"}, as_row=True)
    return out


def _two_blocks() -> list[Variant]:
    """Two places that say the same thing differently."""
    out: list[Variant] = []

    def add(row: str, name: str, changes: dict[str, Any], **reasons: Any) -> None:
        out.append(Variant(f"{row}-{name}", row, changes, **reasons))

    plain = {"rope_type": "default", "rope_theta": 10000.0}
    for row in ("llama", "mistral", "qwen2", "qwen3", "granite", "exaone4"):
        theta = tiny(row)["rope_theta"]
        both = {"rope_parameters": {**plain, "rope_theta": theta}, "rope_scaling": YARN}
        add(row, "scaling-beside-parameters", both)
    add(
        "llama",
        "parameters-beside-empty-scaling",
        {"rope_parameters": {**LLAMA3, "rope_theta": 10000.0}, "rope_scaling": {}},
        not_mlx_lm=OLD_KEYS,
    )
    add(
        "qwen3",
        "theta-of-replaced-parameters",
        {"rope_parameters": {**plain, "rope_theta": 500.0}, "rope_scaling": YARN},
        without=("rope_theta",),
        not_transformers="transformers drops rope_theta with the block that is replaced.",
    )
    add(
        "llama",
        "theta-in-scaling",
        {"rope_scaling": {**YARN, "rope_theta": 500.0}},
        not_mlx_lm="mlx-lm takes rope_theta from beside the block alone.",
    )
    add(
        "llama",
        "theta-in-parameters",
        {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}},
        not_mlx_lm=OLD_KEYS,
    )
    add(
        "llama",
        "two-types",
        {"rope_scaling": {**YARN, "type": "linear"}},
        not_mlx_lm="mlx-lm takes the older key, type, first.",
    )
    parts = {
        "full_attention": {"rope_type": "default", "rope_theta": 1000000.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
    }
    add(
        "gemma3_text",
        "scaling-beside-parameters",
        {"rope_parameters": parts, "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
    )
    same = {key: {**part, "rope_theta": 500000.0} for key, part in parts.items()}
    add("olmo3", "scaling-beside-parameters", {"rope_parameters": same, "rope_scaling": YARN})
    add(
        "llama",
        "original-context-beside-the-block",
        {"rope_scaling": YARN, "original_max_position_embeddings": 32},
        not_mlx_lm="mlx-lm takes original_max_position_embeddings from the block alone.",
    )
    add(
        "phi3",
        "original-context-in-both",
        {
            "rope_scaling": {**LONGROPE, "original_max_position_embeddings": 200},
            "original_max_position_embeddings": 32,
        },
    )
    add(
        "phi3",
        "yarn-is-longrope",
        {"rope_scaling": {**LONGROPE, "type": "yarn"}, "original_max_position_embeddings": 32},
        not_mlx_lm="mlx-lm drops a block of this type.",
    )
    return out


def _dense_rows() -> list[Variant]:
    """The odd configurations of rows of 2025 and 2026."""
    out: list[Variant] = []

    def add(row: str, name: str, changes: dict[str, Any], **reasons: Any) -> None:
        reasons.setdefault("not_transformers", NOT_TRANSFORMERS.get(row, ""))
        reasons.setdefault("not_mlx_lm", NOT_MLX_LM.get(row, ""))
        out.append(Variant(f"{row}-{name}", row, changes, **reasons))

    odd_heads = {"num_attention_heads": 8, "num_key_value_heads": 1}
    add("ministral3", "tied", {"tie_word_embeddings": True, **odd_heads})
    temperature = {"llama_4_scaling_beta": 0.8, "original_max_position_embeddings": 8}
    parameters = tiny("ministral3")["rope_parameters"]
    add("ministral3", "hot", {"rope_parameters": {**parameters, **temperature}})
    add(
        "ministral3",
        "default-scaling",
        {},
        without=("rope_parameters",),
        not_mlx_lm="mlx-lm's class cannot do without rope_parameters.",
    )
    add("gemma", "tanh", {"hidden_act": "gelu_pytorch_tanh"}, as_row=True)
    add("gemma", "relu", {"hidden_act": "relu"})
    add("gemma", "gqa", {"num_key_value_heads": 2, "head_dim": 16})
    add("seed_oss", "biases", {"attention_out_bias": True, "mlp_bias": True})
    add("seed_oss", "unbiased", {"attention_bias": False, **odd_heads})
    add("glm4", "unbiased", {"attention_bias": False, "partial_rotary_factor": 0.25})
    add("glm4", "one-kv-head", {**odd_heads, "head_dim": 16})
    add("cohere", "qk-norm", {"use_qk_norm": True})
    add("cohere", "biases", {"attention_bias": True, "num_key_value_heads": 4})
    add("cohere2", "biases", {"attention_bias": True, "sliding_window_pattern": 2})
    add("cohere2", "one-kv-head", {**odd_heads, "head_dim": 8, "sliding_window": 5})
    add("hunyuan_v1_dense", "plain", {"rope_scaling": None, "tie_word_embeddings": False})
    add("hunyuan_v1_dense", "biases", {"attention_bias": True, **odd_heads})
    add("ernie4_5", "biases", {"use_bias": True, "tie_word_embeddings": False})
    add("ernie4_5", "one-kv-head", {**odd_heads, "head_dim": 16})
    add(
        "internlm3",
        "biases",
        {"qkv_bias": True, "bias": True, "attention_bias": True, "mlp_bias": True},
    )
    add("internlm3", "linear", {"rope_scaling": {"rope_type": "linear", "factor": 4.0}})
    add("stablelm", "parallel", {"use_parallel_residual": True, "use_qkv_bias": False})
    add("stablelm", "qk-norm", {"qk_layernorm": True, "partial_rotary_factor": 0.5})
    add("phi", "gqa", {"num_key_value_heads": 1, "partial_rotary_factor": 0.25})
    add("phi", "many-heads", {"num_attention_heads": 8, "num_key_value_heads": 8})
    add("starcoder2", "untied", {"tie_word_embeddings": False, "num_key_value_heads": 1})
    add("starcoder2", "many-heads", {"num_attention_heads": 8, "num_key_value_heads": 8})
    add("starcoder2", "window", {"sliding_window": 8}, not_mlx_lm=NO_WINDOW)
    add("nemotron", "biases", {"attention_bias": True, "mlp_bias": True})
    add("nemotron", "tied", {"tie_word_embeddings": True, "partial_rotary_factor": 0.25})
    add("apertus", "tied", {"tie_word_embeddings": True, **odd_heads})
    add("apertus", "default-scaling", {"rope_scaling": None}, not_mlx_lm=NO_DEFAULT_SCALING)
    add("apertus", "unscaled", {"rope_scaling": {"rope_type": "default"}, "rope_theta": 10000.0})
    add("exaone", "tied", {"tie_word_embeddings": True, **odd_heads})
    add("exaone", "llama3", {"rope_scaling": LLAMA3})
    thetas = [0, 10000.0, 10000.0, 0]
    add("muse_glimmer", "thetas", {"layer_rope_theta": thetas, "tie_word_embeddings": True})
    add("muse_glimmer", "one-kv-head", {**odd_heads, "head_dim": 16, "qk_scale_factor": 2.0})
    equal = {
        "attention_k_eq_v": True,
        "num_global_key_value_heads": 1,
        "num_kv_shared_layers": 0,
        "hidden_size_per_layer_input": 0,
        "use_double_wide_mlp": False,
    }
    add("gemma4_text", "keys-are-values", equal)
    add("gemma4_text", "narrow", {"use_double_wide_mlp": False, "num_kv_shared_layers": 2})
    add("gemma4_text", "unshared", {"num_kv_shared_layers": 0, "final_logit_softcapping": 1.0})
    return out


def _wrapped() -> list[Variant]:
    """Text models inside multimodal checkpoints, with mlx-lm's names of tensors. Its transformers
    counterpart is the same row without a wrapper."""
    reason = "transformers names the tensors otherwise (tests/arch/test_wrappers.py)."
    return [
        Variant(f"{row}-in-{wrapper}", row, changes, wrapper=wrapper, not_transformers=reason)
        for wrapper, row, changes in (
            ("gemma3", "gemma3_text", {"num_key_value_heads": 2}),
            ("qwen3_vl", "qwen3_vl", {"tie_word_embeddings": True}),
            ("qwen3_vl_moe", "qwen3_moe", {"experts_as": "stacked", "num_key_value_heads": 1}),
            ("mistral3", "mistral", {"sliding_window": None, "num_key_value_heads": 4}),
            ("mistral3", "ministral3", {"tie_word_embeddings": True}),
            ("gemma4", "gemma4_text", {"num_kv_shared_layers": 2}),
            ("llama4", "llama4_text", {"num_key_value_heads": 1}),
            ("qwen3_5", "qwen3_5", {"linear_num_key_heads": 3}),
            ("qwen3_5_moe", "qwen3_5_moe", {"num_key_value_heads": 1}),
        )
    ]


VARIANTS = [
    *_variants(),
    *_experts(),
    *_laguna(),
    *_latent(),
    *_recurrences(),
    *_llama4(),
    *_defaults(),
    *_two_blocks(),
    *_dense_rows(),
    *_wrapped(),
]
