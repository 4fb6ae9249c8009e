"""The sizes of published models, as their config.json gives them."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from checkpoint_shapes import LayerSizes, layer_sizes, shapes
from comparison.recurrent import RECURRENT, is_conv, state_numbers
from recurrent_layouts import recurs

Config = dict[str, Any]


def _llama3_rope(factor: float) -> Config:
    return {
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }


_LLAMA: Config = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 128256,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "hidden_act": "silu",
    "torch_dtype": "bfloat16",
}
GEOMETRIES: dict[str, Config] = {
    "llama-3.2-1b": _LLAMA
    | {
        "hidden_size": 2048,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "head_dim": 64,
        "intermediate_size": 8192,
        "rope_scaling": _llama3_rope(32.0),
        "tie_word_embeddings": True,
    },
    "qwen2.5-1.5b": {
        "model_type": "qwen2",
        "architectures": ["Qwen2ForCausalLM"],
        "vocab_size": 151936,
        "hidden_size": 1536,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "intermediate_size": 8960,
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
    },
    "llama-3.2-3b": _LLAMA
    | {
        "hidden_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 24,
        "head_dim": 128,
        "intermediate_size": 8192,
        "rope_scaling": _llama3_rope(32.0),
        "tie_word_embeddings": True,
    },
    "llama-3.1-8b": _LLAMA
    | {
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "head_dim": 128,
        "intermediate_size": 14336,
        "rope_scaling": _llama3_rope(8.0),
        "tie_word_embeddings": False,
    },
    "qwen3-14b": {
        "model_type": "qwen3",
        "architectures": ["Qwen3ForCausalLM"],
        "vocab_size": 151936,
        "hidden_size": 5120,
        "num_hidden_layers": 40,
        "num_attention_heads": 40,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 17408,
        "max_position_embeddings": 40960,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    },
    # Experts, cut in layers: 5 of 48.
    "qwen3-30b-a3b-5": {
        "model_type": "qwen3_moe",
        "architectures": ["Qwen3MoeForCausalLM"],
        "vocab_size": 151936,
        "hidden_size": 2048,
        "num_hidden_layers": 5,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "intermediate_size": 6144,
        "moe_intermediate_size": 768,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "norm_topk_prob": True,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
        "experts_as": "stacked",
        "max_position_embeddings": 40960,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    },
    # Cut in layers: 8 of 24.
    "gpt-oss-20b-8": {
        "model_type": "gpt_oss",
        "architectures": ["GptOssForCausalLM"],
        "vocab_size": 201088,
        "hidden_size": 2880,
        "num_hidden_layers": 8,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "attention_bias": True,
        "sliding_window": 128,
        "layer_types": ["sliding_attention", "full_attention"] * 4,
        "intermediate_size": 2880,
        "num_local_experts": 32,
        "num_experts_per_tok": 4,
        "swiglu_limit": 7.0,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "rope_theta": 150000.0,
        "rope_scaling": {
            "rope_type": "yarn",
            "factor": 32.0,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "original_max_position_embeddings": 4096,
            "truncate": False,
        },
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    },
    # The text model alone.
    "gemma-4-e4b": {
        "model_type": "gemma4_text",
        "architectures": ["Gemma4ForCausalLM"],
        "vocab_size": 262144,
        "hidden_size": 2560,
        "num_hidden_layers": 42,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "num_global_key_value_heads": None,
        "attention_k_eq_v": False,
        "num_kv_shared_layers": 18,
        "head_dim": 256,
        "global_head_dim": 512,
        "sliding_window": 512,
        "layer_types": [*["sliding_attention"] * 5, "full_attention"] * 7,
        "intermediate_size": 10240,
        "use_double_wide_mlp": False,
        "enable_moe_block": False,
        "hidden_size_per_layer_input": 256,
        "vocab_size_per_layer_input": 262144,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {
            "full_attention": {
                "rope_type": "proportional",
                "rope_theta": 1000000.0,
                "partial_rotary_factor": 0.25,
            },
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
        },
        "final_logit_softcapping": 30.0,
        "hidden_activation": "gelu_pytorch_tanh",
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
    },
    # As many layers as the first, and next to nothing in them: what a token costs beside the work.
    "thin-16": _LLAMA
    | {
        "vocab_size": 512,
        "hidden_size": 128,
        "num_hidden_layers": 16,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 64,
        "intermediate_size": 256,
        "rope_scaling": _llama3_rope(32.0),
        "tie_word_embeddings": True,
    },
    **RECURRENT,
}


def head_dim(config: Config) -> int:
    """The width of an attention head; of one in a layer with a window, where they differ."""
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


class Weights(NamedTuple):
    """Numbers of matrices."""

    dense: int
    experts: int


def is_matrix(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a tensor, by its name here or in a GGUF file, has the format of matrices: the biases
    of all experts have not, nor what belongs to a state."""
    others = (".bias", "norm.weight", ".ssm_a", ".ssm_d")
    return len(shape) > 1 and not name.endswith(others) and not is_conv(name)


def is_experts(shape: tuple[int, ...]) -> bool:
    """Whether a matrix is one of each expert."""
    return len(shape) == 3


def weights_read(config: Config) -> Weights:
    """What making a token reads: all matrices, but of experts those that it goes to, and one row
    alone of an embedding that is not the head too."""
    dense = experts = 0
    for name, shape in shapes(config).items():
        if is_matrix(name, shape) and is_experts(shape):
            experts += config["num_experts_per_tok"] * math.prod(shape[1:])
        elif is_matrix(name, shape):
            one_row = "embed_tokens" in name and not _is_head(name, config)
            dense += math.prod(shape[1:]) * (1 if one_row else shape[0])
    return Weights(dense, experts)


def kv_read(config: Config, tokens: int) -> int:
    """Numbers of the keys and values that making a token reads after `tokens` tokens."""
    return sum(count for _, count in _kv_layers(config, tokens))


def kv_kept(config: Config, tokens: int) -> int:
    """Numbers of the keys and values that a cache of `tokens` tokens has at the least: a layer
    that shares those of another has none, one with a window no more than it."""
    return sum(count for sizes, count in _kv_layers(config, tokens) if not sizes.shared)


def states(config: Config) -> int:
    """Numbers of the states of a sequence, however long it is."""
    return state_numbers(config, shapes(config))


def _is_head(name: str, config: Config) -> bool:
    return bool(config["tie_word_embeddings"]) and name == "model.embed_tokens.weight"


def _kv_layers(config: Config, tokens: int) -> Iterator[tuple[LayerSizes, int]]:
    kinds = config.get("layer_types") or ["full_attention"] * config["num_hidden_layers"]
    for index, kind in enumerate(kinds):
        if recurs(config, index):
            continue
        sizes = layer_sizes(config, index)
        seen = min(tokens, config["sliding_window"]) if kind == "sliding_attention" else tokens
        yield sizes, 2 * sizes.kv_heads * sizes.head_dim * seen
