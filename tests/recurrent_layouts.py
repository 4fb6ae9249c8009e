"""What layers with a recurrence hold, as published or as mlx-lm converts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Config = dict[str, Any]
Shapes = dict[str, tuple[int, ...]]
Numbers = np.ndarray[Any, np.dtype[np.float64]]

CONVERTED = "convs_as"
"""A key of config.json that nobody reads: `converted` for weights of convolutions with their taps
before the axis of 1, as mlx-lm converts them; else behind it, as published."""
ADDS_ONE = ("qwen3_next", "qwen3_5", "qwen3_5_moe")
"""Whose norms multiply by 1 + weight as published, and by the weight once converted."""


_KINDS = {
    "linear_attention": "recurrence",
    "mamba": "recurrence",
    "full_attention": "attention",
    "attention": "attention",
    "mlp": "dense",
    "moe": "experts",
}
_LETTERS = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}


def kinds(config: Config) -> list[str] | None:
    """What the layers are, where each is one thing alone: `recurrence`, `attention`, `dense` or
    `experts`; else None."""
    if config["model_type"] != "nemotron_h":
        return None
    words = config.get("layers_block_type") or config.get("layer_types")
    if words is None:
        words = [_LETTERS[letter] for letter in config["hybrid_override_pattern"]]
    return [_KINDS[word] for word in words]


PARTS = {"mamba2": {"recurrence"}, "falcon_h1": {"recurrence", "attention", "dense"}}
"""What each layer has, of model types all of whose layers have a recurrence."""


def recurs(config: Config, layer: int) -> bool:
    """Whether a layer has a recurrence in the place of attention."""
    if config["model_type"] not in _LAYOUTS:
        return False
    if (each := kinds(config)) is not None:
        return each[layer] == "recurrence"
    if (types := config.get("layer_types")) is not None:
        return types[layer] not in ("full_attention", "attention")
    if (block := config.get("linear_attn_config")) is not None:
        return layer + 1 in block["kda_layers"]
    every = 4 if config["model_type"] == "olmo_hybrid" else 0
    if interval := config.get("full_attention_interval", every):
        return bool((layer + 1) % interval != 0)
    attending = config.get("full_attn_idxs")
    return attending is not None and layer not in attending


def shapes(config: Config, layer: str) -> Shapes:
    """The tensors of a layer's recurrence, in the order of a forward."""
    return _LAYOUTS[config["model_type"]](config, layer)


def is_conv(name: str) -> bool:
    """Whether a tensor is the weight of a convolution, which is never quantized."""
    return "conv" in name.split(".")[-2] and name.endswith(".weight")


def part(name: str, shape: tuple[int, ...], noise: Callable[..., Numbers]) -> Numbers | None:
    """Numbers of what is no matrix; None of other tensors."""
    if name.endswith(".A_log"):
        return noise(name, shape) - 1.5  # so that a state lasts for some tokens
    if is_conv(name):
        return noise(name, (shape[0], max(shape[1:]))).reshape(shape)  # as either has it
    return None


def is_converted(config: Config) -> bool:
    """Whether convolutions, and with them some norms, are as mlx-lm converts them."""
    return bool(config.get(CONVERTED) == "converted")


def norm_base(config: Config, name: str) -> float:
    """What the weights of a norm lie around."""
    adds = config["model_type"].removesuffix("_text") in ADDS_ONE and not is_converted(config)
    return 0.0 if adds and ".linear_attn.norm." not in name else 1.0


def _conv(config: Config, channels: int, taps: int) -> tuple[int, ...]:
    return (channels, taps, 1) if is_converted(config) else (channels, 1, taps)


def _short_conv(config: Config, layer: str) -> Shapes:
    hidden = config["hidden_size"]
    out: Shapes = {f"{layer}.conv.in_proj.weight": (3 * hidden, hidden)}
    out[f"{layer}.conv.conv.weight"] = _conv(config, hidden, config["conv_L_cache"])
    out[f"{layer}.conv.out_proj.weight"] = (hidden, hidden)
    if config["conv_bias"]:
        for name, width in (("in_proj", 3 * hidden), ("conv", hidden), ("out_proj", hidden)):
            out[f"{layer}.conv.{name}.bias"] = (width,)
    return out


def _gated_delta(config: Config, layer: str) -> Shapes:
    hidden = config["hidden_size"]
    heads, key_heads = config["linear_num_value_heads"], config["linear_num_key_heads"]
    key_dim, value_dim = config["linear_key_head_dim"], config["linear_value_head_dim"]
    keys, values = key_heads * key_dim, heads * value_dim
    rows = {"qkv": 2 * keys + values, "z": values, "b": heads, "a": heads}
    if config["model_type"] == "qwen3_next":
        rows = {"qkvz": 2 * keys + 2 * values, "ba": 2 * heads}
    module = f"{layer}.linear_attn"
    out: Shapes = {f"{module}.in_proj_{name}.weight": (n, hidden) for name, n in rows.items()}
    taps = config["linear_conv_kernel_dim"]
    out[f"{module}.conv1d.weight"] = _conv(config, 2 * keys + values, taps)
    out[f"{module}.A_log"] = out[f"{module}.dt_bias"] = (heads,)
    out[f"{module}.norm.weight"] = (value_dim,)
    out[f"{module}.out_proj.weight"] = (hidden, values)
    return out


def _olmo_delta(config: Config, layer: str) -> Shapes:
    hidden, taps = config["hidden_size"], config["linear_conv_kernel_dim"]
    heads, value_dim = config["linear_num_value_heads"], config["linear_value_head_dim"]
    keys, values = config["linear_num_key_heads"] * config["linear_key_head_dim"], heads * value_dim
    module = f"{layer}.linear_attn"
    out: Shapes = {}
    for name, width in {"q": keys, "k": keys, "v": values, "g": values}.items():
        out[f"{module}.{name}_proj.weight"] = (width, hidden)
        if name != "g":
            out[f"{module}.{name}_conv1d.weight"] = _conv(config, width, taps)
    for name in "ab":
        out[f"{module}.{name}_proj.weight"] = (heads, hidden)
    out[f"{module}.A_log"] = out[f"{module}.dt_bias"] = (heads,)
    out[f"{module}.o_norm.weight"] = (value_dim,)
    out[f"{module}.o_proj.weight"] = (hidden, values)
    return out


def _kimi_delta(config: Config, layer: str) -> Shapes:
    hidden, block = config["hidden_size"], config["linear_attn_config"]
    heads, dim, taps = block["num_heads"], block["head_dim"], block["short_conv_kernel_size"]
    width = heads * dim
    module = f"{layer}.self_attn"
    out: Shapes = {f"{module}.{name}_proj.weight": (width, hidden) for name in "qkv"}
    conv = "_conv.conv" if is_converted(config) else "_conv1d"
    for name in "qkv":
        out[f"{module}.{name}{conv}.weight"] = _conv(config, width, taps)
    for name in "fg":
        out[f"{module}.{name}_a_proj.weight"] = (dim, hidden)
        out[f"{module}.{name}_b_proj.weight"] = (width, dim)
    out[f"{module}.b_proj.weight"] = (heads, hidden)
    out[f"{module}.A_log"] = (1, 1, heads, 1)
    out[f"{module}.dt_bias"] = (width,)
    out[f"{module}.o_norm.weight"] = (dim,)
    out[f"{module}.o_proj.weight"] = (hidden, width)
    return out


@dataclass(frozen=True)
class _Scan:
    """Where the tensors of Mamba-2 stand, and which keys of config.json size them."""

    module: str = "mamba"
    heads: str = "mamba_n_heads"
    head_dim: str = "mamba_d_head"
    groups: str = "mamba_n_groups"
    state: str = "mamba_d_state"
    taps: str = "mamba_d_conv"
    conv_bias: str = "mamba_conv_bias"
    bias: str = "mamba_proj_bias"
    out_bias: str = ""
    """Of the projection out, where that has another."""
    normed: str = ""
    """Whether a norm stands behind the scan; else it does."""


_SCANS = {
    "mamba2": _Scan(
        module="mixer",
        heads="num_heads",
        head_dim="head_dim",
        groups="n_groups",
        state="state_size",
        taps="conv_kernel",
        conv_bias="use_conv_bias",
        bias="use_bias",
    ),
    "falcon_h1": _Scan(out_bias="projectors_bias", normed="mamba_rms_norm"),
    "nemotron_h": _Scan(
        module="mixer",
        heads="mamba_num_heads",
        head_dim="mamba_head_dim",
        groups="n_groups",
        state="ssm_state_size",
        taps="conv_kernel",
        conv_bias="use_conv_bias",
    ),
}


def _mamba2(config: Config, layer: str) -> Shapes:
    keys = _SCANS.get(config["model_type"], _Scan())
    hidden, heads = config["hidden_size"], config[keys.heads]
    head_dim = config[keys.head_dim]
    if head_dim == "auto":
        head_dim = (config.get("mamba_d_ssm") or config["mamba_expand"] * hidden) // heads
    values = heads * head_dim
    channels = values + 2 * config[keys.groups] * config[keys.state]
    module = f"{layer}.{keys.module}"
    out: Shapes = {f"{module}.in_proj.weight": (values + channels + heads, hidden)}
    out[f"{module}.conv1d.weight"] = _conv(config, channels, config[keys.taps])
    if config[keys.conv_bias]:
        out[f"{module}.conv1d.bias"] = (channels,)
    for name in ("A_log", "dt_bias", "D"):
        out[f"{module}.{name}"] = (heads,)
    if not keys.normed or config[keys.normed]:
        out[f"{module}.norm.weight"] = (values,)
    out[f"{module}.out_proj.weight"] = (hidden, values)
    if config[keys.bias]:
        out[f"{module}.in_proj.bias"] = (values + channels + heads,)
    if config[keys.out_bias or keys.bias]:
        out[f"{module}.out_proj.bias"] = (hidden,)
    return out


_LAYOUTS: dict[str, Callable[[Config, str], Shapes]] = {
    "lfm2": _short_conv,
    "lfm2_moe": _short_conv,
    "qwen3_next": _gated_delta,
    "qwen3_5": _gated_delta,
    "qwen3_5_moe": _gated_delta,
    "kimi_linear": _kimi_delta,
    "granitemoehybrid": _mamba2,
    "olmo_hybrid": _olmo_delta,
    "nemotron_h": _mamba2,
    "mamba2": _mamba2,
    "falcon_h1": _mamba2,
}
