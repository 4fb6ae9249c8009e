"""Affine 4-bit quantization as MLX does it, for training and for the file."""

from __future__ import annotations

import torch

GROUP, BITS = 64, 4
_LEVELS = 2**BITS - 1
_EPS = 1e-7


def affine(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Codes (rows, groups, GROUP), scales and biases (rows, groups) of a float32 matrix.

    The rule of mx.quantize(mode="affine"): the end of larger magnitude is met exactly, and zero is
    a code. Scales and biases are rounded to float16, as the file stores them.
    """
    groups = weight.reshape(weight.shape[0], -1, GROUP)
    low, high = groups.amin(-1), groups.amax(-1)
    low_is_edge = low.abs() > high.abs()
    scale = ((high - low) / _LEVELS).clamp_min(_EPS)
    scale = torch.where(low_is_edge, scale, -scale)
    edge = torch.where(low_is_edge, low, high)
    steps = torch.round(edge / scale)
    scale = torch.where(steps != 0, edge / steps, scale)
    bias = torch.where(steps != 0, edge, torch.zeros_like(edge))
    codes = torch.round((groups - bias[..., None]) / scale[..., None]).clamp(0, _LEVELS)
    return codes, scale.half(), bias.half()


def dequantize(codes: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """The float32 matrix that affine's result stands for."""
    values = codes * scale.float()[..., None] + bias.float()[..., None]
    return values.reshape(codes.shape[0], -1)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, weight: torch.Tensor) -> torch.Tensor:
        return dequantize(*affine(weight))

    @staticmethod
    def backward(ctx: object, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0]


def fake_quantize(weight: torch.Tensor) -> torch.Tensor:
    """`weight` rounded to its 4-bit values; the gradient passes unchanged."""
    rounded: torch.Tensor = _StraightThrough.apply(weight)  # type: ignore[no-untyped-call]
    return rounded


def packed(codes: torch.Tensor) -> torch.Tensor:
    """Codes as (rows, columns * BITS / 32) 32-bit words, the first in the lowest bits."""
    per_word = 32 // BITS
    words = codes.to(torch.int64).reshape(codes.shape[0], -1, per_word)
    shifts = torch.arange(per_word, dtype=torch.int64) * BITS
    return (words << shifts).sum(-1).to(torch.uint32)


def unpacked(words: torch.Tensor) -> torch.Tensor:
    """The codes (rows, groups, GROUP) of packed words."""
    shifts = torch.arange(32 // BITS, dtype=torch.int64) * BITS
    codes: torch.Tensor = (words.to(torch.int64)[..., None] >> shifts) & _LEVELS
    return codes.reshape(words.shape[0], -1, GROUP).float()
