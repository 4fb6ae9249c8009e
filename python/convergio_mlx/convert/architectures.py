"""The architectures of GGUF files that convert: what their tensors and keys are called in a folder
of the Hugging Face kind. A new one is a row.

The names are those of llama.cpp's writer; `{}` is the number of a layer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_TENSORS = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_PRE = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
_POST = {
    "post_attention_norm": "post_attention_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
_SANDWICH = {**_POST, "attn_norm": "input_layernorm", "ffn_norm": "pre_feedforward_layernorm"}
_FUSED = {"attn_qkv": "self_attn.qkv_proj", "ffn_up": "mlp.gate_up_proj"}

_LAYER = re.compile(r"0|[1-9][0-9]{0,5}")

_ROUTED = {
    "ffn_gate_inp": "mlp.gate",
    "ffn_gate_exps": "mlp.switch_mlp.gate_proj",
    "ffn_up_exps": "mlp.switch_mlp.up_proj",
    "ffn_down_exps": "mlp.switch_mlp.down_proj",
}
_SHARED = {
    "ffn_gate_inp_shexp": "mlp.shared_expert_gate",
    "ffn_gate_shexp": "mlp.shared_expert.gate_proj",
    "ffn_up_shexp": "mlp.shared_expert.up_proj",
    "ffn_down_shexp": "mlp.shared_expert.down_proj",
}
_BLOCK_SPARSE = {
    base: module.replace("mlp.", "block_sparse_moe.", 1) for base, module in _ROUTED.items()
}
EXPERTS = ("ffn_gate_exps", "ffn_up_exps", "ffn_down_exps")
"""Tensors of three dimensions: a matrix for each expert."""
ONE_ROW = "ffn_gate_inp_shexp"
"""A matrix of one row, which files have as a vector."""

IGNORED = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
"""Tensors that become part of config.json."""


@dataclass(frozen=True)
class Key:
    """A key of the architecture's own that becomes a field of config.json."""

    name: str
    """Without the architecture's name in front."""
    default: Any = None
    """What the field says where the key is missing; None: null."""
    zero_is_none: bool = False


@dataclass(frozen=True)
class Architecture:
    """How an architecture's files differ from a folder of its model type."""

    model_type: str
    class_name: str
    """What config.json's "architectures" says."""
    tensors: Mapping[str, str] = field(default_factory=lambda: {**_TENSORS, **_PRE})
    interleaved: bool = False
    """The writer has interleaved the rotary halves of each head's queries and keys."""
    norms_have_one_added: bool = False
    partial_rotary: bool = False
    sliding_model_type: str | None = None
    """The model type of files with a sliding window, where that is another."""
    sliding_class_name: str | None = None
    keys: Mapping[str, Key] = field(default_factory=dict)
    """config.json's field to the key that it comes from."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields of config.json that no key tells."""
    experts: Architecture | None = None
    """The row of files of the same name that have experts."""
    scalar_from_width: int | None = None
    """Of models with so many layers, "query_pre_attn_scalar" is hidden size / heads; of all others
    it is the head's size. None: there is no such field."""

    @property
    def has_experts(self) -> bool:
        """Whether its models are mixtures of experts."""
        return any(key.name == _COUNT.name for key in self.keys.values())

    def of(self, experts: object) -> Architecture:
        """The row for a file that says so of its number of experts."""
        return self.experts if self.experts is not None and experts else self


_COUNT = Key("expert_count")
_CHOSEN = Key("expert_used_count")
_LOCAL = {"num_local_experts": _COUNT, "num_experts_per_tok": _CHOSEN}
_NUMBERS = {"num_experts": _COUNT, "num_experts_per_tok": _CHOSEN}
_NARROW = {**_NUMBERS, "moe_intermediate_size": Key("expert_feed_forward_length")}
_WINDOW = Key("attention.sliding_window", zero_is_none=True)
_NO_WINDOW = {"use_sliding_window": False}
_GELU = {"hidden_activation": "gelu_pytorch_tanh", "hidden_act": "gelu_pytorch_tanh"}

_MULTIPLIERS = {
    "attention_multiplier": Key("attention.scale", 1.0),
    "embedding_multiplier": Key("embedding_scale", 1.0),
    "residual_multiplier": Key("residual_scale", 1.0),
    "logits_scaling": Key("logit_scale", 1.0),
}

ARCHITECTURES: Mapping[str, Architecture] = {
    "llama": Architecture(
        "llama",
        "LlamaForCausalLM",
        interleaved=True,
        experts=Architecture(
            "mixtral",
            "MixtralForCausalLM",
            tensors={**_TENSORS, **_PRE, **_BLOCK_SPARSE},
            interleaved=True,
            keys=_LOCAL,
            fields={"sliding_window": None},
        ),
    ),
    "qwen2": Architecture("qwen2", "Qwen2ForCausalLM", fields=_NO_WINDOW),
    "qwen3": Architecture("qwen3", "Qwen3ForCausalLM", fields=_NO_WINDOW),
    "qwen2moe": Architecture(
        "qwen2_moe",
        "Qwen2MoeForCausalLM",
        tensors={**_TENSORS, **_PRE, **_ROUTED, **_SHARED},
        keys={
            **_NARROW,
            "shared_expert_intermediate_size": Key("expert_shared_feed_forward_length"),
        },
        fields={**_NO_WINDOW, "norm_topk_prob": False},
    ),
    "qwen3moe": Architecture(
        "qwen3_moe",
        "Qwen3MoeForCausalLM",
        tensors={**_TENSORS, **_PRE, **_ROUTED},
        keys=_NARROW,
        fields={**_NO_WINDOW, "norm_topk_prob": True},
    ),
    "phi3": Architecture(
        "phi3",
        "Phi3ForCausalLM",
        tensors={**_TENSORS, **_PRE, **_FUSED},
        partial_rotary=True,
        keys={"sliding_window": _WINDOW},
    ),
    "gemma": Architecture("gemma", "GemmaForCausalLM", norms_have_one_added=True, fields=_GELU),
    "gemma2": Architecture(
        "gemma2",
        "Gemma2ForCausalLM",
        tensors={**_TENSORS, **_SANDWICH},
        norms_have_one_added=True,
        keys={
            "sliding_window": _WINDOW,
            "attn_logit_softcapping": Key("attn_logit_softcapping", 50.0),
            "final_logit_softcapping": Key("final_logit_softcapping", 30.0),
        },
        fields=_GELU,
        scalar_from_width=46,
    ),
    "gemma3": Architecture(
        "gemma3_text",
        "Gemma3ForCausalLM",
        tensors={**_TENSORS, **_SANDWICH},
        norms_have_one_added=True,
        keys={
            "sliding_window": _WINDOW,
            "final_logit_softcapping": Key("final_logit_softcapping"),
            "rope_local_base_freq": Key("rope.freq_base_swa", 10000.0),
        },
        fields={**_GELU, "sliding_window_pattern": 6},
        scalar_from_width=62,
    ),
    "smollm3": Architecture(
        "smollm3",
        "SmolLM3ForCausalLM",
        interleaved=True,
        fields={**_NO_WINDOW, "no_rope_layer_interval": 4},
    ),
    "olmo2": Architecture(
        "olmo2",
        "Olmo2ForCausalLM",
        tensors={**_TENSORS, **_POST},
        sliding_model_type="olmo3",
        sliding_class_name="Olmo3ForCausalLM",
        keys={"sliding_window": _WINDOW},
    ),
    "olmoe": Architecture(
        "olmoe",
        "OlmoeForCausalLM",
        tensors={**_TENSORS, **_PRE, **_ROUTED},
        keys={**_NUMBERS, "clip_qkv": Key("attention.clamp_kqv")},
        fields={"norm_topk_prob": False},
    ),
    "granite": Architecture("granite", "GraniteForCausalLM", interleaved=True, keys=_MULTIPLIERS),
    "granitemoe": Architecture(
        "granitemoe",
        "GraniteMoeForCausalLM",
        tensors={
            **_TENSORS,
            **_PRE,
            **_BLOCK_SPARSE,
            "ffn_gate_inp": "block_sparse_moe.router.layer",
        },
        interleaved=True,
        keys={**_LOCAL, **_MULTIPLIERS},
    ),
    "seed_oss": Architecture(
        "seed_oss",
        "SeedOssForCausalLM",
        tensors={
            **_TENSORS,
            "attn_norm": "input_layernorm",
            "post_attention_norm": "post_attention_layernorm",
        },
    ),
    "ernie4_5": Architecture("ernie4_5", "Ernie4_5_ForCausalLM"),
    "hunyuan-dense": Architecture(
        "hunyuan_v1_dense",
        "HunYuanDenseV1ForCausalLM",
        tensors={
            **_TENSORS,
            **_PRE,
            "attn_q_norm": "self_attn.query_layernorm",
            "attn_k_norm": "self_attn.key_layernorm",
        },
    ),
    "exaone4": Architecture(
        "exaone4",
        "Exaone4ForCausalLM",
        tensors={**_TENSORS, **_POST},
        keys={"sliding_window": _WINDOW},
    ),
}
"""By general.architecture. Mistral's models and InternLM 3 are written as "llama"; Hunyuan's have
the alpha of their rotary embedding in its base."""


@dataclass(frozen=True)
class Place:
    """Where a tensor goes."""

    module: str
    part: str
    """weight or bias."""
    base: str
    """The tensor's name in the file, without layer and part."""
    layer: int | None = None


def place_of(name: str, architecture: Architecture) -> Place | None:
    """Where a tensor of a file goes; None where the architecture has none of that name."""
    parts = name.split(".")
    if len(parts) < 2 or parts[-1] not in ("weight", "bias"):
        return None
    if parts[0] == "blk" and len(parts) == 4 and _LAYER.fullmatch(parts[1]):
        module = architecture.tensors.get(parts[2])
        if module is None or module.startswith(("model.", "lm_head")):
            return None
        layer = int(parts[1])
        return Place(f"model.layers.{layer}.{module}", parts[3], parts[2], layer)
    module = architecture.tensors.get(parts[0])
    if len(parts) != 2 or module is None or not module.startswith(("model.", "lm_head")):
        return None
    return Place(module, parts[1], parts[0])
