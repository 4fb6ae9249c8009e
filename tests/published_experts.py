"""Stacked experts as their publishers write them: parameters of one module, gate and up in one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from checkpoints import Tensor, quantized

Content = dict[str, Tensor]
_STACKS = (".experts.switch_glu.", ".switch_mlp.", ".experts.")
MXFP4 = {"mode": "mxfp4", "group_size": 32, "bits": 4}


def fused(content: Mapping[str, Tensor], *, inputs_first: bool = False) -> Content:
    """A checkpoint whose experts' floats are `experts.gate_up_proj` (gate before up) and
    `experts.down_proj`: (experts, outputs, inputs), or (experts, inputs, outputs)."""
    return {
        name: Tensor(one.dtype, one.data.swapaxes(1, 2))
        if inputs_first and ".experts." in name
        else one
        for name, one in _published(content, interleaved=False).items()
    }


def blocks(content: Mapping[str, Tensor]) -> Content:
    """A checkpoint of experts in mxfp4 as gpt-oss has them: rows of gate and up in turns, and bytes
    in blocks of a group."""
    out: Content = {}
    for name, one in _published(content, interleaved=True).items():
        if name.endswith("_weight"):
            packed = np.ascontiguousarray(one.data).view(np.uint8)
            groups = packed.reshape(*packed.shape[:-1], -1, 16)
            out[f"{name.removesuffix('_weight')}_blocks"] = Tensor("U8", groups)
        else:
            out[name] = one
    return out


def in_mxfp4(content: Mapping[str, Tensor]) -> Content:
    """The same with the experts' matrices quantized, under MLX's names."""
    out: Content = {}
    for name, one in content.items():
        if ".experts." in name and name.endswith(".weight"):
            out.update(quantized(name.removesuffix(".weight"), one.data, MXFP4, "BF16"))
        else:
            out[name] = one
    return out


def _published(content: Mapping[str, Tensor], *, interleaved: bool) -> Content:
    out: Content = {}
    for name, one in content.items():
        stack = next((each for each in _STACKS if each in name), None)
        if stack is None:
            out[name] = one
            continue
        block, _, rest = name.partition(stack)
        projection, _, part = rest.partition(".")
        suffix = "" if part == "weight" and one.dtype != "U32" else f"_{part}"
        if projection == "down_proj":
            out[f"{block}.experts.down_proj{suffix}"] = one
        elif projection == "gate_proj":
            up = content[f"{block}{stack}up_proj.{part}"]
            parts = [one.data, up.data]
            both = np.stack(parts, axis=2) if interleaved else np.stack(parts, axis=1)
            shape = (len(both), 2 * one.data.shape[1], *one.data.shape[2:])
            out[f"{block}.experts.gate_up_proj{suffix}"] = Tensor(one.dtype, both.reshape(shape))
    return out
