"""The sizes of published models, as their config.json gives them."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from checkpoints import shapes

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
}


def head_dim(config: Config) -> int:
    """The width of an attention head."""
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def weights_read(config: Config) -> int:
    """Numbers of the matrices that making a token reads: all of them, but of experts those that it
    goes to, and one row alone of an embedding that is not the head too."""
    counts = {name: math.prod(shape) for name, shape in shapes(config).items()}
    for name, shape in shapes(config).items():
        if len(shape) == 3:
            counts[name] = counts[name] // shape[0] * config["num_experts_per_tok"]
    matrices = sum(n for name, n in counts.items() if not name.endswith(("norm.weight", ".bias")))
    unused = 0 if config["tie_word_embeddings"] else counts["model.embed_tokens.weight"]
    return matrices - unused


def kv_numbers(config: Config, tokens: int) -> int:
    """Numbers of the keys and values of `tokens` tokens."""
    row = 2 * config["num_key_value_heads"] * head_dim(config)
    return int(row * config["num_hidden_layers"] * tokens)
