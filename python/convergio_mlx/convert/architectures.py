"""The architectures of GGUF files that convert: what their tensors and keys are called in a folder
of the Hugging Face kind. A new one is a row.

The names are those of llama.cpp's writer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from convergio_mlx.convert.gguf_architecture import Architecture, Key

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
_POST_IN = {
    "attn_norm": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm",
}
"""As _PRE, under the name that llama.cpp has for the norm after attention."""
_POST = {
    "post_attention_norm": "post_attention_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
_SANDWICH = {**_POST, "attn_norm": "input_layernorm", "ffn_norm": "pre_feedforward_layernorm"}
_FUSED = {"attn_qkv": "self_attn.qkv_proj", "ffn_up": "mlp.gate_up_proj"}

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
_GPT_OSS = {
    base: f"mlp.experts.{name}_proj"
    for base, name in (("ffn_gate_exps", "gate"), ("ffn_up_exps", "up"), ("ffn_down_exps", "down"))
}
_CORRECTED = {"exp_probs_b": "mlp.gate.e_score_correction_bias"}
_SHARED_BY_ALL = {
    base: module.replace("shared_expert.", "shared_experts.")
    for base, module in _SHARED.items()
    if base != "ffn_gate_inp_shexp"
}
_LATENT = {
    "attn_q_a": "self_attn.q_a_proj",
    "attn_q_a_norm": "self_attn.q_a_layernorm",
    "attn_q_b": "self_attn.q_b_proj",
    "attn_kv_a_mqa": "self_attn.kv_a_proj_with_mqa",
    "attn_kv_a_norm": "self_attn.kv_a_layernorm",
    "attn_kv_b": "self_attn.kv_b_proj",
    "attn_k_b": "self_attn.embed_q",
    "attn_v_b": "self_attn.unembed_out",
}
_GEMMA4_NAMES = {
    "per_layer_token_embd": "model.embed_tokens_per_layer",
    "per_layer_model_proj": "model.per_layer_model_projection",
    "per_layer_proj_norm": "model.per_layer_projection_norm",
    "inp_gate": "per_layer_input_gate",
    "proj": "per_layer_projection",
    "post_norm": "post_per_layer_input_norm",
    "layer_output_scale": "layer_scalar",
    "ffn_gate_inp": "router.proj",
    "ffn_gate_inp.scale": "router.scale",
    "ffn_gate_exps": "experts.switch_glu.gate_proj",
    "ffn_up_exps": "experts.switch_glu.up_proj",
    "ffn_down_exps": "experts.switch_glu.down_proj",
    "ffn_down_exps.scale": "router.per_expert_scale",
    "post_ffw_norm_1": "post_feedforward_layernorm_1",
    "pre_ffw_norm_2": "pre_feedforward_layernorm_2",
    "post_ffw_norm_2": "post_feedforward_layernorm_2",
}

_SHORT_CONV = {
    **_TENSORS,
    "token_embd_norm": "model.embedding_norm",
    "attn_norm": "operator_norm",
    "ffn_norm": "ffn_norm",
    "attn_q_norm": "self_attn.q_layernorm",
    "attn_k_norm": "self_attn.k_layernorm",
    "attn_output": "self_attn.out_proj",
    "shortconv.in_proj": "conv.in_proj",
    "shortconv.conv": "conv.conv",
    "shortconv.out_proj": "conv.out_proj",
    "ffn_gate": "feed_forward.w1",
    "ffn_up": "feed_forward.w3",
    "ffn_down": "feed_forward.w2",
}
del _SHORT_CONV["output_norm"]

_GATED_DELTA = {
    "attn_qkv": "linear_attn.in_proj_qkv",
    "attn_gate": "linear_attn.in_proj_z",
    "ssm_beta": "linear_attn.in_proj_b",
    "ssm_alpha": "linear_attn.in_proj_a",
    "ssm_conv1d": "linear_attn.conv1d",
    "ssm_dt": "linear_attn.dt_bias",
    "ssm_a": "linear_attn.A_log",
    "ssm_norm": "linear_attn.norm",
    "ssm_out": "linear_attn.out_proj",
}
_MAMBA2 = {
    "ssm_in": "mamba.in_proj",
    "ssm_conv1d": "mamba.conv1d",
    "ssm_dt": "mamba.dt_bias",
    "ssm_a": "mamba.A_log",
    "ssm_d": "mamba.D",
    "ssm_norm": "mamba.norm",
    "ssm_out": "mamba.out_proj",
}
_KIMI_DELTA = {
    **{f"ssm_conv1d_{part}": f"self_attn.{part}_conv.conv" for part in "qkv"},
    **{f"ssm_{gate}_{part}": f"self_attn.{gate}_{part}_proj" for gate in "fg" for part in "ab"},
    "ssm_beta": "self_attn.b_proj",
    "ssm_dt": "self_attn.dt_bias",
    "ssm_a": "self_attn.A_log",
    "ssm_norm": "self_attn.o_norm",
}
_SHARED_BESIDE = {
    "ffn_gate_shexp": "shared_mlp.input_linear",  # gate above up
    "ffn_up_shexp": "shared_mlp.input_linear",
    "ffn_down_shexp": "shared_mlp.output_linear",
}

_COUNT = Key("expert_count", needed=True)
_CHOSEN = Key("expert_used_count", needed=True)
_LOCAL = {"num_local_experts": _COUNT, "num_experts_per_tok": _CHOSEN}
_NUMBERS = {"num_experts": _COUNT, "num_experts_per_tok": _CHOSEN}
_WIDTH = {"moe_intermediate_size": Key("expert_feed_forward_length", needed=True)}
_NARROW = {**_NUMBERS, **_WIDTH}
_SHARED_COUNT = Key("expert_shared_count", 0, may_be_zero=True)
_DENSE_COUNT = Key("leading_dense_block_count", 0, may_be_zero=True)
_SHARED_WIDTH = {
    "shared_expert_intermediate_size": Key("expert_shared_feed_forward_length", needed=True)
}
_GROUPED = {
    "n_routed_experts": _COUNT,
    "num_experts_per_tok": _CHOSEN,
    **_WIDTH,
    "n_shared_experts": _SHARED_COUNT,
    "n_group": Key("expert_group_count", 1),
    "topk_group": Key("expert_group_used_count", 1),
    "routed_scaling_factor": Key("expert_weights_scale", 1.0),
    "first_k_dense_replace": _DENSE_COUNT,
}
_NORMALIZED = {"norm_topk_prob": Key("expert_weights_norm", False)}
_LATENT_SIZES = {
    "q_lora_rank": Key("attention.q_lora_rank"),
    "kv_lora_rank": Key("attention.kv_lora_rank", needed=True),
    "qk_rope_head_dim": Key("rope.dimension_count", needed=True),
}
_SOFTMAX = {"expert_gating_func": 1}
_SIGMOID = {"expert_gating_func": 2}
_WINDOW = Key("attention.sliding_window", zero_is_none=True)
_NO_WINDOW = {"use_sliding_window": False}
_ALL_SPARSE: Mapping[str, Any] = {"decoder_sparse_step": 1, "mlp_only_layers": []}
_GELU = {"hidden_activation": "gelu_pytorch_tanh", "hidden_act": "gelu_pytorch_tanh"}

_MULTIPLIERS = {
    "attention_multiplier": Key("attention.scale", needed=True),
    "embedding_multiplier": Key("embedding_scale", 1.0),
    "residual_multiplier": Key("residual_scale", 1.0),
    "logits_scaling": Key("logit_scale", needed=True),
}

_DENSE = {**_TENSORS, **_PRE}
_HAS_BIAS = {"attention_bias": "attn_q.bias"}
_HAS_BIASES = {**_HAS_BIAS, "mlp_bias": "ffn_up.bias"}
_HAS_QK_NORM = {"use_qk_norm": "attn_q_norm.weight"}
_LAYER_NORM = ("layer_norm_eps", "attention.layer_norm_epsilon")
_LOGIT_SCALE = {"logit_scale": Key("logit_scale", needed=True)}

_QWEN3 = Architecture("qwen3", "Qwen3ForCausalLM", _DENSE, fields=_NO_WINDOW)
_QWEN3_EXPERTS = Architecture(
    "qwen3_moe",
    "Qwen3MoeForCausalLM",
    {**_DENSE, **_ROUTED},
    keys=_NARROW,
    fields={**_NO_WINDOW, **_ALL_SPARSE, "norm_topk_prob": True},
    only=_SOFTMAX,
)
_MIXTRAL = Architecture(
    "mixtral",
    "MixtralForCausalLM",
    {**_DENSE, **_BLOCK_SPARSE},
    interleaved=True,
    keys=_LOCAL,
    fields={"sliding_window": None},
    only=_SOFTMAX,
)
_DEEPSEEK = Architecture(
    "deepseek_v3",
    "DeepseekV3ForCausalLM",
    {**_DENSE, **_LATENT, **_ROUTED, **_SHARED_BY_ALL, **_CORRECTED},
    log_multiplier=0.1,
    latent=True,
    keys={**_GROUPED, **_NORMALIZED, **_LATENT_SIZES},
    fields={"moe_layer_freq": 1},
    only=_SIGMOID,
)
_DEEPSEEK2 = replace(
    _DEEPSEEK,
    model_type="deepseek_v2",
    class_name="DeepseekV2ForCausalLM",
    tensors={**_DENSE, **_LATENT, **_ROUTED, **_SHARED_BY_ALL},
    keys={**_GROUPED, **_LATENT_SIZES},
    fields={"moe_layer_freq": 1, "norm_topk_prob": False, "topk_method": "group_limited_greedy"},
    only={**_SOFTMAX, "expert_weights_norm": False},
    variants=(("exp_probs_b", None, _DEEPSEEK),),
)
_LFM2 = Architecture(
    "lfm2",
    "Lfm2ForCausalLM",
    _SHORT_CONV,
    norm_eps=("norm_eps", "attention.layer_norm_rms_epsilon"),
    recurrent_type="conv",
    keys={
        "conv_L_cache": Key("shortconv.l_cache", needed=True),
        "block_dim": Key("embedding_length"),
        "block_ff_dim": Key("feed_forward_length"),
    },
    fields={
        "conv_bias": False,
        "block_auto_adjust_ff_dim": False,  # the length is that of the matrices
        "block_multiple_of": 256,
        "block_ffn_dim_multiplier": 1.0,
    },
)
_QWEN35 = Architecture(
    "qwen3_5",
    "Qwen3_5ForCausalLM",
    {**_TENSORS, **_POST_IN, **_GATED_DELTA},
    partial_rotary=True,
    at_interval=True,
    tiled_heads=True,
    rope_parameters=True,
    keys={
        "linear_num_key_heads": Key("ssm.group_count", needed=True),
        "linear_num_value_heads": Key("ssm.time_step_rank", needed=True),
        "linear_key_head_dim": Key("ssm.state_size", needed=True),
        "linear_conv_kernel_dim": Key("ssm.conv_kernel", needed=True),
    },
    quotients={"linear_value_head_dim": ("ssm.inner_size", "ssm.time_step_rank")},
    fields={"attention_bias": False},
)
_QWEN35_EXPERTS = replace(
    _QWEN35,
    model_type="qwen3_5_moe",
    class_name="Qwen3_5MoeForCausalLM",
    tensors={**_QWEN35.tensors, **_ROUTED, **_SHARED},
    keys={**_QWEN35.keys, **_NARROW, **_SHARED_WIDTH},
    only=_SOFTMAX,
)
_GRANITE_HYBRID = Architecture(
    "granitemoehybrid",
    "GraniteMoeHybridForCausalLM",
    {
        **_DENSE,
        **_MAMBA2,
        **_BLOCK_SPARSE,
        "ffn_gate_inp": "block_sparse_moe.router.layer",
        **_SHARED_BESIDE,
    },
    interleaved=True,
    recurrent_type="mamba",
    attention_type="attention",
    keys={
        **_MULTIPLIERS,
        "mamba_n_heads": Key("ssm.time_step_rank", needed=True),
        "mamba_n_groups": Key("ssm.group_count", needed=True),
        "mamba_d_state": Key("ssm.state_size", needed=True),
        "mamba_d_conv": Key("ssm.conv_kernel", needed=True),
        "num_local_experts": Key("expert_count", 0, may_be_zero=True),
        "num_experts_per_tok": Key("expert_used_count", 0, may_be_zero=True),
        "shared_intermediate_size": Key("expert_shared_feed_forward_length", needed=True),
    },
    quotients={
        "mamba_d_head": ("ssm.inner_size", "ssm.time_step_rank"),
        "mamba_expand": ("ssm.inner_size", "embedding_length"),
    },
    fields={"position_embedding_type": "rope"},
    present={
        **_HAS_BIAS,
        "mamba_conv_bias": "ssm_conv1d.bias",
        "mamba_proj_bias": "ssm_in.bias",
    },
    only=_SOFTMAX,
)
_MINISTRAL3 = Architecture(
    "ministral3",
    "Ministral3ForCausalLM",
    _DENSE,
    interleaved=True,
    scaled_by_default=True,
    rope_parameters=True,
    rotary_keys={"llama_4_scaling_beta": Key("attention.temperature_scale", needed=True)},
    log_multiplier=1.0,
    fields={"sliding_window": None},
)
_OLMO3 = Architecture(
    "olmo3", "Olmo3ForCausalLM", {**_TENSORS, **_POST}, keys={"sliding_window": _WINDOW}
)

_GEMMA4 = Architecture(
    "gemma4_text",
    "Gemma4ForCausalLM",
    {**_TENSORS, **_SANDWICH, **_GEMMA4_NAMES},
    full_layers_differ=True,
    keys={
        "sliding_window": Key("attention.sliding_window", needed=True),
        "final_logit_softcapping": Key("final_logit_softcapping"),
        "num_kv_shared_layers": Key("attention.shared_kv_layers", 0, may_be_zero=True),
        "hidden_size_per_layer_input": Key("embedding_length_per_layer_input", 0, may_be_zero=True),
    },
    fields={**_GELU, "enable_moe_block": False},
)
_GEMMA4_EXPERTS = replace(
    _GEMMA4,
    keys={**_GEMMA4.keys, **_WIDTH, "num_experts": _COUNT, "top_k_experts": _CHOSEN},
    fields={**_GELU, "enable_moe_block": True},
    only=_SOFTMAX,
)

ARCHITECTURES: Mapping[str, Architecture] = {
    "llama": Architecture(
        "llama",
        "LlamaForCausalLM",
        _DENSE,
        interleaved=True,
        present=_HAS_BIASES,
        variants=(("expert_count", None, _MIXTRAL),),
    ),
    "qwen2": Architecture("qwen2", "Qwen2ForCausalLM", _DENSE, fields=_NO_WINDOW),
    "qwen3": _QWEN3,
    "qwen3vl": _QWEN3,
    "qwen2moe": Architecture(
        "qwen2_moe",
        "Qwen2MoeForCausalLM",
        {**_DENSE, **_ROUTED, **_SHARED},
        keys={**_NARROW, **_SHARED_WIDTH},
        fields={**_NO_WINDOW, **_ALL_SPARSE, "norm_topk_prob": False},
        only=_SOFTMAX,
    ),
    "qwen3moe": _QWEN3_EXPERTS,
    "qwen3vlmoe": _QWEN3_EXPERTS,
    "phi3": Architecture(
        "phi3",
        "Phi3ForCausalLM",
        {**_DENSE, **_FUSED},
        partial_rotary=True,
        first_context=True,
        keys={"sliding_window": _WINDOW},
    ),
    "gemma": Architecture(
        "gemma", "GemmaForCausalLM", _DENSE, norms_have_one_added=True, fields=_GELU
    ),
    "gemma2": Architecture(
        "gemma2",
        "Gemma2ForCausalLM",
        {**_TENSORS, **_SANDWICH},
        norms_have_one_added=True,
        keys={
            "sliding_window": Key("attention.sliding_window", 4096),
            "attn_logit_softcapping": Key("attn_logit_softcapping", 50.0),
            "final_logit_softcapping": Key("final_logit_softcapping", 30.0),
        },
        fields=_GELU,
        scalar_from_width=46,
    ),
    "gemma3": Architecture(
        "gemma3_text",
        "Gemma3ForCausalLM",
        {**_TENSORS, **_SANDWICH},
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
        _DENSE,
        interleaved=True,
        fields={**_NO_WINDOW, "no_rope_layer_interval": 4},
    ),
    "olmo2": Architecture(
        "olmo2",
        "Olmo2ForCausalLM",
        {**_TENSORS, **_POST},
        variants=(("attention.sliding_window", None, _OLMO3),),
    ),
    "olmoe": Architecture(
        "olmoe",
        "OlmoeForCausalLM",
        {**_DENSE, **_ROUTED},
        keys={**_NUMBERS, "clip_qkv": Key("attention.clamp_kqv")},
        fields={"norm_topk_prob": False},
        only=_SOFTMAX,
    ),
    "granite": Architecture(
        "granite",
        "GraniteForCausalLM",
        _DENSE,
        interleaved=True,
        keys=_MULTIPLIERS,
        present=_HAS_BIASES,
    ),
    "granitemoe": Architecture(
        "granitemoe",
        "GraniteMoeForCausalLM",
        {**_DENSE, **_BLOCK_SPARSE, "ffn_gate_inp": "block_sparse_moe.router.layer"},
        interleaved=True,
        keys={**_LOCAL, **_MULTIPLIERS},
        present=_HAS_BIAS,
        only=_SOFTMAX,
    ),
    "seed_oss": Architecture(
        "seed_oss",
        "SeedOssForCausalLM",
        {**_TENSORS, **_POST_IN},
        present={**_HAS_BIASES, "attention_out_bias": "attn_output.bias"},
    ),
    "ernie4_5": Architecture(
        "ernie4_5", "Ernie4_5_ForCausalLM", _DENSE, present={"use_bias": "attn_q.bias"}
    ),
    "hunyuan-dense": Architecture(
        "hunyuan_v1_dense",
        "HunYuanDenseV1ForCausalLM",
        {
            **_DENSE,
            "attn_q_norm": "self_attn.query_layernorm",
            "attn_k_norm": "self_attn.key_layernorm",
        },
    ),
    "exaone4": Architecture(
        "exaone4",
        "Exaone4ForCausalLM",
        {**_TENSORS, **_POST},
        keys={"sliding_window": _WINDOW},
        fields={"sliding_window_pattern": "LLLG"},
    ),
    "gpt-oss": Architecture(
        "gpt_oss",
        "GptOssForCausalLM",
        {
            **_TENSORS,
            **_POST_IN,
            **_GPT_OSS,
            "attn_sinks": "self_attn.sinks",
            "ffn_gate_inp": "mlp.router",
        },
        scaled_by_default=True,
        yarn={"truncate": False},
        keys={**_LOCAL, "sliding_window": _WINDOW},
        fields={"swiglu_alpha": 1.702, "swiglu_limit": 7.0},
        only={"expert_gating_func": 3},
    ),
    "deepseek2": _DEEPSEEK2,
    "glm4moe": Architecture(
        "glm4_moe",
        "Glm4MoeForCausalLM",
        {**_TENSORS, **_POST_IN, **_ROUTED, **_SHARED_BY_ALL, **_CORRECTED},
        partial_rotary=True,
        keys={**_GROUPED, **_NORMALIZED},
        present={**_HAS_BIAS, **_HAS_QK_NORM},
        only=_SIGMOID,
    ),
    "glm4": Architecture(
        "glm4",
        "Glm4ForCausalLM",
        {
            **_TENSORS,
            "attn_norm": "input_layernorm",
            "post_attention_norm": "post_self_attn_layernorm",
            "ffn_norm": "post_attention_layernorm",
            "post_ffw_norm": "post_mlp_layernorm",
            "ffn_up": "mlp.gate_up_proj",
        },
        partial_rotary=True,
        present=_HAS_BIAS,
        only={"rope.dimension_sections": None},
    ),
    "command-r": Architecture(
        "cohere",
        "CohereForCausalLM",
        _DENSE,
        norm_eps=_LAYER_NORM,
        keys=_LOGIT_SCALE,
        present=_HAS_QK_NORM,
    ),
    "cohere2": Architecture(
        "cohere2",
        "Cohere2ForCausalLM",
        _DENSE,
        norm_eps=_LAYER_NORM,
        keys={**_LOGIT_SCALE, "sliding_window": _WINDOW},
        fields={"sliding_window_pattern": 4},
    ),
    "gemma4": replace(_GEMMA4, variants=(("expert_count", None, _GEMMA4_EXPERTS),)),
    "nemotron": Architecture(
        "nemotron",
        "NemotronForCausalLM",
        _DENSE,
        norm_eps=("norm_eps", "attention.layer_norm_epsilon"),
        norms_have_one_added=True,
        partial_rotary=True,
        fields={"hidden_act": "relu2"},
    ),
    "stablelm": Architecture(
        "stablelm",
        "StableLmForCausalLM",
        {
            **_DENSE,
            "attn_q_norm": "self_attn.q_layernorm",
            "attn_k_norm": "self_attn.k_layernorm",
        },
        norm_eps=_LAYER_NORM,
        partial_rotary=True,
        keys={"use_parallel_residual": Key("use_parallel_residual", False)},
        present={"use_qkv_bias": "attn_q.bias", "qk_layernorm": "attn_q_norm.weight"},
    ),
    "phi2": Architecture(
        "phi",
        "PhiForCausalLM",
        {
            **_DENSE,
            **_FUSED,
            "output_norm": "model.final_layernorm",
            "attn_output": "self_attn.dense",
            "ffn_up": "mlp.fc1",
            "ffn_down": "mlp.fc2",
        },
        norm_eps=_LAYER_NORM,
        partial_rotary=True,
        fields={"hidden_act": "gelu_new"},
    ),
    "starcoder2": Architecture(
        "starcoder2",
        "Starcoder2ForCausalLM",
        {**_DENSE, "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"},
        norm_eps=("norm_epsilon", "attention.layer_norm_epsilon"),
        fields={"hidden_act": "gelu_pytorch_tanh", "sliding_window": None},
        present={"use_bias": "attn_q.bias"},
    ),
    "apertus": Architecture(
        "apertus",
        "ApertusForCausalLM",
        {**_TENSORS, "attn_norm": "attention_layernorm", "ffn_norm": "feedforward_layernorm"},
        scaled_by_default=True,
        fields={"hidden_act": "xielu", "post_norm": False},
        present={**_HAS_BIASES, "qk_norm": "attn_q_norm.weight"},
        constants={
            "mlp.act_fn.alpha_p": ("xielu.alpha_p", (1,)),
            "mlp.act_fn.alpha_n": ("xielu.alpha_n", (1,)),
            "mlp.act_fn.beta": ("xielu.beta", ()),
            "mlp.act_fn.eps": ("xielu.eps", ()),
        },
    ),
    "exaone": Architecture(
        *("llama", "LlamaForCausalLM", _DENSE),
        norm_eps=("rms_norm_eps", "attention.layer_norm_epsilon"),
    ),
    "mistral3": Architecture(
        "mistral",
        "MistralForCausalLM",
        _DENSE,
        interleaved=True,
        fields={"sliding_window": None},
        variants=(("attention.temperature_scale", None, _MINISTRAL3),),
    ),
    "minimax-m2": Architecture(
        "minimax_m2",
        "MiniMaxM2ForCausalLM",
        {
            **_DENSE,
            **_BLOCK_SPARSE,
            "exp_probs_b": "block_sparse_moe.e_score_correction_bias",
        },
        partial_rotary=True,
        keys={**_LOCAL, "rotary_dim": Key("rope.dimension_count", needed=True)},
        fields={"scoring_func": "sigmoid", "shared_intermediate_size": 0},
        present=_HAS_QK_NORM,
        only=_SIGMOID,
    ),
    "phimoe": Architecture(
        "phimoe",
        "PhiMoEForCausalLM",
        {**_DENSE, **_BLOCK_SPARSE},
        first_context=True,
        keys={**_LOCAL, "sliding_window": _WINDOW},
        fields={"router_jitter_noise": 0.01},
        present={**_HAS_BIAS, "lm_head_bias": "output.bias"},
        only=_SOFTMAX,
    ),
    "qwen35": _QWEN35,
    "qwen35moe": _QWEN35_EXPERTS,
    "qwen3next": replace(_QWEN35_EXPERTS, tiled_heads=False),
    "granitehybrid": replace(
        _GRANITE_HYBRID,
        variants=(
            (
                "rope.scaling.finetuned",
                False,
                replace(_GRANITE_HYBRID, fields={"position_embedding_type": "nope"}),
            ),
        ),
    ),
    "nemotron_h_moe": Architecture(
        "nemotron_h",
        "NemotronHForCausalLM",
        {
            "token_embd": "backbone.embeddings",
            "output_norm": "backbone.norm_f",
            "output": "lm_head",
            "attn_norm": "norm",
            **{f"attn_{part}": f"mixer.{part}_proj" for part in "qkv"},
            "attn_output": "mixer.o_proj",
            **{base: module.replace("mamba.", "mixer.") for base, module in _MAMBA2.items()},
            "ffn_gate_inp": "mixer.gate",
            "exp_probs_b": "mixer.gate.e_score_correction_bias",
            "ffn_up_exps": "mixer.switch_mlp.fc1",
            "ffn_down_exps": "mixer.switch_mlp.fc2",
            "ffn_up_shexp": "mixer.shared_experts.up_proj",
            "ffn_down_shexp": "mixer.shared_experts.down_proj",
        },
        norm_eps=("layer_norm_epsilon", "attention.layer_norm_rms_epsilon"),
        interleaved=True,
        partial_rotary=True,  # by a key that nobody reads
        layers="backbone.layers",
        lettered=True,
        keys={
            **{name: key for name, key in _GROUPED.items() if name != "first_k_dense_replace"},
            **_NORMALIZED,
            "moe_shared_expert_intermediate_size": Key(
                "expert_shared_feed_forward_length", needed=True
            ),
            "mamba_num_heads": Key("ssm.time_step_rank", needed=True),
            "n_groups": Key("ssm.group_count", needed=True),
            "ssm_state_size": Key("ssm.state_size", needed=True),
            "conv_kernel": Key("ssm.conv_kernel", needed=True),
        },
        quotients={"mamba_head_dim": ("ssm.inner_size", "ssm.time_step_rank")},
        fields={"mlp_hidden_act": "relu2", "mamba_hidden_act": "silu", "use_bias": False},
        present={
            **_HAS_BIAS,
            "mlp_bias": "ffn_up_shexp.bias",
            "mamba_proj_bias": "ssm_in.bias",
            "use_conv_bias": "ssm_conv1d.bias",
        },
        only={**_SIGMOID, "rope.scaling.finetuned": False, "moe_latent_size": None},
    ),
    "kimi-linear": Architecture(
        "kimi_linear",
        "KimiLinearForCausalLM",
        {
            **_DENSE,
            **_LATENT,
            **_KIMI_DELTA,
            **_ROUTED,
            **_SHARED_BY_ALL,
            "exp_probs_b": "mlp.e_score_correction_bias",
        },
        latent=True,
        delta_config=True,
        keys={
            **_LATENT_SIZES,
            **_WIDTH,
            "model_max_length": Key("context_length"),
            "num_experts": _COUNT,
            "num_experts_per_token": _CHOSEN,
            "num_shared_experts": _SHARED_COUNT,
            "num_expert_group": Key("expert_group_count", 1),
            "topk_group": Key("expert_group_used_count", 1),
            "first_k_dense_replace": _DENSE_COUNT,
            "routed_scaling_factor": Key("expert_weights_scale", 1.0),
        },
        quotients={"head_dim": ("embedding_length", "attention.head_count")},
        fields={
            "mla_use_nope": True,
            "moe_layer_freq": 1,
            "moe_renormalize": True,
            "moe_router_activation_func": "sigmoid",
            "use_grouped_topk": True,
        },
        only=_SIGMOID,
    ),
    "lfm2": _LFM2,
    "lfm2moe": replace(
        _LFM2,
        model_type="lfm2_moe",
        class_name="Lfm2MoeForCausalLM",
        tensors={
            **_SHORT_CONV,
            **{
                base: module.replace("mlp.", "feed_forward.", 1) for base, module in _ROUTED.items()
            },
            "exp_probs_b": "feed_forward.expert_bias",
        },
        keys={
            "conv_L_cache": Key("shortconv.l_cache", needed=True),
            **_NARROW,
            "num_dense_layers": _DENSE_COUNT,
            "norm_topk_prob": Key("expert_weights_norm", True),
            "routed_scaling_factor": Key("expert_weights_scale", 1.0),
        },
        fields={"conv_bias": False, "use_expert_bias": True},
        only=_SIGMOID,
    ),
    "ernie4_5-moe": Architecture(
        "ernie4_5_moe",
        "Ernie4_5_MoeForCausalLM",
        {
            **_DENSE,
            **_ROUTED,
            **_SHARED_BY_ALL,
            "exp_probs_b": "mlp.moe_statics.e_score_correction_bias",
        },
        keys={
            **_WIDTH,
            "moe_num_experts": _COUNT,
            "moe_k": _CHOSEN,
            "moe_num_shared_experts": _SHARED_COUNT,
            "moe_layer_interval": Key("interleave_moe_layer_step", 1),
            "moe_layer_start_index": _DENSE_COUNT,
            "moe_layer_end_index": Key("block_count"),  # to the last one
        },
        present={"use_bias": "attn_q.bias"},
        only=_SOFTMAX,
    ),
}
"""By general.architecture. Mistral's models and InternLM 3 are written as "llama", GLM 4.7 Flash as
"deepseek2"; EXAONE 3 is a llama, what is written of Qwen 3 VL a Qwen 3, and Qwen 3 Next, whose
matrices files have apart, a Qwen 3.5 with experts. Hunyuan's have the alpha of their rotary
embedding in its base."""
