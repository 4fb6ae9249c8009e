"""The names and shapes of a checkpoint's tensors, from its config.json: `shapes(config)`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import expert_layouts
import latent_layouts
import recurrent_layouts

Config = dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """What the tensors of a model type have beyond, or other than, llama's."""

    norms: tuple[str, ...] = ("input_layernorm", "post_attention_layernorm")
    norm_bias: bool = False
    fused_qkv: bool = False
    gate_up: tuple[str, ...] = ("gate_proj", "up_proj")
    """One name: fused, or without a gate."""
    down: str = "down_proj"
    mlp: str = "mlp"
    mlp_width: str = "intermediate_size"
    attention: str = "self_attn"
    out: str = "o_proj"
    qkv_bias: bool = False
    out_bias: bool | None = None
    """None: where config.json's attention_bias is true."""
    mlp_bias: bool = False
    qk_norm: str = ""
    """`head`: over each head; `whole`: over the whole projection; `heads`: over each head with
    weights of its own; `split`: the same, a tensor for each."""
    qk_names: tuple[str, str] = ("q_norm", "k_norm")
    output_gate: bool = False
    head_gate: bool = False
    gated_queries: bool = False
    """The projection of queries has a gate behind each head's."""
    model: tuple[str, str, str] = ("model.embed_tokens", "model.layers", "model.norm")
    head_bias: bool = False
    sinks: bool = False
    xielu: bool = False


_POST = ("post_attention_layernorm", "post_feedforward_layernorm")
_SANDWICH = ("input_layernorm", "pre_feedforward_layernorm", *_POST)
_GLM4 = ("input_layernorm", "post_self_attn_layernorm", "post_attention_layernorm")
_PARALLEL = ("input_layernorm",)
_LFM2 = Layout(
    norms=("operator_norm", "ffn_norm"),
    mlp="feed_forward",
    gate_up=("w1", "w3"),
    down="w2",
    out="out_proj",
    qk_norm="head",
    qk_names=("q_layernorm", "k_layernorm"),
    model=("model.embed_tokens", "model.layers", "model.embedding_norm"),
)
_BACKBONE = ("backbone.embeddings", "backbone.layers", "backbone.norm_f")
_QWEN_NEXT = Layout(qk_norm="head", gated_queries=True)
LAYOUTS = {
    "qwen2": Layout(qkv_bias=True),
    "qwen3": Layout(qk_norm="head"),
    "qwen2_moe": Layout(qkv_bias=True),
    "qwen3_moe": Layout(qk_norm="head"),
    "olmoe": Layout(qk_norm="whole"),
    "glm4_moe": Layout(out_bias=False),
    "minimax_m2": Layout(qk_norm="whole"),
    "laguna": Layout(qk_norm="head", head_gate=True),
    "phimoe": Layout(norm_bias=True),
    "gpt_oss": Layout(qkv_bias=True, out_bias=True, sinks=True),
    "llama4_text": Layout(mlp="feed_forward", mlp_width="intermediate_size_mlp"),
    "qwen3_vl": Layout(qk_norm="head"),
    "phi3": Layout(fused_qkv=True, gate_up=("gate_up_proj",)),
    "gemma2": Layout(norms=_SANDWICH),
    "gemma3_text": Layout(norms=_SANDWICH, qk_norm="head"),
    "gemma4_text": Layout(norms=_SANDWICH, qk_norm="head"),
    "olmo2": Layout(norms=_POST, qk_norm="whole"),
    "olmo3": Layout(norms=_POST, qk_norm="whole"),
    "exaone4": Layout(norms=_POST, qk_norm="head"),
    "seed_oss": Layout(out_bias=False),
    "glm4": Layout(norms=(*_GLM4, "post_mlp_layernorm"), gate_up=("gate_up_proj",), out_bias=False),
    "cohere": Layout(norms=_PARALLEL),
    "cohere2": Layout(norms=_PARALLEL),
    "hunyuan_v1_dense": Layout(qk_norm="head", qk_names=("query_layernorm", "key_layernorm")),
    "stablelm": Layout(norm_bias=True, out_bias=False),
    "phi": Layout(
        norms=_PARALLEL,
        norm_bias=True,
        gate_up=("fc1",),
        down="fc2",
        out="dense",
        qkv_bias=True,
        out_bias=True,
        mlp_bias=True,
        model=("model.embed_tokens", "model.layers", "model.final_layernorm"),
        head_bias=True,
    ),
    "starcoder2": Layout(
        norm_bias=True,
        gate_up=("c_fc",),
        down="c_proj",
        qkv_bias=True,
        out_bias=True,
        mlp_bias=True,
    ),
    "nemotron": Layout(norm_bias=True, gate_up=("up_proj",)),
    "apertus": Layout(
        norms=("attention_layernorm", "feedforward_layernorm"),
        gate_up=("up_proj",),
        qk_norm="head",
        xielu=True,
    ),
    "exaone": Layout(
        norms=("ln_1", "ln_2"),
        attention="attn.attention",
        out="out_proj",
        gate_up=("c_fc_0", "c_fc_1"),
        down="c_proj",
        model=("transformer.wte", "transformer.h", "transformer.ln_f"),
    ),
    "muse_glimmer": Layout(norms=_SANDWICH, output_gate=True),
    "lfm2": _LFM2,
    "lfm2_moe": _LFM2,
    "qwen3_next": _QWEN_NEXT,
    "qwen3_5": _QWEN_NEXT,
    "granitemoehybrid": Layout(
        mlp="shared_mlp",
        gate_up=("input_linear",),
        down="output_linear",
        mlp_width="shared_intermediate_size",
    ),
    "qwen3_5_moe": replace(_QWEN_NEXT, mlp_width="moe_intermediate_size"),
    "olmo_hybrid": Layout(norms=_POST, qk_norm="whole"),
    "mamba2": Layout(norms=("norm",), model=_BACKBONE),
    "falcon_h1": Layout(
        norms=("input_layernorm", "pre_ff_layernorm"),
        mlp="feed_forward",
        model=("model.embed_tokens", "model.layers", "model.final_layernorm"),
    ),
    "nemotron_h": Layout(
        norms=("norm",),
        attention="mixer",
        mlp="mixer",
        gate_up=("up_proj",),
        model=_BACKBONE,
    ),
}


ALSO = {
    "qwen3_5_text": "qwen3_5",
    "qwen3_5_moe_text": "qwen3_5_moe",
    "gemma4_unified_text": "gemma4_text",
}
"""What text models inside others are called, whose tensors are the same."""


@dataclass(frozen=True)
class LayerSizes:
    """The sizes of one layer."""

    heads: int
    kv_heads: int
    head_dim: int
    inner: int
    shared: bool = False
    """It has no keys and values of its own."""
    keys_are_values: bool = False


def layer_sizes(config: Config, index: int) -> LayerSizes:
    """Those of a layer: alike in most model types."""
    heads = config["num_attention_heads"]
    kv_heads = config.get("num_key_value_heads", heads)
    head = config.get("head_dim") or config["hidden_size"] // heads
    inner = _width(config)
    if per_layer := config.get("num_attention_heads_per_layer"):
        heads = per_layer[index]
    if config["model_type"] != "gemma4_text":
        return LayerSizes(heads, kv_heads, head, inner)
    full = config["layer_types"][index] == "full_attention"
    shared = index >= config["num_hidden_layers"] - config["num_kv_shared_layers"]
    wide = shared and config["use_double_wide_mlp"]
    equal = full and config["attention_k_eq_v"]
    return LayerSizes(
        heads,
        config["num_global_key_value_heads"] or kv_heads if equal else kv_heads,
        config["global_head_dim"] if full else head,
        inner * (2 if wide else 1),
        shared,
        equal,
    )


def _width(config: Config) -> int:
    """Of a dense feed-forward."""
    if config["model_type"] != "lfm2":
        return int(config[LAYOUTS.get(config["model_type"], Layout()).mlp_width])
    width = config.get("block_ff_dim") or config["intermediate_size"]
    if not config.get("block_auto_adjust_ff_dim", True):
        return int(width)
    multiple = config.get("block_multiple_of", 256)
    width = int(config.get("block_ffn_dim_multiplier", 1.0) * int(2 * width / 3))
    return int(-(-width // multiple) * multiple)


def layer_parts(config: Config, index: int) -> set[str]:
    """Which of `recurrence`, `attention`, `experts` and `dense` a layer has."""
    if (kinds := recurrent_layouts.kinds(config)) is not None:
        return {kinds[index]}
    if (all_alike := recurrent_layouts.PARTS.get(config["model_type"])) is not None:
        return all_alike
    mixer = "recurrence" if recurrent_layouts.recurs(config, index) else "attention"
    return {mixer, "experts" if expert_layouts.is_sparse(config, index) else "dense"}


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """The tensors of an unquantized checkpoint, name to shape, in the order of a forward. With a
    "text_config" that model's, as mlx-lm names them, and one of a vision tower."""
    if text := config.get("text_config"):
        inside = {f"language_model.{name}": shape for name, shape in shapes(text).items()}
        vision = "vision_model" if config["model_type"] == "llama4" else "vision_tower"
        return {**inside, f"{vision}.patch_embed.weight": (8, 8)}
    name = config["model_type"]
    return _Shapes({**config, "model_type": ALSO.get(name, name)}).whole()


class _Shapes:
    def __init__(self, config: Config) -> None:
        self.config = config
        name = config["model_type"]
        self.layout = LAYOUTS.get(name) or LAYOUTS.get(name.removesuffix("_text"), Layout())
        if name == "granitemoehybrid" and recurrent_layouts.is_converted(config):
            self.layout = Layout(mlp_width=self.layout.mlp_width)
        self.hidden = config["hidden_size"]
        kinds = recurrent_layouts.kinds(config)
        if kinds is not None:
            self.config = {**config, "use_bias": False}  # there it is of Mamba-2 alone
        self.count = len(kinds or []) or config.get("num_hidden_layers", config.get("num_layers"))
        self.per_layer = config.get("hidden_size_per_layer_input", 0)
        self.out: dict[str, tuple[int, ...]] = {}

    def says(self, *keys: str) -> bool:
        return any(self.config.get(key, False) for key in keys)

    def linear(self, name: str, rows: int, cols: int, bias: bool = False) -> None:
        self.out[f"{name}.weight"] = (rows, cols)
        if bias:
            self.out[f"{name}.bias"] = (rows,)

    def norm(self, name: str, width: int) -> None:
        self.out[f"{name}.weight"] = (width,)
        if self.layout.norm_bias:
            self.out[f"{name}.bias"] = (width,)

    def head_norm(self, attention: str, index: int, heads: int, head: int) -> None:
        name, kind = self.layout.qk_names[index], self.layout.qk_norm
        if self.config["model_type"] == "cohere" and self.says("use_qk_norm"):
            kind = "heads"
        if self.says("qk_layernorm"):
            name, kind = f"{'qk'[index]}_layernorm", "split"
        if kind == "split":
            for i in range(heads):
                self.out[f"{attention}.{name}.norms.{i}.weight"] = (head,)
        elif kind:
            shape = {"head": (head,), "whole": (heads * head,), "heads": (heads, head)}[kind]
            self.out[f"{attention}.{name}.weight"] = shape

    def whole(self) -> dict[str, tuple[int, ...]]:
        config, layout = self.config, self.layout
        embedding, _, final_norm = layout.model
        self.out[f"{embedding}.weight"] = (config["vocab_size"], self.hidden)
        if self.per_layer:
            width = self.count * self.per_layer
            rows = config["vocab_size_per_layer_input"]
            self.out["model.embed_tokens_per_layer.weight"] = (rows, width)
            self.linear("model.per_layer_model_projection", width, self.hidden)
            self.norm("model.per_layer_projection_norm", self.per_layer)
        for i in range(self.count):
            parts = layer_parts(config, i)
            if "recurrence" in parts:
                self.out.update(recurrent_layouts.shapes(config, f"{layout.model[1]}.{i}"))
            if "attention" in parts:
                self.attention(i, layer_sizes(config, i))
            if "experts" in parts:
                self.out.update(expert_layouts.shapes(config, f"{layout.model[1]}.{i}"))
            if "dense" in parts:
                self.feed_forward(i, layer_sizes(config, i).inner)
            self.rest(f"{layout.model[1]}.{i}", parts)
        self.norm(final_norm, self.hidden)
        if not config.get("tie_embedding", config.get("tie_word_embeddings", False)):
            bias = layout.head_bias or self.says("lm_head_bias")
            self.linear("lm_head", config["vocab_size"], self.hidden, bias)
        return self.out

    def attention(self, index: int, sizes: LayerSizes) -> None:
        layout, hidden = self.layout, self.hidden
        attention = f"{layout.model[1]}.{index}.{layout.attention}"
        if "kv_lora_rank" in self.config:
            self.out.update(latent_layouts.shapes(self.config, attention))
            values = sizes.heads * self.config["v_head_dim"]
            self.linear(f"{attention}.o_proj", hidden, values, self.says("attention_bias"))
            return
        bias = layout.qkv_bias or self.says(
            "attention_bias", "use_qkv_bias", "use_bias", "qkv_bias"
        )
        out_bias = self.says("attention_bias") if layout.out_bias is None else layout.out_bias
        out_bias = out_bias or self.says("attention_out_bias", "use_bias", "qkv_bias")
        q, kv = sizes.heads * sizes.head_dim, sizes.kv_heads * sizes.head_dim
        if layout.fused_qkv:
            self.linear(f"{attention}.qkv_proj", q + 2 * kv, hidden, bias)
        else:
            self.linear(f"{attention}.q_proj", (1 + layout.gated_queries) * q, hidden, bias)
            if not sizes.shared:
                self.linear(f"{attention}.k_proj", kv, hidden, bias)
                if not sizes.keys_are_values:
                    self.linear(f"{attention}.v_proj", kv, hidden, bias)
        self.linear(f"{attention}.{layout.out}", hidden, q, out_bias)
        if layout.sinks:
            self.out[f"{attention}.sinks"] = (sizes.heads,)
        if layout.output_gate:
            self.linear(f"{attention}.gate_proj", q, hidden)
        if layout.head_gate and self.says("gating"):
            self.linear(f"{attention}.g_proj", sizes.heads, hidden)
        self.head_norm(attention, 0, sizes.heads, sizes.head_dim)
        if not sizes.shared:
            self.head_norm(attention, 1, sizes.kv_heads, sizes.head_dim)

    def feed_forward(self, index: int, inner: int) -> None:
        layout, hidden = self.layout, self.hidden
        mlp = f"{layout.model[1]}.{index}.{layout.mlp}"
        bias = layout.mlp_bias or self.says("mlp_bias", "use_bias", "bias")
        if layout.gate_up in (("gate_up_proj",), ("input_linear",)):
            self.linear(f"{mlp}.{layout.gate_up[0]}", 2 * inner, hidden, bias)
        else:
            for name in layout.gate_up:
                self.linear(f"{mlp}.{name}", inner, hidden, bias)
        self.linear(f"{mlp}.{layout.down}", hidden, inner, bias)
        if layout.xielu:
            self.out.update({f"{mlp}.act_fn.{name}": (1,) for name in ("alpha_p", "alpha_n")})
            self.out.update({f"{mlp}.act_fn.{name}": () for name in ("beta", "eps")})

    def rest(self, layer: str, parts: set[str]) -> None:
        parallel = self.says("use_parallel_residual")
        norms = self.layout.norms
        if self.config["model_type"] == "olmo_hybrid" and "recurrence" in parts:
            norms = Layout().norms
        for name in norms[: 1 if parallel else None]:
            self.norm(f"{layer}.{name}", self.hidden)
        if self.config["model_type"] == "gemma4_text":
            self.out[f"{layer}.layer_scalar"] = (1,)
        if self.says("enable_moe_block"):
            self.out.update(expert_layouts.apart(self.config, layer))
        if self.per_layer:
            self.linear(f"{layer}.per_layer_input_gate", self.per_layer, self.hidden)
            self.linear(f"{layer}.per_layer_projection", self.hidden, self.per_layer)
            self.norm(f"{layer}.post_per_layer_input_norm", self.hidden)
