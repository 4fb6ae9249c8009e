"""A checkpoint's tensors as transformers loads them, where it loads none of what MLX's have."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import checkpoints

Weights = dict[str, np.ndarray[Any, Any]]
MODEL_TYPES = {"qwen3_5": "qwen3_5_text", "qwen3_5_moe": "qwen3_5_moe_text"}
"""Rows whose own name is that of a multimodal model's class in transformers: its text model's."""


def as_transformers(model_type: str, weights: Weights) -> Weights:
    """Float weights under the names and in the shapes of transformers' class."""
    rename = {
        "gpt_oss": _gpt_oss,
        "gemma4_text": partial(_gate_and_up, mark=".experts.switch_glu."),
        "llama4_text": _llama4,
        "qwen3_5_moe": partial(_gate_and_up, mark=".switch_mlp."),
    }.get(model_type)
    return weights if rename is None else rename(weights)


def published(config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, checkpoints.Tensor]]:
    """config.json and tensors of a model as its author publishes it: where a "quantization" block
    has experts in MXFP4, in the blocks of gpt-oss."""
    if text := config.get("text_config"):
        inside, content = published(text)
        names = {name: name.replace("model.", "model.language_model.", 1) for name in content}
        return {**config, "text_config": inside}, {names[name]: t for name, t in content.items()}
    rest = {key: value for key, value in config.items() if key != "quantization"}
    kind, content = config["model_type"], checkpoints.tensors(config)
    packed = {
        name: t.data.view(np.uint8) for name, t in content.items() if t.dtype in ("U32", "U8")
    }
    floats = {name: t.data for name, t in content.items() if name not in packed}
    out = as_transformers(kind, floats)
    if packed:
        rest["quantization_config"] = {"quant_method": "mxfp4"}
        out |= _gpt_oss_blocks(packed)
    dtypes = {np.dtype(np.float32): "F32", np.dtype(np.uint8): "U8"}
    return rest, {name: checkpoints.Tensor(dtypes[v.dtype], v) for name, v in out.items()}


def _gpt_oss_blocks(packed: Weights) -> Weights:
    """Blocks of 32 numbers, two a byte, and a scale for each; rows of gate and up take turns."""
    out: Weights = {}
    for name, value in packed.items():
        block, _, rest = name.partition(".experts.")
        projection, _, part = rest.partition(".")
        suffix = {"weight": "blocks", "scales": "scales"}[part]
        if projection == "up_proj":
            continue
        both, rows = projection, value
        if projection == "gate_proj":
            up = packed[f"{block}.experts.up_proj.{part}"]
            both = "gate_up_proj"
            rows = np.stack([value, up], axis=2).reshape(len(up), -1, up.shape[2])
        shape = rows.shape if part == "scales" else (*rows.shape[:2], -1, 16)
        out[f"{block}.experts.{both}_{suffix}"] = rows.reshape(shape)
    return out


def _gate_and_up(weights: Weights, mark: str) -> Weights:
    """Gate and up of all experts are one tensor."""
    out: Weights = {}
    for name, value in weights.items():
        block, found, rest = name.partition(mark)
        if not found:
            out[name] = value
        elif rest == "down_proj.weight":
            out[f"{block}.experts.down_proj"] = value
        elif rest == "gate_proj.weight":
            up = weights[f"{block}{mark}up_proj.weight"]
            out[f"{block}.experts.gate_up_proj"] = np.concatenate([value, up], axis=1)
    return out


def _llama4(weights: Weights) -> Weights:
    """Gate and up of all experts are one tensor, and inputs come before outputs."""
    out: Weights = {}
    for name, value in weights.items():
        block, mark, rest = name.partition(".experts.")
        if not mark:
            out[name] = value
        elif rest == "down_proj.weight":
            out[f"{block}.experts.down_proj"] = _inputs_first(value)
        elif rest == "gate_proj.weight":
            up = weights[f"{block}.experts.up_proj.weight"]
            out[f"{block}.experts.gate_up_proj"] = _inputs_first(np.concatenate([value, up], 1))
    return out


def _gpt_oss(weights: Weights) -> Weights:
    """Experts' inputs come before their outputs, and outputs of gate and up take turns."""
    out: Weights = {}
    for name, value in weights.items():
        block, mark, rest = name.partition(".experts.")
        projection, _, part = rest.partition(".")
        suffix = "_bias" if part == "bias" else ""
        if not mark:
            out[name] = value
        elif projection == "down_proj":
            out[f"{block}.experts.down_proj{suffix}"] = _inputs_first(value)
        elif projection == "gate_proj":
            up = weights[f"{block}.experts.up_proj.{part}"]
            both = np.stack([value, up], axis=2).reshape(len(up), -1, *up.shape[2:])
            out[f"{block}.experts.gate_up_proj{suffix}"] = _inputs_first(both)
    return out


def _inputs_first(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return value.swapaxes(1, 2) if value.ndim == 3 else value
