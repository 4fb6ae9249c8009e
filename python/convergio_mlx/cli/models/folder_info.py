"""What a model's folder holds: its geometry, and the formats of its tensors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convergio_mlx.registry.hub_name import PREFIX

if TYPE_CHECKING:
    from convergio_mlx.convert.tensor_formats import TensorFormat


def given_folder(model: str, *, is_known: bool) -> Path | None:
    """The folder that a person means; None where it is an id.

    Args:
        model: what was given.
        is_known: whether the registry or the store has a model of that id.

    Raises:
        ModelNotFoundError: it is a path, and no model is there.
    """
    from convergio_mlx.store.locate import locate

    plain = model.removeprefix("mlx/")
    is_path = (os.sep in plain or plain in {".", "..", "~"}) and not plain.startswith(PREFIX)
    return locate(Path(model)) if is_path or (not is_known and Path(model).is_dir()) else None


def formats(folder: Path) -> list[TensorFormat]:
    """The formats of its tensors; none where nobody can tell."""
    from convergio_mlx.convert.tensor_formats import tensor_formats
    from convergio_mlx.errors import LoadError

    try:
        return tensor_formats(folder)
    except LoadError:
        return []


def format_lines(folder: Path) -> list[tuple[str, str]]:
    """The table of formats, beside one heading: kind, count, bytes."""
    from convergio_mlx.sizing.fit import size

    found = formats(folder)
    kinds = max((len(one.kind) for one in found), default=0)
    counts = max((len(str(one.count)) for one in found), default=0)
    rows = [f"{one.count:{counts}} {one.kind:{kinds}}  {size(one.bytes):>7}" for one in found]
    return [("tensors" if row is rows[0] else "", row) for row in rows]


def formats_json(folder: Path) -> list[dict[str, Any]]:
    """The same for programs."""
    from dataclasses import asdict

    return [asdict(one) for one in formats(folder)]


def folder_lines(folder: Path) -> list[tuple[str, str]]:
    """All that is told of a folder."""
    from convergio_mlx.cli.models.shown import context_of
    from convergio_mlx.sizing.fit import size
    from convergio_mlx.store.inventory import files_in

    lines = [("folder", f"{size(sum(info.st_size for info in files_in(folder)))} in {folder}")]
    if context := context_of(folder):
        lines.append(("context", f"{context} tokens"))
    return [*lines, *format_lines(folder)]


def folder_json(folder: Path) -> dict[str, Any]:
    """The same for programs."""
    from convergio_mlx.cli.models.shown import context_of
    from convergio_mlx.store.inventory import files_in

    return {
        "folder": str(folder),
        "size_bytes": sum(info.st_size for info in files_in(folder)),
        "context_window": context_of(folder),
        "formats": formats_json(folder),
    }
