"""What tensors of a GGUF file become."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from convergio_mlx.convert.gguf_architecture import (
    CONVOLUTIONS,
    DECAYS,
    FLAT,
    NUMBERS,
    ONE_ROW,
    Place,
)
from convergio_mlx.convert.gguf_rows import Runs
from convergio_mlx.convert.gguf_source import GgufTensor, Kind
from convergio_mlx.convert.shards import Tensor

_BROADCAST = "self_attn.A_log"
"""A vector that a folder has with axes of 1 around."""


@dataclass(frozen=True)
class Part:
    """Rows of a tensor."""

    tensor: GgufTensor
    runs: Runs

    @property
    def rows(self) -> int:
        """How many."""
        return sum(end - begin for begin, end in self.runs)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.tensor.size // self.tensor.rows * self.rows


@dataclass(frozen=True)
class Output:
    """A tensor of the folder, and what it is made of."""

    parts: tuple[Part, ...]
    """One above the other; all of one kind and width."""
    place: Place
    heads: int
    """Those whose rotary halves the writer has interleaved; 0: none."""
    is_shifted: bool
    """The writer has added 1."""
    columns: Runs
    """Their order; none: that of the file."""

    @property
    def tensor(self) -> GgufTensor:
        """The first of those that it is made of."""
        return self.parts[0].tensor

    @property
    def kind(self) -> Kind:
        """The tensor's."""
        return self.tensor.kind

    @property
    def is_decay(self) -> bool:
        """It is the logarithm of what the writer has, with the sign changed."""
        return self.place.base == DECAYS

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its numbers, outermost first."""
        rows, base = sum(part.rows for part in self.parts), self.place.base
        cols = self.tensor.shape[-1]
        if base in FLAT:
            items = self.tensor.items
            return (1, 1, items, 1) if self.place.module.endswith(_BROADCAST) else (items,)
        if self.place.is_stack:
            return (self.tensor.shape[0], rows // self.tensor.shape[0], cols)
        if len(self.tensor.shape) == 1:
            return (1, cols) if base == ONE_ROW else (rows,)
        return (rows, cols, 1) if base in CONVOLUTIONS else (rows, cols)

    def tensors(self, single: bool) -> tuple[Tensor, ...]:
        """What it becomes: weight, and scales and biases where it has them.

        Args:
            single: whether float scales are float32.
        """
        name, shape, kind = self.place.module, self.shape, self.kind
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
        return sum(part.size for part in self.parts)

    def pieces(self, most: int) -> Iterator[tuple[GgufTensor, int, int]]:
        """The rows of the file that it is made of, in order: first and end of what has at most so
        many bytes, or is one row."""
        for part in self.parts:
            step = max(most // (part.tensor.size // part.tensor.rows), 1)
            for first, end in part.runs:
                for begin in range(first, end, step):
                    yield part.tensor, begin, min(begin + step, end)

    def needs_single(self) -> bool:
        """Whether its float scales must be float32, which its blocks tell.

        Raises:
            ModelCorruptError: one is no finite number.
        """
        if not self.kind.decoded:
            return True
        tensors = [part.tensor for part in self.parts]
        return bool(self.kind.mode) and any(one.file.needs_single(one.index) for one in tensors)

    @property
    def most_bytes(self) -> int:
        """Of all that it becomes; 0 where it is not converted."""
        if not self.kind.conversion:
            return 0
        return sum(tensor.size for tensor in self.tensors(single=True))


def misfits(output: Output, architecture: str) -> list[str]:
    """What keeps tensors of these kinds from becoming it, a clause each."""
    tensor, kind, place = output.tensor, output.kind, output.place
    said = f"tensor {tensor.name!r} is of kind {kind.name}, and"
    found = []
    if kind.mode and (place.part != "weight" or output.is_shifted or place.base in NUMBERS):
        found.append(f"{said} is no matrix")
    elif (output.is_shifted or output.is_decay) and kind.name != "F32":
        what = "norms" if output.is_shifted else "decays"
        found.append(f"{said} {what} of {architecture} models must be F32")
    for other in (part.tensor for part in output.parts):
        below = f"{said} {other.name!r}, below it in one matrix,"
        if other.kind.name != kind.name:
            found.append(f"{below} is of {other.kind.name}")
        elif other.shape[1:] != tensor.shape[1:]:
            found.append(f"{below} has rows of {other.cols} numbers and not {tensor.cols}")
    if kind.mode and any(begin % kind.group_size for begin, _ in output.columns):
        found.append(f"{said} its groups of {kind.group_size} reach over the ends of heads")
    return found
