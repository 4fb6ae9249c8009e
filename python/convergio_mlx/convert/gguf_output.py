"""What a tensor of a GGUF file becomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from convergio_mlx.convert.gguf_architecture import CONVOLUTIONS, ONE_ROW, Place
from convergio_mlx.convert.gguf_source import GgufTensor, Kind
from convergio_mlx.convert.shards import Tensor


@dataclass(frozen=True)
class Output:
    """A tensor and where it goes."""

    tensor: GgufTensor
    place: Place
    heads: int
    """Those whose rotary halves the writer has interleaved; 0: none."""
    is_shifted: bool
    """The writer has added 1."""

    @property
    def kind(self) -> Kind:
        """The tensor's."""
        return self.tensor.kind

    def tensors(self, single: bool) -> tuple[Tensor, ...]:
        """What it becomes: weight, and scales and biases where it has them.

        Args:
            single: whether float scales are float32.
        """
        name, shape, kind = self.place.module, self.tensor.shape, self.kind
        if self.place.base == ONE_ROW:
            shape = (1, shape[-1])
        if self.place.base in CONVOLUTIONS:
            shape = (*shape, 1)
        _, shares = self.place.share
        if shares > 1:
            shape = (shape[0], shape[1] // shares, shape[2])
        if not kind.mode:
            return (Tensor(self.place.tensor, kind.name, shape),)
        *outer, cols = shape
        groups = (*outer, cols // kind.group_size)
        weight = Tensor(f"{name}.weight", "U32", (*outer, cols * kind.bits // 32))
        if kind.mode != "affine":
            return (weight, Tensor(f"{name}.scales", "U8", groups))
        dtype = "F32" if single else "F16"
        parts = (Tensor(f"{name}.{part}", dtype, groups) for part in ("scales", "biases"))
        return (weight, *parts)

    @property
    def size(self) -> int:
        """Bytes of the file that it is made of."""
        return self.tensor.size // self.place.share[1]

    def pieces(self, most: int) -> Iterator[tuple[int, int]]:
        """The rows of the file that it is made of, in order: first and end of at most so many."""
        at, shares = self.place.share
        block = self.tensor.rows if shares == 1 else self.tensor.shape[1] // shares
        for first in range(at * block, self.tensor.rows, shares * block):
            for begin in range(first, first + block, most):
                yield begin, min(begin + most, first + block)

    def needs_single(self) -> bool:
        """Whether its float scales must be float32, which its blocks tell.

        Raises:
            ModelCorruptError: one is no finite number.
        """
        if not self.kind.decoded:
            return True
        return bool(self.kind.mode) and bool(self.tensor.file.needs_single(self.tensor.index))

    @property
    def most_bytes(self) -> int:
        """Of all that it becomes; 0 where it is not converted."""
        if not self.kind.conversion:
            return 0
        return sum(tensor.size for tensor in self.tensors(single=True))
