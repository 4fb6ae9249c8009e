"""Every way a checkpoint may store its matrices: what test_quantization.py loops over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from arch.variants import GEMMA4_EXPERTS, tiny

BASE: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 256,
    "vocab_size": 96,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "attention_bias": True,
}
LENGTH = 24
LAYER = "model.layers.{}.{}"


@dataclass(frozen=True)
class Stored:
    """A checkpoint's config and the dtype of its floats."""

    name: str
    changes: dict[str, Any]
    dtype: str = "BF16"

    @property
    def config(self) -> dict[str, Any]:
        """The whole config.json."""
        return {**BASE, **self.changes}


def affine(group: int, bits: int, **more: Any) -> dict[str, Any]:
    return {"quantization": {"group_size": group, "bits": bits, **more}}


def mixed(first: object, second: object) -> dict[str, Any]:
    """4 bits everywhere but in layer 0's down_proj, the embedding and the head."""
    return affine(
        64,
        4,
        **{
            LAYER.format(0, "mlp.down_proj"): first,
            LAYER.format(1, "self_attn.q_proj"): True,
            "model.embed_tokens": second,
            "lm_head": second,
        },
    )


EIGHT = {"group_size": 32, "bits": 8}
MX = {"mxfp4": (32, 4), "mxfp8": (32, 8), "nvfp4": (16, 4)}

ROUTERS = {LAYER.format(layer, "mlp.gate"): False for layer in range(3)}
STACKED = {"experts_as": "stacked", "intermediate_size": 128, "moe_intermediate_size": 64}
ABSORBED = {**tiny("deepseek_v3"), **STACKED, "latent_as": "absorbed"}
# of experts all are chosen: what a half cache rounds must not change the choice
ONE_MATRIX = {**tiny("deepseek_v2"), **STACKED, "num_experts_per_tok": 8}


def _of_experts(row: str, router: str, **changes: Any) -> list[Stored]:
    """A mixture of experts as mlx-community has them, the router in 8 bits: with experts of 4-bit
    floats and attention in 8 bits, and all of it in 4 bits."""
    config = {"attention_bias": False, **tiny(row), **changes, "experts_as": "stacked"}
    layers = range(config["num_hidden_layers"])
    routers = {LAYER.format(i, router): {"group_size": 64, "bits": 8} for i in layers}
    rest = {
        LAYER.format(i, f"self_attn.{name}_proj"): EIGHT for i in layers for name in ("q", "v", "o")
    }
    return [
        Stored(f"{row}-mxfp4", {**config, **affine(32, 4, mode="mxfp4", **routers, **rest)}),
        Stored(f"{row}-affine", {**config, **affine(32, 4, **routers)}),
    ]


def _llama4() -> list[Stored]:
    """Experts that are given weighed rows, as mlx-lm has them: inside another model."""
    layer = "language_model.model.layers.{}.feed_forward.router"
    routers: dict[str, Any] = {layer.format(i): {"group_size": 64, "bits": 8} for i in range(4)}
    routers["vision_model.patch_embed"] = False
    text = {**tiny("llama4_text"), "intermediate_size": 64}
    config = {"model_type": "llama4", "text_config": text}
    return [
        Stored("llama4-affine", {**config, **affine(32, 4, **routers)}),
        Stored("llama4-mxfp4", {**config, **affine(32, 4, mode="mxfp4", **routers)}),
    ]


NEMOTRON = {
    "moe_intermediate_size": 64,
    "moe_shared_expert_intermediate_size": 96,
    "moe_latent_size": 32,
}


def _recurrent(row: str, **changes: Any) -> list[Stored]:
    """A model with recurrences as mlx-lm converts it, in two ways; of experts all are chosen."""
    kept = {key: value for key, value in changes.items() if value is False}
    config = {**tiny(row), **changes, "experts_as": "stacked", "convs_as": "converted"}
    if "n_routed_experts" in config:
        config["num_experts_per_tok"] = config["n_routed_experts"]
    return [
        Stored(f"{row}-affine", {**config, **affine(32, 4, **kept)}),
        Stored(f"{row}-mxfp8", {**config, **affine(32, 8, mode="mxfp8", **kept)}),
    ]


STORED = [
    *(Stored(f"dense-{dtype}", {}, dtype) for dtype in ("F32", "F16", "BF16")),
    *(
        Stored(f"affine-{bits}-bits-of-{group}", affine(group, bits))
        for bits in (2, 3, 4, 5, 6, 8)
        for group in (32, 64, 128)
    ),
    *(
        Stored(f"affine-{bits}-bits-{dtype}", affine(64, bits), dtype)
        for bits in (4, 6)
        for dtype in ("F32", "F16")
    ),
    *(Stored(mode, affine(group, bits, mode=mode)) for mode, (group, bits) in MX.items()),
    Stored("tied", {**affine(64, 4), "tie_word_embeddings": True}),
    Stored("tied-dense-embedding", {**mixed(EIGHT, False), "tie_word_embeddings": True}),
    Stored("tied-nvfp4", {**affine(16, 4, mode="nvfp4"), "tie_word_embeddings": True}),
    Stored("mixed-bits", mixed({"group_size": 128, "bits": 3}, EIGHT)),
    Stored("some-dense", mixed(False, False)),
    Stored("affine-in-nvfp4", affine(16, 4, mode="nvfp4", lm_head=EIGHT)),
    Stored("mxfp8-in-affine", mixed({"group_size": 32, "bits": 8, "mode": "mxfp8"}, EIGHT)),
    Stored("fused", {**affine(32, 4), "model_type": "phi3", "attention_bias": False}),
    Stored("scaled-embedding", {**tiny("gemma3_text"), "hidden_size": 72, "attention_bias": False}),
    *_of_experts("gpt_oss", "mlp.router"),
    *_of_experts("gemma4_text", "router.proj", **{**GEMMA4_EXPERTS, "moe_intermediate_size": 64}),
    *_of_experts("phimoe", "block_sparse_moe.gate", intermediate_size=64, router_jitter_noise=0.01),
    *_of_experts("ernie4_5_moe", "mlp.gate", moe_intermediate_size=64),
    *_llama4(),
    *_recurrent("nemotron_h", **NEMOTRON, **{"backbone.layers.1.mixer.gate": False}),
    *_recurrent("mamba2"),
    *_recurrent("falcon_h1"),
    *_recurrent("olmo_hybrid"),
    Stored("latent", {**ABSORBED, **affine(32, 4, **ROUTERS)}),
    Stored("latent-mxfp8", {**ABSORBED, **affine(32, 8, mode="mxfp8", **ROUTERS)}),
    Stored("latent-one-matrix", {**ONE_MATRIX, **affine(32, 5, **ROUTERS)}),
    Stored("both-keys", {**affine(64, 5), "quantization_config": {"group_size": 64, "bits": 5}}),
]
