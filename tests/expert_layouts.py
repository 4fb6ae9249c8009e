"""What the sparse layers of a checkpoint hold, for each model type that has experts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

Config = dict[str, Any]
Shapes = dict[str, tuple[int, ...]]

STACKED = "experts_as"
"""A key of config.json that nobody reads: `stacked` for all experts in one tensor, as mlx-lm
converts them; else as they are published."""
PROJECTIONS = ("gate_proj", "up_proj", "down_proj")
UNGATED = {"fc1": "up_proj", "fc2": "down_proj"}
"""What mlx-lm calls the projections of stacked experts without a gate."""


@dataclass(frozen=True)
class Experts:
    """Where the tensors of a sparse layer stand, and which keys of config.json size them."""

    block: str = "mlp"
    router: str = "gate"
    count: str = "num_experts"
    width: str = "intermediate_size"
    names: tuple[str, ...] = PROJECTIONS
    """Of each expert's matrices as published; two names: gate and up in one tensor for all experts,
    and down likewise; none: stacked."""
    shared: str = ""
    """The module of what serves every token; its width is that of the key below."""
    shared_width: str = ""
    shared_gate: bool = False
    beside: str = ""
    """What serves every token, where that is a module beside the block, with gate and up in one."""
    shared_count: str = ""
    """The key of how many times that width what is shared has."""
    correction: str = ""
    """What is added to scores to choose by, below the block."""
    loses_correction: bool = False
    """It is of shape (1, experts), and mlx-lm's conversion drops it."""
    biased: bool = False
    """Router and experts have biases."""
    stacked_router: str = ""
    """The router beside stacked experts, where it has another name."""
    stacked_correction: str = ""
    """Likewise."""
    stack: str = "switch_mlp"
    """Where stacked experts stand, below the block."""
    gated: bool = True
    """Else up and down alone, of experts and of what serves every token."""
    latent: str = ""
    """The key of how many numbers experts are given, where that is there."""


_DEEPSEEK = Experts(
    count="n_routed_experts",
    width="moe_intermediate_size",
    shared="shared_experts",
    shared_width="moe_intermediate_size",
    shared_count="n_shared_experts",
)
_CORRECTED = replace(_DEEPSEEK, correction="gate.e_score_correction_bias")
_NUMBERED = ("w1", "w3", "w2")
_QWEN_NEXT = Experts(
    width="moe_intermediate_size",
    shared="shared_expert",
    shared_width="shared_expert_intermediate_size",
    shared_gate=True,
)
_KIMI = replace(
    _CORRECTED,
    block="block_sparse_moe",
    count="num_experts",
    names=_NUMBERED,
    shared_count="num_shared_experts",
)
_KIMI_CONVERTED = replace(_KIMI, block="mlp", correction="e_score_correction_bias")
EXPERTS = {
    "mixtral": Experts(block="block_sparse_moe", count="num_local_experts", names=_NUMBERED),
    "qwen2_moe": Experts(
        width="moe_intermediate_size",
        shared="shared_expert",
        shared_width="shared_expert_intermediate_size",
        shared_gate=True,
    ),
    "qwen3_moe": Experts(width="moe_intermediate_size"),
    "olmoe": Experts(),
    "glm4_moe": _CORRECTED,
    "glm4_moe_lite": _CORRECTED,
    "deepseek_v3": _CORRECTED,
    "deepseek_v2": _DEEPSEEK,
    "minimax_m2": Experts(
        block="block_sparse_moe",
        count="num_local_experts",
        names=_NUMBERED,
        correction="e_score_correction_bias",
    ),
    "laguna": Experts(
        width="moe_intermediate_size",
        shared="shared_expert",
        shared_width="shared_expert_intermediate_size",
        correction="experts.e_score_correction_bias",
        stacked_router="gate.proj",
        stacked_correction="gate.e_score_correction_bias",
    ),
    "phimoe": Experts(block="block_sparse_moe", count="num_local_experts", names=_NUMBERED),
    "ernie4_5_moe": replace(
        _DEEPSEEK,
        count="moe_num_experts",
        shared_count="moe_num_shared_experts",
        correction="moe_statics.e_score_correction_bias",
        loses_correction=True,
    ),
    "granitemoe": Experts(
        block="block_sparse_moe",
        router="router.layer",
        count="num_local_experts",
        names=("input_linear", "output_linear"),
    ),
    "granitemoehybrid": Experts(
        block="block_sparse_moe",
        router="router.layer",
        count="num_local_experts",
        names=("input_linear", "output_linear"),
        beside="shared_mlp",
        shared_width="shared_intermediate_size",
    ),
    "gpt_oss": Experts(
        router="router", count="num_local_experts", names=(), biased=True, stack="experts"
    ),
    "lfm2_moe": Experts(
        block="feed_forward",
        width="moe_intermediate_size",
        names=_NUMBERED,
        correction="expert_bias",
    ),
    "kimi_linear": _KIMI,
    "qwen3_next": _QWEN_NEXT,
    "qwen3_5_moe": replace(_QWEN_NEXT, names=()),
    "nemotron_h": Experts(
        block="mixer",
        count="n_routed_experts",
        width="moe_intermediate_size",
        shared="shared_experts",
        shared_width="moe_shared_expert_intermediate_size",
        correction="gate.e_score_correction_bias",
        gated=False,
        latent="moe_latent_size",
    ),
    "llama4_text": Experts(
        block="feed_forward",
        router="router",
        count="num_local_experts",
        names=(),
        shared="shared_expert",
        shared_width="intermediate_size",
        stack="experts",
    ),
}


def is_sparse(config: Config, layer: int) -> bool:
    """Whether a layer has experts, of a model whose layers have a mixer and a feed-forward."""
    first = config.get("first_k_dense_replace", config.get("num_dense_layers", 0))
    without = config["model_type"] not in EXPERTS or config.get("num_local_experts") == 0
    if without or layer < first:
        return False
    if layer % config.get("moe_layer_freq", 1) != 0:
        return False
    end = config.get("moe_layer_end_index", -1)
    if layer < config.get("moe_layer_start_index", 0) or (end >= 0 and layer > end):
        return False
    if "mlp_layer_types" in config:
        types = config["mlp_layer_types"]
        return layer > 0 if types is None else bool(types[layer] == "sparse")
    if (listed := config.get("moe_layers")) is not None:
        return layer in listed
    steps = ("decoder_sparse_step", "moe_layer_interval", "interleave_moe_layer_step")
    step = prod(config.get(key, 1) for key in steps)
    return (layer + 1) % step == 0 and layer not in (config.get("mlp_only_layers") or ())


def shapes(config: Config, layer: str) -> Shapes:
    """The tensors of a sparse layer's feed-forward, in the order of a forward."""
    experts = EXPERTS[config["model_type"]]
    if config.get(STACKED) == "stacked" and experts.stacked_router:
        experts = replace(
            experts, router=experts.stacked_router, correction=experts.stacked_correction
        )
    if experts is _KIMI and config.get(STACKED) == "stacked":
        experts = _KIMI_CONVERTED
    hidden = config["hidden_size"]
    block = f"{layer}.{experts.block}"
    out: Shapes = {f"{block}.{experts.router}.weight": (config[experts.count], hidden)}
    if experts.biased:
        out[f"{block}.{experts.router}.bias"] = (config[experts.count],)
    if experts.gated:
        out.update(_routed(config, experts, block))
    else:
        out.update(_ungated(config, experts, block))
    if experts.loses_correction:
        if config.get(STACKED) != "stacked":
            out[f"{block}.{experts.correction}"] = (1, config[experts.count])
    elif experts.correction:
        out[f"{block}.{experts.correction}"] = (config[experts.count],)
    out.update(_shared(config, experts, layer))
    return out


def apart(config: Config, layer: str) -> Shapes:
    """What Gemma 4 has beside a dense feed-forward."""
    count, width, hidden = (
        config[key] for key in ("num_experts", "moe_intermediate_size", "hidden_size")
    )
    norms = ("pre_feedforward_layernorm_2", "post_feedforward_layernorm_1")
    out: Shapes = {f"{layer}.router.proj.weight": (count, hidden)}
    out[f"{layer}.router.scale"] = (hidden,)
    out[f"{layer}.router.per_expert_scale"] = (count,)
    for name in (*norms, "post_feedforward_layernorm_2"):
        out[f"{layer}.{name}.weight"] = (hidden,)
    for name, size in _sizes(width, hidden).items():
        out[f"{layer}.experts.switch_glu.{name}.weight"] = (count, *size)
    return out


def alone(config: Config, name: str, shape: tuple[int, ...]) -> list[str]:
    """The names that the parts of a stacked tensor have where experts are stored one by one."""
    block, mark, rest = name.rpartition(".switch_mlp.")
    experts = EXPERTS.get(config["model_type"])
    if not mark or experts is None or (experts.gated and len(experts.names) < 3):
        return []
    projection, _, suffix = rest.partition(".")
    own = UNGATED.get(projection) or experts.names[PROJECTIONS.index(projection)]
    return [f"{block}.experts.{e}.{own}.{suffix}" for e in range(shape[0])]


def _sizes(width: int, hidden: int) -> Shapes:
    return dict(zip(PROJECTIONS, ((width, hidden), (width, hidden), (hidden, width)), strict=True))


def _shared(config: Config, experts: Experts, layer: str) -> Shapes:
    """What serves every token."""
    hidden, block = config["hidden_size"], f"{layer}.{experts.block}"
    out: Shapes = {}
    if experts.shared:
        width = config[experts.shared_width] * config.get(experts.shared_count, 1)
        for name, size in _sizes(width, hidden).items():
            if experts.gated or name != "gate_proj":
                out[f"{block}.{experts.shared}.{name}.weight"] = size
                if not experts.gated and config["mlp_bias"]:
                    out[f"{block}.{experts.shared}.{name}.bias"] = size[:1]
    if experts.beside:
        width = config[experts.shared_width]
        out[f"{layer}.{experts.beside}.input_linear.weight"] = (2 * width, hidden)
        out[f"{layer}.{experts.beside}.output_linear.weight"] = (hidden, width)
    if experts.shared_gate:
        out[f"{block}.{experts.shared}_gate.weight"] = (1, hidden)
    return out


def _ungated(config: Config, experts: Experts, block: str) -> Shapes:
    hidden, latent = config["hidden_size"], config.get(experts.latent)
    count, width, inputs = config[experts.count], config[experts.width], latent or hidden
    sizes = {"up_proj": (width, inputs), "down_proj": (inputs, width)}
    out: Shapes = {}
    if latent:
        out[f"{block}.fc1_latent_proj.weight"] = (latent, hidden)
        out[f"{block}.fc2_latent_proj.weight"] = (hidden, latent)
    if latent and config["mlp_bias"]:
        out[f"{block}.fc1_latent_proj.bias"] = (latent,)
        out[f"{block}.fc2_latent_proj.bias"] = (hidden,)
    if config.get(STACKED) == "stacked":
        for name, own in UNGATED.items():
            out[f"{block}.{experts.stack}.{name}.weight"] = (count, *sizes[own])
        return out
    for e in range(count):
        for name, size in sizes.items():
            out[f"{block}.experts.{e}.{name}.weight"] = size
    return out


def _routed(config: Config, experts: Experts, block: str) -> Shapes:
    count, width, hidden = config[experts.count], config[experts.width], config["hidden_size"]
    sizes = _sizes(width, hidden)
    if config.get(STACKED) == "stacked" or not experts.names:
        stack = f"{block}.{experts.stack}"
        out = {f"{stack}.{name}.weight": (count, *size) for name, size in sizes.items()}
        if experts.biased:
            out |= {f"{stack}.{name}.bias": (count, size[0]) for name, size in sizes.items()}
        return out
    if len(experts.names) == 2:
        both, down = experts.names
        return {
            f"{block}.{both}.weight": (count, 2 * width, hidden),
            f"{block}.{down}.weight": (count, hidden, width),
        }
    return {
        f"{block}.experts.{e}.{name}.weight": size
        for e in range(count)
        for name, size in zip(experts.names, sizes.values(), strict=True)
    }
