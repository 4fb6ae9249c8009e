"""What a model type's class does not read, and what makes no difference, is no error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import checkpoints
import convergio_mlx as cm
from arch.test_defaults import OTHER, read
from arch.variants import rows, tiny
from convergio_mlx.platform.native import native

pytestmark = pytest.mark.slow

COMMON = {
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "max_position_embeddings",
    "rms_norm_eps",
    "rope_theta",
}
GEMMA = {
    "hidden_activation",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "query_pre_attn_scalar",
    "sliding_window",
}
SWITCHED = {"hidden_act", "use_sliding_window", "sliding_window"}
GRANITE = {
    "hidden_act",
    "attention_multiplier",
    "embedding_multiplier",
    "residual_multiplier",
    "logits_scaling",
}
QWEN_MOE = {
    *SWITCHED,
    "num_experts",
    "num_experts_per_tok",
    "moe_intermediate_size",
    "decoder_sparse_step",
}
LOCAL_EXPERTS = {"num_local_experts", "num_experts_per_tok"}
GLM = {
    "hidden_act",
    "num_experts_per_tok",
    "moe_intermediate_size",
    "n_routed_experts",
    "n_shared_experts",
    "first_k_dense_replace",
}
LATENT = {
    *GLM,
    "q_lora_rank",
    "kv_lora_rank",
    "qk_nope_head_dim",
    "qk_rope_head_dim",
    "v_head_dim",
}
GATED_DELTA = {
    "hidden_act",
    "partial_rotary_factor",
    "linear_num_value_heads",
    "linear_num_key_heads",
    "linear_key_head_dim",
    "linear_value_head_dim",
    "linear_conv_kernel_dim",
    "full_attention_interval",
}
QWEN_EXPERTS = {
    "num_experts",
    "num_experts_per_tok",
    "moe_intermediate_size",
    "shared_expert_intermediate_size",
}
READ: dict[str, set[str]] = {
    "llama": {"hidden_act"},
    "mistral": {"hidden_act", "sliding_window"},
    "qwen2": {*SWITCHED, "max_window_layers"},
    "qwen3": {*SWITCHED, "max_window_layers"},
    "qwen3_vl": {"hidden_act"},
    "phi3": {"hidden_act", "sliding_window", "partial_rotary_factor"},
    "gemma2": GEMMA,
    "gemma3_text": {*GEMMA, "sliding_window_pattern", "rope_local_base_freq"},
    "smollm3": {*SWITCHED, "no_rope_layer_interval"},
    "olmo2": {"hidden_act"},
    "olmo3": {"hidden_act", "sliding_window"},
    "granite": GRANITE,
    "exaone4": {"hidden_act", "sliding_window", "sliding_window_pattern"},
    "mixtral": {*LOCAL_EXPERTS, "hidden_act", "sliding_window"},
    "qwen2_moe": {*QWEN_MOE, "max_window_layers", "shared_expert_intermediate_size"},
    "qwen3_moe": QWEN_MOE,
    "olmoe": {"hidden_act", "num_experts", "num_experts_per_tok"},
    "granitemoe": {*GRANITE, *LOCAL_EXPERTS},
    "granitemoehybrid": {
        *GRANITE,
        *LOCAL_EXPERTS,
        "shared_intermediate_size",
        "mamba_n_heads",
        "mamba_d_head",
        "mamba_n_groups",
        "mamba_d_state",
        "mamba_d_conv",
    },
    "mamba2": {"hidden_act"},
    "falcon_h1": {
        "hidden_act",
        "embedding_multiplier",
        "mamba_n_heads",
        "mamba_d_head",
        "mamba_n_groups",
        "mamba_d_state",
        "mamba_d_conv",
    },
    "olmo_hybrid": GATED_DELTA - {"partial_rotary_factor", "full_attention_interval"},
    "nemotron_h": {"n_routed_experts", "num_experts_per_tok", "moe_intermediate_size"},
    "glm4_moe": {*GLM, "partial_rotary_factor"},
    "glm4_moe_lite": LATENT,
    "deepseek_v3": LATENT,
    "deepseek_v2": LATENT,
    "minimax_m2": {"hidden_act", *LOCAL_EXPERTS},
    "gpt_oss": {"hidden_act", "sliding_window", *LOCAL_EXPERTS},
    "laguna": {
        "hidden_act",
        "sliding_window",
        "partial_rotary_factor",
        "rope_local_base_freq",
        "num_experts",
        "num_experts_per_tok",
        "moe_intermediate_size",
        "shared_expert_intermediate_size",
    },
    "phimoe": {"hidden_act", "sliding_window", *LOCAL_EXPERTS},
    "llama4_text": {
        *LOCAL_EXPERTS,
        "hidden_act",
        "intermediate_size_mlp",
        "attention_chunk_size",
        "interleave_moe_layer_step",
        "no_rope_layer_interval",
    },
    "ernie4_5_moe": {
        "hidden_act",
        "moe_num_experts",
        "moe_k",
        "moe_intermediate_size",
        "moe_num_shared_experts",
        "moe_layer_start_index",
        "moe_layer_end_index",
        "moe_layer_interval",
    },
    "ministral3": {"hidden_act", "sliding_window"},
    "gemma": {"hidden_act"},
    "gemma4_text": {
        "hidden_activation",
        "final_logit_softcapping",
        "sliding_window",
        "sliding_window_pattern",
        "rope_local_base_freq",
        "partial_rotary_factor",
    },
    "seed_oss": {"hidden_act"},
    "glm4": {"hidden_act", "partial_rotary_factor"},
    "cohere": {"hidden_act", "layer_norm_eps", "logit_scale"},
    "cohere2": {
        "hidden_act",
        "layer_norm_eps",
        "logit_scale",
        "sliding_window",
        "sliding_window_pattern",
    },
    "hunyuan_v1_dense": {"hidden_act"},
    "ernie4_5": {"hidden_act"},
    "internlm3": {"hidden_act"},
    "stablelm": {
        "hidden_act",
        "layer_norm_eps",
        "partial_rotary_factor",
        "use_parallel_residual",
    },
    "phi": {"hidden_act", "layer_norm_eps", "partial_rotary_factor"},
    "starcoder2": {"hidden_act", "norm_epsilon", "sliding_window"},
    "nemotron": {"hidden_act", "norm_eps", "partial_rotary_factor"},
    "apertus": {"hidden_act"},
    "exaone": set(),
    "lfm2": {
        "norm_eps",
        "conv_L_cache",
        "full_attn_idxs",
        "block_ff_dim",
        "block_multiple_of",
        "block_ffn_dim_multiplier",
    },
    "lfm2_moe": {
        "norm_eps",
        "conv_L_cache",
        "full_attn_idxs",
        "num_experts",
        "num_experts_per_tok",
        "moe_intermediate_size",
        "num_dense_layers",
    },
    "qwen3_next": {
        *GATED_DELTA,
        *QWEN_EXPERTS,
        "decoder_sparse_step",
    },
    "qwen3_5": GATED_DELTA,
    "kimi_linear": {
        "hidden_act",
        "model_max_length",
        "num_experts",
        "num_experts_per_token",
        "moe_intermediate_size",
        "num_shared_experts",
        "first_k_dense_replace",
        "q_lora_rank",
        "kv_lora_rank",
        "qk_nope_head_dim",
        "qk_rope_head_dim",
        "v_head_dim",
        "linear_num_heads",
        "linear_head_dim",
        "linear_conv_kernel_dim",
    },
    "qwen3_5_moe": {*GATED_DELTA, *QWEN_EXPERTS},
    "muse_glimmer": {
        "hidden_activation",
        "final_logit_softcapping",
        "sliding_window",
        "output_multiplier",
        "qk_scale_factor",
        "post_norm_eps",
    },
}
_LAYER_NORM = {"rms_norm_eps"}
_LATENT_HEADS = {"head_dim", "num_key_value_heads"}
UNCOMMON = {
    "glm4_moe_lite": _LATENT_HEADS,
    "deepseek_v3": _LATENT_HEADS,
    "deepseek_v2": _LATENT_HEADS,
    "cohere": _LAYER_NORM,
    "cohere2": _LAYER_NORM,
    "stablelm": _LAYER_NORM,
    "phi": _LAYER_NORM,
    "starcoder2": _LAYER_NORM,
    "nemotron": _LAYER_NORM,
    "kimi_linear": {*_LATENT_HEADS, "max_position_embeddings"},
    "lfm2": _LAYER_NORM,
    "lfm2_moe": _LAYER_NORM,
    "exaone": {"rms_norm_eps", "num_hidden_layers"},
    "nemotron_h": {"rms_norm_eps", "num_hidden_layers"},
    "mamba2": {
        "rms_norm_eps",
        "intermediate_size",
        "num_attention_heads",
        "num_key_value_heads",
    },
}
"""The keys of COMMON that a class has under another name."""
"""The keys of OTHER that each class reads beside COMMON."""
NONSENSE: list[Any] = [0, -7, 1e300, 2**70, "x", True, [], {}, [1], {"a": 1}, None]


@pytest.mark.parametrize("row", rows())
def test_a_key_that_the_class_does_not_read_is_ignored(row: str) -> None:
    plain = read(tiny(row))
    for key in OTHER.keys() - (COMMON - UNCOMMON.get(row, set())) - READ[row]:
        for value in NONSENSE:
            assert read({**tiny(row), key: value}) == plain, (key, value)


@pytest.mark.parametrize("row", ["phi3", "olmo2", "granite"])
def test_layer_types_are_ignored_by_classes_without_them(row: str) -> None:
    plain = read(tiny(row))
    for value in ([], ["linear_attention"], "x", 3):
        assert read({**tiny(row), "layer_types": value}) == plain


SAME: list[tuple[str, dict[str, Any]]] = [
    ("qwen2", {"use_sliding_window": False, "sliding_window": 0}),
    ("qwen3", {"use_sliding_window": False, "sliding_window": "x", "max_window_layers": "x"}),
    ("mistral", {"sliding_window": 0}),
    ("mistral", {"sliding_window": -1}),
    ("exaone4", {"layer_types": None}),
    ("exaone4", {"layer_types": None, "sliding_window_pattern": 4}),
    ("exaone4", {"sliding_window_pattern": ["x"]}),
    ("llama", {"rope_scaling": {}, "rope_parameters": {}}),
    ("llama", {"rope_scaling": None, "rope_parameters": None}),
    ("llama", {"quantization": 4}),
    ("llama", {"quantization": {"bits": 0}}),
    ("llama", {"quantization_config": {"quant_method": "awq"}}),
    ("llama", {"no_rope_layers": [0], "no_rope_layer_interval": 0}),
]


@pytest.mark.parametrize(("row", "changes"), SAME, ids=range(len(SAME)))
def test_changes_that_change_nothing(row: str, changes: dict[str, Any]) -> None:
    assert read({**tiny(row), **changes}) == read(tiny(row))


@pytest.mark.parametrize("value", [10**9, 1e9, 10**30, float("inf"), 1 << 28])
def test_a_context_beyond_all_bounds_is_as_long_as_a_cache_can_count(value: float) -> None:
    config = {**tiny("llama"), "max_position_embeddings": value}
    assert native().geometry(json.dumps(config).encode()).context_window == 1 << 28


def test_a_window_beyond_all_bounds() -> None:
    config = {**tiny("mistral"), "sliding_window": 10**12}
    assert native().geometry(json.dumps(config).encode()).windows == [1 << 28] * 3


def test_gemma_3_as_it_is_published() -> None:
    """google/gemma-3-4b-it's text_config leaves out what the class has as defaults."""
    config = {
        "model_type": "gemma3_text",
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "num_hidden_layers": 34,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "sliding_window": 1024,
    }
    geometry = native().geometry(json.dumps(config).encode())
    assert (geometry.heads, geometry.kv_heads, geometry.head_dim) == (8, 4, 256)
    assert geometry.context_window == 131072
    assert geometry.windows == ([1024] * 5 + [0]) * 5 + [1024] * 4
    assert geometry.rotary(0, 1)[0][1] == pytest.approx(8 * 1e6 ** (1 / 128))
    assert geometry.rotary(1, 1)[0][1] == pytest.approx(1e4 ** (1 / 128))


QUANTIZED: dict[str, Any] = {
    **tiny("llama"),
    "intermediate_size": 128,
    "quantization": {"group_size": 32, "bits": 4},
}
BLOCKS: dict[str, Any] = {
    "extra": {"group_size": 32, "bits": 4, "recipe": {"bits": 4.5}, "notes": {"mode": 7}},
    "other bits": {"group_size": 32, "bits": 8},
    "other groups": {"group_size": 64, "bits": 4},
    "other mode": {"mode": "mxfp4"},
    "unknown mode": {"mode": "gguf"},
    "fraction": {"group_size": 32, "bits": 4.5},
    "empty": {},
    "number": 4,
}


@pytest.mark.parametrize("name", BLOCKS)
def test_how_a_matrix_is_quantized_is_told_by_the_file(name: str, tmp_path: Path) -> None:
    """What the block says in general, or of what is no matrix, does not outrank the shapes."""
    content = checkpoints.tensors(QUANTIZED)
    tokens = checkpoints.tokens(QUANTIZED, 5)
    logits = []
    for block in (QUANTIZED["quantization"], BLOCKS[name]):
        config = {**QUANTIZED, "quantization": block}
        folder = checkpoints.write(tmp_path / str(len(logits)), config, content=content)
        with cm.Engine.load(folder) as engine:
            logits.append(np.asarray(engine.logits(tokens)))
    np.testing.assert_array_equal(logits[0], logits[1])


def test_quantization_outranks_quantization_config(tmp_path: Path) -> None:
    other = {"quant_method": "awq", "group_size": 128, "bits": 8}
    config = {**QUANTIZED, "quantization_config": other}
    content = checkpoints.tensors(QUANTIZED)
    cm.Engine.load(checkpoints.write(tmp_path, config, content=content)).close()


def test_a_quantization_block_of_a_checkpoint_without_scales(tmp_path: Path) -> None:
    content = checkpoints.tensors(tiny("llama"))
    for number, key in enumerate(("quantization", "quantization_config")):
        config = {**tiny("llama"), key: {"group_size": 64, "bits": 4, "quant_method": "awq"}}
        cm.Engine.load(checkpoints.write(tmp_path / str(number), config, content=content)).close()
