"""Random and extreme blocks of each kind of a GGUF file."""

from __future__ import annotations

from typing import Any

import gguf
import numpy as np

Kind = gguf.GGMLQuantizationType
Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_EXTREMES = (0.0, -0.0, 1.0, -1.0, 2.0**-24, -(2.0**-24), 6.1e-5, 65504.0, -65504.0, 1e-3)
HALVES = {
    Kind.Q4_0: (0,),
    Kind.Q4_1: (0, 2),
    Kind.Q5_0: (0,),
    Kind.Q5_1: (0, 2),
    Kind.Q8_0: (0,),
    Kind.Q4_K: (0, 2),
    Kind.Q5_K: (0, 2),
    Kind.IQ4_NL: (0,),
    Kind.IQ4_XS: (0,),
    Kind.TQ1_0: (52,),
    Kind.TQ2_0: (64,),
    Kind.Q2_K: (80, 82),
    Kind.Q3_K: (108,),
    Kind.Q6_K: (208,),
    Kind.IQ2_XXS: (0,),
    Kind.IQ2_XS: (0,),
    Kind.IQ2_S: (0,),
    Kind.IQ3_XXS: (0,),
    Kind.IQ3_S: (0,),
    Kind.IQ1_S: (0,),
}
"""Where a block has numbers of half precision."""
EXACT = (
    *(Kind.Q4_0, Kind.Q4_1, Kind.Q5_0, Kind.Q5_1, Kind.Q8_0, Kind.Q4_K, Kind.Q5_K),
    *(Kind.IQ4_NL, Kind.IQ4_XS, Kind.TQ1_0, Kind.TQ2_0, Kind.MXFP4, Kind.NVFP4),
)
REQUANTIZED = (
    *(Kind.Q2_K, Kind.Q3_K, Kind.Q6_K, Kind.IQ2_XXS, Kind.IQ2_XS, Kind.IQ2_S),
    *(Kind.IQ3_XXS, Kind.IQ3_S, Kind.IQ1_S, Kind.IQ1_M),
)


def random_blocks(
    kind: Kind, rows: int, cols: int, seed: int = 0, scale: float | None = None
) -> Bytes:
    """Blocks of random bits, a row of bytes for each row; scales of ordinary size, in half of the
    blocks extreme ones.

    Args:
        kind: of the blocks.
        rows: of the matrix.
        cols: of the matrix.
        seed: for other ones.
        scale: all scales are of about this size.
    """
    items, size = gguf.GGML_QUANT_SIZES[kind]
    random = np.random.Generator(np.random.Philox(seed))
    count = rows * cols // items
    blocks = random.integers(0, 256, (count, size), np.uint8)
    halves = (random.standard_normal((count, 2)) * (scale or 0.01)).astype(np.float16)
    if scale is None:
        extreme = np.array(_EXTREMES, np.float16)
        halves[::2] = extreme[random.integers(0, len(extreme), halves[::2].shape)]
    for at, offset in enumerate(HALVES.get(kind, ())):
        blocks[:, offset : offset + 2] = halves[:, at : at + 1].copy().view(np.uint8)
    if kind == Kind.MXFP4:
        low, high = (0, 250) if scale is None else (110, 125)
        blocks[:, 0] = random.integers(low, high, count)
    if kind == Kind.NVFP4:
        blocks[:, :4] = random.integers(0, 128, (count, 4))
    if kind == Kind.IQ1_M:
        bits = halves[:, 0].view(np.uint16)
        for at in range(4):  # the scale's bits lie above the twelve lower ones of four numbers
            blocks[:, 48 + 2 * at + 1] = (
                blocks[:, 48 + 2 * at + 1] & 15 | (bits >> 4 * at & 15).astype(np.uint8) << 4
            )
    return blocks.reshape(rows, -1)
