"""Models in a folder of plain files: GGUF files, or safetensors files with their config.json."""

from __future__ import annotations

import os
import re
from pathlib import Path

from convergio_mlx.registry.checks import is_sha256
from convergio_mlx.store.elsewhere.found import Elsewhere, FoundModel, Program, file_size

_PART = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
_PROJECTOR = re.compile(r"(.*[-_.])?mmproj", re.IGNORECASE)
"""What files are named that see pictures for another one."""


def models_in(
    found: Elsewhere,
    folder: Path,
    name: str,
    *,
    repository: str | None = None,
    revision: str | None = None,
) -> bool:
    """Takes in the models of one folder.

    Args:
        found: where to.
        folder: where they lie.
        name: what the folder is called; a GGUF file that is not the only model there is called by
            its own name after it.
        repository: that the folder is a snapshot of.
        revision: the commit.

    Returns:
        Whether there were any.
    """
    names = found.names(folder)
    weights = [one for one in names if one.endswith(".safetensors")]
    files = [one for one in names if _is_model(one)]
    is_model = bool(weights) and "config.json" in names
    for file in files:
        alone = len(files) == 1 and not is_model
        size = _size(folder, file, names)
        if size is None:
            found.problems.append(
                f"{str(folder / file)!r} is no file, or a link that leads nowhere"
            )
            continue
        called = name if alone else f"{name}/{file}"
        found.add(
            FoundModel(
                found.program,
                called,
                "gguf",
                folder / file,
                size,
                sha256=_blob(folder / file) if repository else None,
                repository=repository,
                revision=revision,
            )
        )
    if is_model:
        size = sum(file_size(folder / one) or 0 for one in weights)
        found.add(
            FoundModel(
                found.program,
                name,
                "folder",
                folder,
                size,
                repository=repository,
                revision=revision,
            )
        )
    return bool(files) or is_model


def without_weights(program: Program, folder: Path, name: str) -> FoundModel:
    """A folder of a model that has no weights that can be read."""
    return FoundModel(
        program, name, "other", folder, 0, ("it has neither safetensors files nor a GGUF file",)
    )


def _is_model(name: str) -> bool:
    """Whether a file is a model, or the first part of one."""
    if not name.lower().endswith(".gguf") or _PROJECTOR.match(name):
        return False
    part = _PART.fullmatch(name)
    return part is None or int(part["number"]) == 1


def _blob(path: Path) -> str | None:
    """The SHA-256 that a file of the hub's cache is named by, of a model in one file."""
    name = Path(os.path.realpath(path)).name
    return name if is_sha256(name) and _PART.fullmatch(path.name) is None else None


def _size(folder: Path, file: str, names: list[str]) -> int | None:
    part = _PART.fullmatch(file)
    if part is None:
        return file_size(folder / file)
    ending = f"-of-{part['count']}.gguf"
    parts = [one for one in names if one.startswith(f"{part['stem']}-") and one.endswith(ending)]
    sizes = [file_size(folder / one) for one in parts]
    return None if None in sizes else sum(size or 0 for size in sizes)
