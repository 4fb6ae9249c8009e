"""Safetensors files whose tensors come one after the other: the header is known beforehand, so the
data goes to its place as it is made."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from typing import Self

SHARD_BYTES = 5 << 30
"""What a file may hold before the next begins, as in mlx-lm."""
INDEX = "model.safetensors.index.json"
_ITEM_BYTES = {"F32": 4, "U32": 4, "F16": 2, "BF16": 2, "U8": 1}
_ALIGNMENT = 64
"""Bytes that the data begins at a multiple of: a GPU binds no number that is not aligned."""

Create = Callable[[str], int]
"""Makes a new file of a name, and gives its descriptor to write, or raises OSError."""


def item_bytes(dtype: str) -> int:
    """Of one number."""
    return _ITEM_BYTES[dtype]


@dataclass(frozen=True)
class Tensor:
    """A tensor to be written."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of its numbers."""
        return prod(self.shape) * item_bytes(self.dtype)


@dataclass(frozen=True)
class Shard:
    """A file and its tensors, in the order of their data."""

    name: str
    tensors: tuple[Tensor, ...]

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return len(self.head()) + sum(one.size for one in self.tensors)

    def head(self) -> bytes:
        """What comes before the data."""
        table: dict[str, object] = {"__metadata__": {"format": "mlx"}}
        end = 0
        for one in self.tensors:
            start, end = end, end + one.size
            table[one.name] = {
                "dtype": one.dtype,
                "shape": list(one.shape),
                "data_offsets": [start, end],
            }
        text = json.dumps(table, separators=(",", ":")).encode()
        text += b" " * (-(8 + len(text)) % _ALIGNMENT)
        return len(text).to_bytes(8, "little") + text


def shards_of(groups: Iterable[Sequence[Tensor]], limit: int = SHARD_BYTES) -> list[Shard]:
    """Files of at most `limit` bytes of data each; what is one group lies in one file, however
    large."""
    runs: list[list[Tensor]] = [[]]
    size = 0
    for group in groups:
        added = sum(one.size for one in group)
        if runs[-1] and size + added > limit:
            runs.append([])
            size = 0
        runs[-1] += group
        size += added
    names = (
        [f"model-{i:05}-of-{len(runs):05}.safetensors" for i in range(1, len(runs) + 1)]
        if len(runs) > 1
        else ["model.safetensors"]
    )
    # larger numbers first, so that all are aligned
    return [
        Shard(name, tuple(sorted(run, key=lambda one: -item_bytes(one.dtype))))
        for name, run in zip(names, runs, strict=True)
    ]


def index_of(shards: Sequence[Shard]) -> bytes | None:
    """The text of the index; None where there is one file."""
    if len(shards) == 1:
        return None
    places = {one.name: shard.name for shard in shards for one in shard.tensors}
    total = sum(one.size for shard in shards for one in shard.tensors)
    table = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
    return json.dumps(table, indent=2).encode() + b"\n"


class ShardWriter:
    """Writes one file."""

    def __init__(self, shard: Shard, create: Create) -> None:
        """Writes the header.

        Raises:
            OSError: the disk refuses.
        """
        self._file = os.fdopen(create(shard.name), "wb", buffering=0)
        head = shard.head()
        self._at: dict[str, int] = {}
        end = len(head)
        for one in shard.tensors:
            self._at[one.name] = end
            end += one.size
        self._write(head, 0)

    def append(self, name: str, data: bytes) -> None:
        """The next bytes of a tensor.

        Raises:
            OSError: the disk refuses.
        """
        self._write(data, self._at[name])
        self._at[name] += len(data)

    def _write(self, data: bytes, at: int) -> None:
        view = memoryview(data)
        while view:
            count = os.pwrite(self._file.fileno(), view, at)
            view, at = view[count:], at + count

    def __enter__(self) -> Self:
        """Writes in the block."""
        return self

    def __exit__(self, *failure: object) -> None:
        """Has the disk take all of it, unless the block failed."""
        try:
            if failure[0] is None:
                os.fsync(self._file.fileno())
        finally:
            with suppress(OSError):
                self._file.close()
