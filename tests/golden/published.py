"""A checkpoint's tensors as transformers loads them, where it loads none of what MLX's have."""

from __future__ import annotations

from typing import Any

import numpy as np

Weights = dict[str, np.ndarray[Any, Any]]


def as_transformers(model_type: str, weights: Weights) -> Weights:
    """Float weights under the names and in the shapes of transformers' class."""
    rename = {"gpt_oss": _gpt_oss, "gemma4_text": _gemma4}.get(model_type)
    return weights if rename is None else rename(weights)


def _gemma4(weights: Weights) -> Weights:
    """Gate and up of all experts are one tensor."""
    out: Weights = {}
    for name, value in weights.items():
        block, mark, rest = name.partition(".experts.switch_glu.")
        if not mark:
            out[name] = value
        elif rest == "down_proj.weight":
            out[f"{block}.experts.down_proj"] = value
        elif rest == "gate_proj.weight":
            up = weights[f"{block}{mark}up_proj.weight"]
            out[f"{block}.experts.gate_up_proj"] = np.concatenate([value, up], axis=1)
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
