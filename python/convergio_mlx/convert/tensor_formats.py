"""In which formats a folder's tensors are stored."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from convergio_mlx.errors import LoadError
from convergio_mlx.platform.native import native

_FLOATS = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64"}
_PARTS = (".weight", ".scales", ".biases")


@dataclass(frozen=True)
class TensorFormat:
    """Tensors that are stored alike."""

    kind: str
    """In words: 'affine, 4 bits, groups of 64', or 'bfloat16'."""
    count: int
    """A quantized matrix counts once, with its scales and biases."""
    bytes: int


def tensor_formats(folder: Path) -> list[TensorFormat]:
    """The formats of a folder's tensors, the most bytes first; reads headers alone. Of a model that
    the engine does not run, or whose tensors do not fit its config.json, the packed numbers of
    quantized matrices are called so, since nobody knows their bits.

    Raises:
        ModelNotFoundError, ModelCorruptError, LoadError, UnsupportedModelError: it has no
            safetensors files, or damaged ones.
    """
    path = os.fsencode(folder)
    tensors = native().checkpoint_tensors(path)
    quantized: dict[str, str] = {}
    with suppress(LoadError):
        for module, _, _, mode, bits, group_size in native().conversion(path).matrices:
            if mode is not None:
                quantized[module] = f"{mode}, {bits} bits, groups of {group_size}"
    packed = {name.removesuffix(".scales") for name, *_ in tensors if name.endswith(".scales")}
    counts: dict[str, list[int]] = {}
    for name, dtype, _, size in tensors:
        module = name.removesuffix(_part(name))
        is_part = module != name and module in packed
        kind = quantized.get(module, "packed") if is_part else _FLOATS.get(dtype, dtype.lower())
        found = counts.setdefault(kind, [0, 0])
        found[0] += not is_part or name.endswith(".weight")
        found[1] += size
    formats = [TensorFormat(kind, count, size) for kind, (count, size) in counts.items()]
    return sorted(formats, key=lambda one: (-one.bytes, one.kind))


def _part(name: str) -> str:
    return next((part for part in _PARTS if name.endswith(part)), "\0")
