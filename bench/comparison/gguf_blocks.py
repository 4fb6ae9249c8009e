"""Random blocks of GGUF's formats."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gguf
import numpy as np

_PIECE_BYTES = 1 << 24
"""Blocks of a format that are made once and written again and again."""
_TYPE = gguf.GGMLQuantizationType


def _halves(*factors: float) -> Callable[[float], bytes]:
    return lambda scale: np.array([factor * scale for factor in factors], "<f2").tobytes()


def _power(scale: float) -> bytes:
    return bytes([127 + round(math.log2(scale))])


@dataclass(frozen=True)
class Format:
    """Of a matrix."""

    number: gguf.GGMLQuantizationType
    variance: float
    """Of random numbers whose scale is 1; smaller scales inside a block are as random."""
    stored: Callable[[float], bytes]
    """A scale, and what goes with it, as a block has it."""
    last: bool = False
    """It ends the block, and does not begin it."""

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers and bytes of a block."""
        columns, size = gguf.GGML_QUANT_SIZES[self.number]
        return columns, size


FORMATS = {
    "Q4_0": Format(_TYPE.Q4_0, 21.25, _halves(1.0)),
    "Q4_1": Format(_TYPE.Q4_1, 21.25, _halves(1.0, -7.5)),
    "Q4_K": Format(_TYPE.Q4_K, 66_700, _halves(1.0, 7.5)),
    "Q6_K": Format(_TYPE.Q6_K, 1.86e6, _halves(1.0), last=True),
    "Q8_0": Format(_TYPE.Q8_0, 5461.5, _halves(1.0)),
    "MXFP4": Format(_TYPE.MXFP4, 8.5625, _power),
}


class Noise:
    """Blocks of one format."""

    def __init__(self, kind: str) -> None:
        self._format = FORMATS[kind]
        self._columns, size = self._format.sizes
        count = _PIECE_BYTES // size
        noise = np.random.default_rng(0).bytes(count * size)
        self._blocks = np.frombuffer(bytearray(noise), np.uint8).reshape(count, size)

    def matrix(self, shape: tuple[int, ...]) -> Iterator[Any]:
        """Its bytes, in pieces: of mean 0 and variance 1 / columns, so that activations stay of
        order 1."""
        scale = 1 / math.sqrt(self._format.variance * shape[-1])
        stored = np.frombuffer(self._format.stored(scale), np.uint8)
        at = slice(-len(stored), None) if self._format.last else slice(len(stored))
        self._blocks[:, at] = stored
        left = math.prod(shape) // self._columns
        while left > 0:
            yield self._blocks[:left].data
            left -= len(self._blocks)
