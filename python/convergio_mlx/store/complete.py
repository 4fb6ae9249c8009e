"""Whether files make a whole model: what their hashes cannot tell."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection
from pathlib import Path

from convergio_mlx.errors import ModelCorruptError
from convergio_mlx.store.layout import own_file
from convergio_mlx.store.names import INDEX, is_weights

_LARGEST_HEADER = 100_000_000
"""Bytes; the safetensors format allows no more."""


def check_index(names: Collection[str], path_of: Callable[[str], Path], source: str) -> None:
    """Holds the index of the weights, where there is one, against the files there are.

    Raises:
        ModelCorruptError: it is no index, or names a file that is not there.
    """
    if INDEX not in names:
        return
    try:
        with os.fdopen(own_file(path_of(INDEX), os.O_RDONLY), "rb") as file:
            files = set(json.load(file)["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelCorruptError(
            f"[store] {INDEX} of {source} is no index of weights; take another repository or "
            "folder."
        ) from error
    if missing := sorted(str(name) for name in files if name not in names):
        raise ModelCorruptError(
            f"[store] {INDEX} of {source} names {ascii(missing[0])[:100]}, which is not there; "
            "take another repository or folder."
        )


def check_length(name: str, path: Path) -> None:
    """Holds a safetensors file's length against its header, which tells of one that was cut off.

    Raises:
        ModelCorruptError: it is shorter or longer than its header says, or has none.
        OSError: it cannot be read.
    """
    if not is_weights(name):
        return
    with os.fdopen(own_file(path, os.O_RDONLY), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        try:
            if not 2 <= length <= min(_LARGEST_HEADER, size - 8):
                raise ValueError
            header = json.loads(file.read(length))
            ends = [one["data_offsets"][1] for key, one in header.items() if key != "__metadata__"]
            end = 8 + length + max(ends, default=0)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            end = -1
    if end != size:
        what = f"{size} bytes where its header says {end}" if end > 0 else "no safetensors header"
        raise ModelCorruptError(
            f"[store] {name!r} has {what}: it was cut off or changed; get the file again."
        )
