"""Who is compared: an engine with the format of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Contender:
    """An engine and a checkpoint format that it runs."""

    engine: str
    """The module of comparison.subjects."""
    format: str
    bits_per_weight: float
    """Scales and biases included."""
    expert_bits_per_weight: float | None = None
    """Of the matrices of experts, where they have a format of their own."""

    @property
    def name(self) -> str:
        """As tables show it."""
        return f"{self.engine} {self.format}"

    @property
    def bits(self) -> str:
        """A weight's, as tables show them."""
        dense = f"{self.bits_per_weight:g}"
        return f"{self.expert_bits_per_weight:g}/{dense}" if self.expert_bits_per_weight else dense

    @property
    def is_gguf(self) -> bool:
        """Whether its checkpoint is a GGUF file, and not a folder."""
        return self.engine == "llama_cpp"


CONTENDERS = (
    Contender("ours", "affine-64", 4 + 32 / 64),
    Contender("ours", "affine-32", 4 + 32 / 32),
    Contender("ours", "mxfp4-q8", 8 + 32 / 64, 4 + 8 / 32),
    Contender("llama_cpp", "Q4_0", 18 * 8 / 32),
    Contender("llama_cpp", "Q4_1", 20 * 8 / 32),
    Contender("llama_cpp", "MXFP4", 34 * 8 / 32, 17 * 8 / 32),
    Contender("mlx_lm", "affine-64", 4 + 32 / 64),
    Contender("mlx_lm", "mxfp4-q8", 8 + 32 / 64, 4 + 8 / 32),
)
"""affine-N: MLX's 4 bits with a bfloat16 scale and bias for each N numbers. Q4_0: a float16 scale
for each 32. Q4_1: a scale and a minimum for each 32. mxfp4-q8 and MXFP4: experts of 4 bits with a
scale of 8 for each 32; all else of 8 bits, affine with a scale and bias for each 64, or Q8_0 with a
float16 scale for each 32."""


def like(engine: str, other: Contender) -> Contender | None:
    """The contender of an engine whose weights take as many bytes."""
    for one in CONTENDERS:
        if one.engine == engine and one.bits == other.bits:
            return one
    return None


def suits(one: Contender, config: Mapping[str, Any]) -> bool:
    """Whether a geometry is compared in a contender's format: gpt-oss, which is published with
    experts in MXFP4, in no other, and nothing else in that."""
    return bool(config["model_type"] == "gpt_oss") == (one.expert_bits_per_weight is not None)
