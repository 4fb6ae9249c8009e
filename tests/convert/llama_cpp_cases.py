"""The models that llama.cpp's own script made GGUF files of, which lie in tests/golden/gguf:
tools/llama_cpp_files.py makes them, test_llama_cpp_files.py imports them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arch.variants import GEMMA4_EXPERTS, LLAMA3, LONGROPE, tiny
from checkpoint_shapes import shapes

FOLDER = Path(__file__).parents[1] / "golden" / "gguf"
TOKENS = FOLDER / "tokens.json"
"""By vocabulary, odd strings and the ids that its own tokenizer makes of them."""
VOCABULARY_SIZES = {"gemma": 400, "gemma4": 340}
"""Tokens of a vocabulary, with those that fill the matrix up; 300 of all others."""
_SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 20,
}
"""Small and odd."""
_SENTENCEPIECE = {"bos_token_id": 1, "eos_token_id": 2}
_GEMMA = {"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0}
_NAMED = {
    "llama": _SENTENCEPIECE,
    "mistral": _SENTENCEPIECE,
    "phi3": _SENTENCEPIECE,
    "gemma": _GEMMA,
}
"""By vocabulary; byte-pair ones have theirs in tokenizer_config.json."""
_UNUSED_WINDOW = {"sliding_window": None}
"""The script writes no window of a model that says `use_sliding_window: false`."""


@dataclass(frozen=True)
class Case:
    """A row's tiny config, smaller, with changes."""

    name: str
    row: str
    class_name: str
    """What config.json's "architectures" says: the script chooses by it."""
    vocabulary: str
    pre: str | None = None
    """The name of the byte-pair vocabulary's pre-tokenizer; None: it has none."""
    changes: dict[str, Any] = field(default_factory=dict)
    otherwise: dict[str, Any] = field(default_factory=dict)
    """What the imported config.json says in another way, for the same model."""
    tolerance: float = 0.0
    """Of logits, in parts of the largest."""
    mxfp4: bool = False
    """The experts' matrices are of MXFP4's blocks."""
    drafts: bool = False
    """Published with a layer that drafts tokens, which this one has not, as the script is told."""
    wrapper: str = ""
    """The model type of a multimodal folder that has this one as its text_config."""

    @property
    def path(self) -> Path:
        """The file that the script made."""
        return FOLDER / f"{self.name}.gguf"

    @property
    def config(self) -> dict[str, Any]:
        """config.json of the source folder."""
        config = {**tiny(self.row), **_SIZES}
        if "head_dim" in config:
            config["head_dim"] = 16
        config = {
            **config,
            "architectures": [self.class_name],
            **_NAMED.get(self.vocabulary, {}),
            "vocab_size": VOCABULARY_SIZES.get(self.vocabulary, 300),
            **self.changes,
        }
        return {**config, "quantization": _of_experts(config)} if self.mxfp4 else config

    @property
    def whole(self) -> dict[str, Any]:
        """config.json, with what is around a text model."""
        if not self.wrapper:
            return self.config
        around = {"model_type": self.wrapper, "architectures": [self.class_name]}
        return {**around, "text_config": self.config, "vision_config": {}}


def _of_experts(config: dict[str, Any]) -> dict[str, Any]:
    """The block of config.json."""
    modules = [name.removesuffix(".weight") for name in shapes(config) if name.endswith(".weight")]
    others = {module: False for module in modules if ".experts." not in module}
    return {"mode": "mxfp4", "bits": 4, "group_size": 32, **others}


_GEMMA_ENDS = {"eos_token_id": [1, 107]}
"""With the end of a turn."""
_EXPERTS = {"moe_intermediate_size": 12, "num_experts": 4}
_LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
_GPT_OSS = {
    "num_hidden_layers": 4,
    "num_local_experts": 4,
    # no file says so, and OpenAI's models are published with it
    "rope_scaling": {**tiny("gpt_oss")["rope_scaling"], "truncate": False},
}
_FIRST = {"original_max_position_embeddings": 32}
_MAGNITUDE = math.sqrt(1 + math.log(256 / 32) / math.log(32))
_PHIMOE = {
    **_FIRST,
    # the script writes neither the jitter nor these magnitudes, but their usual ones
    "router_jitter_noise": 0.01,
    "num_local_experts": 4,
    "rope_scaling": {
        **LONGROPE,
        **_FIRST,
        "short_factor": LONGROPE["short_factor"][:4],
        "long_factor": LONGROPE["long_factor"][:4],
        "short_mscale": _MAGNITUDE,
        "long_mscale": _MAGNITUDE,
    },
}
_MINISTRAL3 = {k: v for k, v in tiny("ministral3")["rope_parameters"].items() if k != "type"}
_GEMMA4 = {
    "num_hidden_layers": 6,
    "hidden_size": 32,
    "hidden_size_per_layer_input": 16,
    "vocab_size_per_layer_input": VOCABULARY_SIZES["gemma4"],
}
_GATED_DELTA = {
    "num_hidden_layers": 4,
    "head_dim": 8,
    "linear_key_head_dim": 4,
    "linear_value_head_dim": 4,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 6,
}
_GATED_DELTA_EXPERTS = {
    **_GATED_DELTA,
    **_EXPERTS,
    "num_hidden_layers": 2,
    "shared_expert_intermediate_size": 14,
}
_MAMBA = {
    "num_hidden_layers": 3,
    "layer_types": ["mamba", "attention", "mamba"],
    "shared_intermediate_size": 14,
    "mamba_n_heads": 4,
    "mamba_d_head": 8,
    "mamba_n_groups": 2,
    "mamba_d_state": 8,
    "vocab_size": 304,  # the script fills up to a multiple of 8
}
_NO_ROPE = {"max_position_embeddings": 1 << 20}
"""What the script writes of a model without rotary embedding."""

CASES = [
    Case("llama", "llama", "LlamaForCausalLM", "llama"),
    Case("llama3", "llama", "LlamaForCausalLM", "llama3", "llama-bpe"),
    Case("mistral", "mistral", "MistralForCausalLM", "mistral", otherwise=_LLAMA),
    Case(
        *("internlm3", "internlm3", "InternLM3ForCausalLM", "llama"),
        otherwise=_LLAMA,
    ),
    Case("mixtral", "mixtral", "MixtralForCausalLM", "llama"),
    Case("qwen2", "qwen2", "Qwen2ForCausalLM", "qwen2", "qwen2", otherwise=_UNUSED_WINDOW),
    Case("qwen3", "qwen3", "Qwen3ForCausalLM", "qwen2", "qwen2"),
    Case(
        *("qwen2moe", "qwen2_moe", "Qwen2MoeForCausalLM", "qwen2", "qwen2"),
        changes={**_EXPERTS, "shared_expert_intermediate_size": 16},
    ),
    Case("qwen3moe", "qwen3_moe", "Qwen3MoeForCausalLM", "qwen2", "qwen2", changes=_EXPERTS),
    Case(
        *("gemma", "gemma", "GemmaForCausalLM", "gemma"),
        otherwise={**_GEMMA_ENDS, "hidden_act": "gelu_pytorch_tanh"},
        tolerance=2e-6,
    ),
    Case(
        *("gemma2", "gemma2", "Gemma2ForCausalLM", "gemma"),
        changes={"query_pre_attn_scalar": 16, "sliding_window": 8},
        otherwise=_GEMMA_ENDS,
        tolerance=2e-6,
    ),
    Case(
        *("gemma3", "gemma3_text", "Gemma3ForCausalLM", "gemma"),
        changes={
            "query_pre_attn_scalar": 16,
            "sliding_window_pattern": 6,
            "num_hidden_layers": 6,
        },
        otherwise=_GEMMA_ENDS,
        tolerance=2e-6,
    ),
    Case("phi3", "phi3", "Phi3ForCausalLM", "phi3", otherwise={"eos_token_id": [2, 297, 299]}),
    Case(
        *("smollm3", "smollm3", "SmolLM3ForCausalLM", "llama3", "llama-bpe"),
        changes={"no_rope_layer_interval": 4, "num_hidden_layers": 4},
    ),
    Case("olmo2", "olmo2", "Olmo2ForCausalLM", "gpt2", "gpt-2"),
    Case(
        *("olmo3", "olmo3", "Olmo3ForCausalLM", "gpt2", "gpt-2"), changes={"num_hidden_layers": 4}
    ),
    Case("olmoe", "olmoe", "OlmoeForCausalLM", "gpt2", "gpt-2", changes={"num_experts": 4}),
    Case("granite", "granite", "GraniteForCausalLM", "gpt2", "gpt-2"),
    Case("granitemoe", "granitemoe", "GraniteMoeForCausalLM", "gpt2", "gpt-2"),
    Case("seed_oss", "seed_oss", "SeedOssForCausalLM", "gpt2", "gpt-2"),
    Case("ernie4_5", "ernie4_5", "Ernie4_5_ForCausalLM", "llama"),
    Case(
        *("hunyuan", "hunyuan_v1_dense", "HunYuanDenseV1ForCausalLM", "gpt2", "gpt-2"),
        changes={"max_position_embeddings": 32768},
        # the base is 10000 * alpha ** (16 / 14), as float32; the script writes one context for all
        otherwise={"rope_theta": 874339.3, "max_position_embeddings": 262144},
        tolerance=2e-6,
    ),
    Case(
        *("exaone4", "exaone4", "Exaone4ForCausalLM", "gpt2", "gpt-2"),
        changes={"num_hidden_layers": 4},
    ),
    Case(
        *("gpt-oss", "gpt_oss", "GptOssForCausalLM", "gpt2", "gpt-2"),
        changes=_GPT_OSS,
        otherwise={"layer_types": None},
    ),
    Case(
        *("gpt-oss-mxfp4", "gpt_oss", "GptOssForCausalLM", "gpt2", "gpt-2"),
        changes={**_GPT_OSS, "hidden_size": 32, "intermediate_size": 32},
        otherwise={"layer_types": None},
        mxfp4=True,
    ),
    Case(
        *("deepseek_v2", "deepseek_v2", "DeepseekV2ForCausalLM", "gpt2", "gpt-2"),
        changes={
            "num_key_value_heads": 2,
            "topk_method": "group_limited_greedy",
            "n_group": 4,
            "topk_group": 2,
            "moe_intermediate_size": 12,
        },
    ),
    Case(
        *("deepseek_v3", "deepseek_v3", "DeepseekV3ForCausalLM", "gpt2", "gpt-2"),
        changes={"num_key_value_heads": 2, "moe_intermediate_size": 12},
    ),
    Case(
        *("glm4_moe_lite", "glm4_moe_lite", "Glm4MoeLiteForCausalLM", "gpt2", "gpt-2"),
        changes={"num_key_value_heads": 2, "moe_intermediate_size": 12},
        otherwise={"model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"]},
    ),
    Case(
        *("glm4_moe", "glm4_moe", "Glm4MoeForCausalLM", "gpt2", "gpt-2"),
        changes={"moe_intermediate_size": 12},
    ),
    Case("glm4", "glm4", "Glm4ForCausalLM", "gpt2", "gpt-2"),
    Case(
        *("cohere", "cohere", "CohereForCausalLM", "gpt2", "gpt-2"), changes={"use_qk_norm": True}
    ),
    Case(
        *("cohere2", "cohere2", "Cohere2ForCausalLM", "gpt2", "gpt-2"),
        changes={
            "num_hidden_layers": 4,
            "sliding_window_pattern": 4,
            "head_dim": 8,
            "rotary_pct": 1,
        },
    ),
    Case("gemma4", "gemma4_text", "Gemma4ForCausalLM", "gemma4", changes=_GEMMA4),
    Case(
        *("gemma4-experts", "gemma4_text", "Gemma4ForCausalLM", "gemma4"),
        changes={**_GEMMA4, **GEMMA4_EXPERTS, "num_experts": 4, "moe_intermediate_size": 12},
        otherwise={"use_double_wide_mlp": False, "vocab_size_per_layer_input": 1},  # used by none
    ),
    Case(
        *("qwen3vl", "qwen3_vl", "Qwen3VLForConditionalGeneration", "qwen2", "qwen2"),
        otherwise={"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]},
        wrapper="qwen3_vl",
    ),
    Case(
        *("qwen3vlmoe", "qwen3_moe", "Qwen3VLMoeForConditionalGeneration", "qwen2", "qwen2"),
        changes=_EXPERTS,
        otherwise={"architectures": ["Qwen3MoeForCausalLM"]},
        wrapper="qwen3_vl_moe",
    ),
    Case(
        *("nemotron", "nemotron", "NemotronForCausalLM", "llama"),
        changes={"head_dim": 8},
        tolerance=2e-6,
    ),
    Case("stablelm", "stablelm", "StableLmForCausalLM", "gpt2", "gpt-2"),
    Case(
        *("stablelm-parallel", "stablelm", "StableLmForCausalLM", "gpt2", "gpt-2"),
        changes={"use_parallel_residual": True, "use_qkv_bias": False},
    ),
    Case(
        *("phi", "phi", "PhiForCausalLM", "gpt2", "gpt-2"),
        changes={"num_key_value_heads": 2, "intermediate_size": 64},
    ),
    Case(
        *("starcoder2", "starcoder2", "Starcoder2ForCausalLM", "gpt2", "gpt-2"),
        changes={"hidden_act": "gelu_pytorch_tanh"},
    ),
    Case(
        *("apertus", "apertus", "ApertusForCausalLM", "gpt2", "gpt-2"),
        changes={"rope_scaling": {**LLAMA3, "original_max_position_embeddings": 8192}},
    ),
    Case(
        *("exaone", "exaone", "ExaoneForCausalLM", "gpt2", "gpt-2"),
        changes={"num_layers": 2},
        otherwise=_LLAMA,
    ),
    Case(
        *("ministral3", "ministral3", "Ministral3ForCausalLM", "llama"),
        changes={"rope_parameters": _MINISTRAL3},
    ),
    Case(
        "minimax_m2",
        "minimax_m2",
        "MiniMaxM2ForCausalLM",
        "gpt2",
        "gpt-2",
        changes={"num_local_experts": 4, "rotary_dim": 8},
    ),
    Case(
        "phimoe",
        "phimoe",
        "PhiMoEForCausalLM",
        "phi3",
        changes=_PHIMOE,
        otherwise={"eos_token_id": [2, 297, 299]},
    ),
    Case(
        "ernie4_5_moe",
        "ernie4_5_moe",
        "Ernie4_5_MoeForCausalLM",
        "llama",
        changes={
            "moe_intermediate_size": 12,
            "moe_num_experts": 4,
            "moe_k": 2,
            "num_hidden_layers": 3,
        },
    ),
    Case(
        *("lfm2", "lfm2", "Lfm2ForCausalLM", "gpt2", "gpt-2"),
        changes={"num_hidden_layers": 4, "block_dim": 16, "block_multiple_of": 256},
        # a file has the width that is adjusted, alone
        otherwise={
            "intermediate_size": 256,
            "block_ff_dim": 256,
            "block_auto_adjust_ff_dim": False,
        },
    ),
    Case(
        *("lfm2_moe", "lfm2_moe", "Lfm2MoeForCausalLM", "gpt2", "gpt-2"),
        changes={
            "num_hidden_layers": 4,
            "layer_types": ["conv", "conv", "full_attention", "conv"],
            "moe_intermediate_size": 12,
            "num_experts": 4,
        },
    ),
    Case(
        *("qwen35", "qwen3_5", "Qwen3_5ForConditionalGeneration", "qwen2", "qwen2"),
        changes=_GATED_DELTA,
        otherwise={"architectures": ["Qwen3_5ForCausalLM"]},
        drafts=True,
        wrapper="qwen3_5",
    ),
    Case(
        *("qwen35moe", "qwen3_5_moe", "Qwen3_5MoeForConditionalGeneration", "qwen2", "qwen2"),
        changes=_GATED_DELTA_EXPERTS,
        otherwise={"architectures": ["Qwen3_5MoeForCausalLM"]},
        drafts=True,
        wrapper="qwen3_5_moe",
    ),
    Case(
        *("qwen3next", "qwen3_next", "Qwen3NextForCausalLM", "qwen2", "qwen2"),
        changes=_GATED_DELTA_EXPERTS,
        otherwise={
            "model_type": "qwen3_5_moe",
            "architectures": ["Qwen3_5MoeForCausalLM"],
            "rope_theta": None,
            "partial_rotary_factor": None,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1000000.0,
                "partial_rotary_factor": 0.25,
            },
        },
        drafts=True,
    ),
    Case(
        *("granitehybrid", "granitemoehybrid", "GraniteMoeHybridForCausalLM", "gpt2", "gpt-2"),
        changes={
            **_MAMBA,
            "shared_intermediate_size": 20,
            "num_local_experts": 0,
            "num_experts_per_tok": 0,
        },
        otherwise=_NO_ROPE,
    ),
    Case(
        *("granitehybrid-experts", "granitemoehybrid", "GraniteMoeHybridForCausalLM"),
        *("gpt2", "gpt-2"),
        changes={**_MAMBA, "num_local_experts": 3, "num_experts_per_tok": 2},
        otherwise=_NO_ROPE,
    ),
    Case(
        *("kimi_linear", "kimi_linear", "KimiLinearForCausalLM", "gpt2", "gpt-2"),
        changes={
            "num_hidden_layers": 3,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "kv_lora_rank": 12,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 4,
            "v_head_dim": 6,
            "linear_attn_config": {
                "full_attn_layers": [2],
                "kda_layers": [1, 3],
                "head_dim": 8,
                "num_heads": 2,
                "short_conv_kernel_size": 4,
            },
            "num_experts": 3,
            "num_experts_per_token": 2,
            "moe_intermediate_size": 12,
        },
    ),
    Case(
        *("nemotron_h", "nemotron_h", "NemotronHForCausalLM", "gpt2", "gpt-2"),
        changes={
            "num_hidden_layers": 4,
            "hybrid_override_pattern": "ME*M",
            "vocab_size": 304,
            "head_dim": 8,
            "mamba_num_heads": 4,
            "mamba_head_dim": 16,
            "n_groups": 2,
            "ssm_state_size": 8,
            "n_routed_experts": 3,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 12,
            "moe_shared_expert_intermediate_size": 14,
        },
        # of a model without dense layers a file has the width of experts
        otherwise={**_NO_ROPE, "intermediate_size": 12},
    ),
]
BY_NAME = {case.name: case for case in CASES}
