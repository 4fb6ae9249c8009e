"""What a GGUF file is told of a geometry: its keys, for each architecture."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from comparison.geometry import Config, head_dim, layer_sizes, recurs

Field = str | Callable[[Config], Any]
"""A field of config.json, those inside others after a dot, or what is made of several."""


def value(config: Config, one: Field) -> Any:
    """A field's."""
    if callable(one):
        return one(config)
    found: Any = config
    for part in one.split("."):
        found = found[part]
    return found


def _rotates_all(config: Config) -> list[float]:
    return [1.0] * (head_dim(config) // 2)


def _rotates_a_part(config: Config) -> list[float]:
    """Of the layers without a window; a pair that is not rotated has a factor without end."""
    pairs = config["global_head_dim"] // 2
    rotated = int(pairs * value(config, "rope_parameters.full_attention.partial_rotary_factor"))
    return [1.0] * rotated + [1e30] * (pairs - rotated)


def _slides(config: Config) -> list[bool]:
    return [kind == "sliding_attention" for kind in config["layer_types"]]


def _widths(config: Config) -> list[int]:
    return [layer_sizes(config, index).inner for index in range(config["num_hidden_layers"])]


def _kv_heads(config: Config) -> list[int]:
    """0 where a layer has a state in their place."""
    heads, layers = config["num_key_value_heads"], range(config["num_hidden_layers"])
    return [0 if recurs(config, layer) else heads for layer in layers]


def _recurs(config: Config) -> list[bool]:
    return [recurs(config, layer) for layer in range(config["num_hidden_layers"])]


def _product(*names: str) -> Callable[[Config], int]:
    return lambda config: math.prod(config[name] for name in names)


def _real(name: str) -> Callable[[Config], float]:
    return lambda config: float(config[name])


def _rotated(config: Config) -> int:
    return int(head_dim(config) * value(config, "rope_parameters.partial_rotary_factor"))


@dataclass(frozen=True)
class Architecture:
    """How files of a model type are written."""

    name: str
    pre_tokenizer: str
    keys: Mapping[str, Field]
    """Without the architecture's name in front."""
    rope_freqs: Callable[[Config], list[float]] | None = None
    """The factors of the rotary embedding's periods, where they are a tensor of the file."""


_KEYS: Mapping[str, Field] = {
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": head_dim,
    "attention.value_length": head_dim,
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "vocab_size": "vocab_size",
}
_ROTARY: Mapping[str, Field] = {"rope.dimension_count": head_dim, "rope.freq_base": "rope_theta"}
_DENSE = {**_KEYS, **_ROTARY}
_QWEN3_MOE: Mapping[str, Field] = {
    **_DENSE,
    "expert_count": "num_experts",
    "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "moe_intermediate_size",
}
_GPT_OSS: Mapping[str, Field] = {
    **_DENSE,
    "attention.sliding_window": "sliding_window",
    "expert_count": "num_local_experts",
    "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "intermediate_size",
    "rope.scaling.type": "rope_scaling.rope_type",
    "rope.scaling.factor": "rope_scaling.factor",
    "rope.scaling.original_context_length": "rope_scaling.original_max_position_embeddings",
    "rope.scaling.yarn_beta_fast": "rope_scaling.beta_fast",
    "rope.scaling.yarn_beta_slow": "rope_scaling.beta_slow",
}
_GEMMA4: Mapping[str, Field] = {
    **_KEYS,
    "feed_forward_length": _widths,
    "attention.key_length": "global_head_dim",
    "attention.value_length": "global_head_dim",
    "attention.key_length_swa": "head_dim",
    "attention.value_length_swa": "head_dim",
    "attention.sliding_window": "sliding_window",
    "attention.sliding_window_pattern": _slides,
    "attention.shared_kv_layers": "num_kv_shared_layers",
    "embedding_length_per_layer_input": "hidden_size_per_layer_input",
    "final_logit_softcapping": "final_logit_softcapping",
    "rope.dimension_count": "global_head_dim",
    "rope.dimension_count_swa": "head_dim",
    "rope.freq_base": "rope_parameters.full_attention.rope_theta",
    "rope.freq_base_swa": "rope_parameters.sliding_attention.rope_theta",
}
_LFM2: Mapping[str, Field] = {
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "feed_forward_length": lambda config: layer_sizes(config, 0).inner,
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": _kv_heads,
    "attention.layer_norm_rms_epsilon": "norm_eps",
    "rope.freq_base": "rope_theta",
    "vocab_size": "vocab_size",
    "shortconv.l_cache": "conv_L_cache",
}
_QWEN35: Mapping[str, Field] = {
    **_KEYS,
    "rope.freq_base": "rope_parameters.rope_theta",
    "rope.dimension_count": _rotated,
    "rope.dimension_sections": lambda config: [*config["rope_parameters"]["mrope_section"], 0],
    "ssm.conv_kernel": "linear_conv_kernel_dim",
    "ssm.state_size": "linear_key_head_dim",
    "ssm.group_count": "linear_num_key_heads",
    "ssm.time_step_rank": "linear_num_value_heads",
    "ssm.inner_size": _product("linear_num_value_heads", "linear_value_head_dim"),
    "attention.recurrent_layers": _recurs,
    "full_attention_interval": lambda _: 4,  # whatever it is, as the list says
}
_GRANITE_HYBRID: Mapping[str, Field] = {
    "context_length": lambda _: 1 << 20,
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "feed_forward_length": "intermediate_size",
    "vocab_size": "vocab_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": _kv_heads,
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "attention.scale": "attention_multiplier",
    "embedding_scale": _real("embedding_multiplier"),
    "residual_scale": "residual_multiplier",
    "logit_scale": _real("logits_scaling"),
    "rope.freq_base": "rope_theta",
    "rope.dimension_count": head_dim,
    "rope.scaling.finetuned": lambda _: False,
    "expert_count": "num_local_experts",
    "expert_used_count": "num_experts_per_tok",
    "expert_shared_feed_forward_length": "shared_intermediate_size",
    "ssm.conv_kernel": "mamba_d_conv",
    "ssm.state_size": "mamba_d_state",
    "ssm.group_count": "mamba_n_groups",
    "ssm.time_step_rank": "mamba_n_heads",
    "ssm.inner_size": _product("mamba_n_heads", "mamba_d_head"),
}
ARCHITECTURES = {
    "llama": Architecture("llama", "llama-bpe", _DENSE, _rotates_all),
    "qwen2": Architecture("qwen2", "qwen2", _DENSE),
    "qwen3": Architecture("qwen3", "qwen2", _DENSE),
    "qwen3_moe": Architecture("qwen3moe", "qwen2", _QWEN3_MOE),
    "gpt_oss": Architecture("gpt-oss", "gpt-4o", _GPT_OSS),
    "gemma4_text": Architecture("gemma4", "gpt-2", _GEMMA4, _rotates_a_part),
    "lfm2": Architecture("lfm2", "gpt-2", _LFM2),
    "qwen3_5": Architecture("qwen35", "qwen2", _QWEN35),
    "granitemoehybrid": Architecture("granitehybrid", "gpt-2", _GRANITE_HYBRID),
}
"""By config.json's model type."""
