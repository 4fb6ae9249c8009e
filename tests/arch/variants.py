"""The rows' tiny configs, and what else a config.json of each may say: what the comparisons with
mlx-lm and transformers loop over."""

from __future__ import annotations

import json
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
    not_mlx_lm: str = ""
    not_transformers: str = ""
    as_row: bool = False
    """The logits are the row's own: what is said has no effect here, and must not."""

    @property
    def config(self) -> dict[str, Any]:
        """The whole config.json."""
        return {**tiny(self.row), **self.changes}


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

NO_WINDOW = "mlx-lm's class for this model type has no sliding window."
OLD_KEYS = "mlx-lm reads rope_parameters in some classes alone, and this is none of them."
SILU = "mlx-lm's class computes silu whatever the config says."


def _variants() -> list[Variant]:
    out = [Variant(row, row) for row in rows()]

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


VARIANTS = _variants()
