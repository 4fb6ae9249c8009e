"""GGUF files into folders of config.json, tokenizer files and safetensors files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convergio_mlx.convert.gguf_architecture import IGNORED
from convergio_mlx.convert.gguf_plan import GgufPlan
from convergio_mlx.convert.gguf_source import GgufSource
from convergio_mlx.convert.gguf_writing import OnBytes, write_model
from convergio_mlx.errors import StorageError


@dataclass(frozen=True)
class GgufSummary:
    """What a GGUF file is, and whether it converts."""

    architecture: str
    name: str | None
    """general.name."""
    parameters: int
    file_bytes: int
    """Of all parts."""
    converted_bytes: int
    """Of the folder's weights, at most."""
    kinds: Mapping[str, int]
    """Tensors of each kind, by its name."""
    config: Mapping[str, Any]
    """config.json, as far as the head tells."""
    refusals: tuple[str, ...]
    """Why it does not convert, a clause each, all there are; empty where it does."""


def inspect_gguf(path: Path | str) -> GgufSummary:
    """What a GGUF file is, and all that keeps it from being converted. Reads heads alone.

    Args:
        path: the file; of a model in parts, any of them, the others beside it.

    Raises:
        ModelNotFoundError: there is no such file, or a part is missing.
        ModelCorruptError: it is not whole.
        UnsupportedModelError: it is of a version, byte order or kind of tensors that is not read.
        LoadError: it cannot be read.
    """
    return summary(GgufPlan(GgufSource(Path(path))))


def summary(plan: GgufPlan) -> GgufSummary:
    """As `inspect_gguf`, of files that are open."""
    tensors = plan.source.tensors
    name = plan.source.metadata.get("general.name")
    return GgufSummary(
        plan.architecture_name,
        name if isinstance(name, str) else None,
        sum(tensor.items for tensor in tensors if tensor.name not in IGNORED),
        plan.source.size,
        plan.most_bytes,
        dict(Counter(tensor.kind.name for tensor in tensors)),
        plan.config,
        tuple(plan.refusals),
    )


def convert_gguf(path: Path | str, target: Path, *, on_progress: OnBytes | None = None) -> None:
    """Writes what a GGUF file holds into a folder that the engine loads.

    Args:
        path: the file; of a model in parts, any of them, the others beside it.
        target: the folder, which is made where it is not there; files of the names that are
            written must not be in it.
        on_progress: told how many bytes more of the tensors are converted; what it raises ends the
            work.

    Raises:
        UnsupportedModelError: it does not convert; all reasons are named, and nothing was written.
        StorageError: the disk cannot be written.
        ModelCorruptError: as inspect_gguf, and where a scale is no finite number.
        ModelNotFoundError, LoadError: as inspect_gguf.
    """
    plan = GgufPlan(GgufSource(Path(path)))
    plan.check()

    def create(name: str) -> int:
        return os.open(target / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    try:
        target.mkdir(parents=True, exist_ok=True)
        write_model(plan, create, on_progress or (lambda _: None))
    except OSError as error:
        raise StorageError(
            f"[gguf] cannot write to {str(target)!r} ({error.strerror or error}); check its disk "
            "and permissions, and try again."
        ) from error
