"""Who is compared: an engine with the format of its weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Contender:
    """An engine and a checkpoint format that it runs."""

    engine: str
    """The module of comparison.subjects."""
    format: str
    bits_per_weight: float
    """Scales and biases included."""

    @property
    def name(self) -> str:
        """As tables show it."""
        return f"{self.engine} {self.format}"


CONTENDERS = (
    Contender("ours", "affine-64", 4 + 32 / 64),
    Contender("ours", "affine-32", 4 + 32 / 32),
    Contender("llama_cpp", "Q4_0", 18 * 8 / 32),
    Contender("llama_cpp", "Q4_1", 20 * 8 / 32),
    Contender("mlx_lm", "affine-64", 4 + 32 / 64),
)
"""affine-N: MLX's 4 bits with a bfloat16 scale and bias for each N numbers. Q4_0: a float16 scale
for each 32. Q4_1: a scale and a minimum for each 32."""


def like(engine: str, bits_per_weight: float) -> Contender | None:
    """The contender of an engine whose weights take as many bytes."""
    for one in CONTENDERS:
        if one.engine == engine and one.bits_per_weight == bits_per_weight:
            return one
    return None
