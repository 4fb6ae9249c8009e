"""The sizes of published models with layers that have a state in the place of keys and values."""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]

STATE_BYTES = 4
"""A number of a state: all engines keep float32."""

_CONVERTED: Config = {"convs_as": "converted", "torch_dtype": "bfloat16", "hidden_act": "silu"}
"""Weights of convolutions as mlx-lm converts them."""


def _mamba_but(attending: tuple[int, ...], layers: int) -> list[str]:
    return ["attention" if layer in attending else "mamba" for layer in range(layers)]


RECURRENT: dict[str, Config] = {
    "lfm2.5-1.2b": _CONVERTED
    | {
        "model_type": "lfm2",
        "architectures": ["Lfm2ForCausalLM"],
        "vocab_size": 65536,
        "hidden_size": 2048,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 8192,
        "block_dim": 2048,
        "block_ff_dim": 8192,
        "block_auto_adjust_ff_dim": False,
        "block_multiple_of": 256,
        "block_ffn_dim_multiplier": 1.0,
        "conv_L_cache": 3,
        "conv_bias": False,
        "layer_types": [
            "full_attention" if layer in (2, 5, 8, 10, 12, 14) else "conv" for layer in range(16)
        ],
        "max_position_embeddings": 128000,
        "norm_eps": 1e-5,
        "rope_theta": 1000000.0,
        "tie_embedding": True,
        "tie_word_embeddings": True,
    },
    # The text model alone, cut in layers: 8 of 32.
    "qwen3.5-4b-8": _CONVERTED
    | {
        "model_type": "qwen3_5",
        "architectures": ["Qwen3_5ForCausalLM"],
        "vocab_size": 248320,
        "hidden_size": 2560,
        "num_hidden_layers": 8,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "intermediate_size": 9216,
        "linear_num_value_heads": 32,
        "linear_num_key_heads": 16,
        "linear_key_head_dim": 128,
        "linear_value_head_dim": 128,
        "linear_conv_kernel_dim": 4,
        "full_attention_interval": 4,
        "max_position_embeddings": 262144,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000000.0,
            "partial_rotary_factor": 0.25,
            "mrope_interleaved": True,
            "mrope_section": [11, 11, 10],
        },
        "attention_bias": False,
        "tie_word_embeddings": True,
    },
    "granite-4-h-tiny": _CONVERTED
    | {
        "model_type": "granitemoehybrid",
        "architectures": ["GraniteMoeHybridForCausalLM"],
        "vocab_size": 100352,
        "hidden_size": 1536,
        "num_hidden_layers": 40,
        "num_attention_heads": 12,
        "num_key_value_heads": 4,
        "intermediate_size": 512,
        "shared_intermediate_size": 1024,
        "num_local_experts": 64,
        "num_experts_per_tok": 6,
        "experts_as": "stacked",
        "layer_types": _mamba_but((5, 15, 25, 35), 40),
        "mamba_n_heads": 48,
        "mamba_d_head": 64,
        "mamba_n_groups": 1,
        "mamba_d_state": 128,
        "mamba_d_conv": 4,
        "mamba_expand": 2,
        "mamba_chunk_size": 256,
        "mamba_conv_bias": True,
        "mamba_proj_bias": False,
        "position_embedding_type": "nope",
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "attention_bias": False,
        "attention_multiplier": 0.0078125,
        "embedding_multiplier": 12.0,
        "residual_multiplier": 0.22,
        "logits_scaling": 6.0,
        "tie_word_embeddings": True,
    },
}


def state_numbers(config: Config, tensors: dict[str, tuple[int, ...]]) -> int:
    """Numbers of the states of a sequence, which making a token reads: the inputs that each
    convolution still sees, and a matrix for each head.

    Args:
        config: of the model.
        tensors: the shapes of its tensors.
    """
    convs = [shape for name, shape in tensors.items() if is_conv(name)]
    return sum((max(shape[1:]) - 1) * shape[0] for shape in convs) + len(convs) * _matrix(config)


def is_conv(name: str) -> bool:
    """Whether a tensor, by its name here or in a GGUF file, is the weight of a convolution."""
    return name.endswith((".conv.weight", "conv1d.weight"))


def _matrix(config: Config) -> int:
    """Numbers of the matrices of a layer's heads."""
    if "linear_num_value_heads" in config:
        dims = config["linear_key_head_dim"] * config["linear_value_head_dim"]
        return int(config["linear_num_value_heads"] * dims)
    if "mamba_n_heads" in config:
        return int(config["mamba_n_heads"] * config["mamba_d_head"] * config["mamba_d_state"])
    return 0
