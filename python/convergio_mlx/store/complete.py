"""Whether a file of weights is whole: what its hash cannot tell where nobody knows it."""

from __future__ import annotations

import json
import os

from convergio_mlx.errors import ModelCorruptError

_LARGEST_HEADER = 100_000_000
"""Bytes; the safetensors format allows no more."""


def check_length(name: str, descriptor: int) -> None:
    """Holds a safetensors file's length against its header, which tells of one that was cut off;
    closes it.

    Raises:
        ModelCorruptError: it is shorter or longer than its header says, or has none.
        OSError: it cannot be read.
    """
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        try:
            if not 2 <= length <= min(_LARGEST_HEADER, size - 8):
                raise ValueError
            header = json.loads(file.read(length))
            ends = [one["data_offsets"][1] for key, one in header.items() if key != "__metadata__"]
            end = 8 + length + max(ends, default=0)
            if not isinstance(end, int):
                raise TypeError
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            end = -1
    if end != size:
        what = f"{size} bytes where its header says {end}" if end > 0 else "no safetensors header"
        raise ModelCorruptError(
            f"[store] {name!r} has {what[:200]}: it was cut off or changed; get the file again."
        )
