"""Which models are on this machine, and what they take."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from convergio_mlx.errors import ModelNotInstalledError, StorageError
from convergio_mlx.platform.home import models_folder
from convergio_mlx.registry.checks import is_id
from convergio_mlx.store.layout import (
    IMPORTS,
    PARTIALS,
    TRASH,
    checked_id,
    model_folder,
    partial_folder,
)
from convergio_mlx.store.locks import last_used
from convergio_mlx.store.operation import operation
from convergio_mlx.store.receipt import NAME, Receipt


@dataclass(frozen=True)
class InstalledModel:
    """A model that can be loaded by its id."""

    model: str
    folder: Path
    size_bytes: int
    """Of its files, added up."""
    receipt: Receipt | None
    """None where it is damaged, or the folder was not made by the store."""
    has_receipt: bool
    """False for a folder that was put there by hand."""
    last_used: float | None
    """When it was loaded last, in seconds since 1970; None where it never was."""


@dataclass(frozen=True)
class DiskUsage:
    """Bytes of disk, as the file system counts them; a file with several names counts once for
    each model that has it."""

    models: int
    partial: int
    """Unfinished downloads and imports."""
    trash: int
    """Deleted models that a killed process left; the next deletion removes them."""
    free: int


@operation("look at the model")
def find(model: str) -> InstalledModel | None:
    """An installed model; None where it is not installed. Uses no network and reads no weights.

    Raises:
        ModelNotFoundError: what was given is no id.
    """
    folder = model_folder(model)
    has_receipt = os.path.lexists(folder / NAME) and not folder.is_symlink()
    if not has_receipt and not (folder / "config.json").is_file():
        return None
    receipt = None
    if has_receipt:
        with suppress(OSError, ValueError):
            receipt = Receipt.read(folder)
        if receipt is not None and receipt.model != folder.name:  # somebody renamed the folder
            receipt = None
    return InstalledModel(
        folder.name,
        folder,
        sum(info.st_size for info in files_in(folder)),
        receipt,
        has_receipt,
        last_used(folder.name),
    )


def require(model: str) -> InstalledModel:
    """An installed model.

    Raises:
        ModelNotInstalledError: it is not installed.
        ModelNotFoundError: what was given is no id.
    """
    found = find(model)
    if found is None:
        name = checked_id(model)
        raise ModelNotInstalledError(
            f"[store] {name!r} is not installed; `convergio-mlx models list` shows what is, and "
            f"`convergio-mlx models download {name}` gets it.",
            hint=f"convergio-mlx models download {name}",
        )
    return found


def require_receipt(model: str) -> InstalledModel:
    """An installed model that the store made.

    Raises:
        ModelNotInstalledError, ModelNotFoundError: as `require`.
        StorageError: it was put there by hand, so nobody knows what it should hold.
    """
    found = require(model)
    if not found.has_receipt:
        raise StorageError(
            f"[store] {found.model!r} has no receipt, since it was not downloaded or imported; "
            "move its folder away, and `convergio-mlx models import` takes it in."
        )
    return found


@operation("list the models")
def installed() -> list[InstalledModel]:
    """All installed models, by id."""
    try:
        names = sorted(os.listdir(models_folder()))
    except OSError:
        return []
    found = [find(name) for name in names if is_id(name)]
    return [one for one in found if one is not None]


@operation("look at the model")
def partial_bytes(model: str) -> int:
    """Bytes of an unfinished download; 0 where there is none."""
    return sum(info.st_size for info in files_in(partial_folder(model)))


@operation("look at the disk")
def disk_usage() -> DiskUsage:
    """What the store takes, and what is left."""
    top = models_folder()
    there = next(path for path in (top, *top.parents) if path.is_dir())
    return DiskUsage(
        sum(blocks(one.folder) for one in installed()),
        blocks(top / PARTIALS) + blocks(top / IMPORTS),
        blocks(top / TRASH),
        shutil.disk_usage(there).free,
    )


def blocks(folder: Path) -> int:
    """Bytes of disk that a folder's files take."""
    return sum(info.st_blocks * 512 for info in files_in(folder))


def freed_by_deleting(folder: Path) -> int:
    """Bytes of disk that come free with a folder: files that have another name elsewhere, such as
    in the Hugging Face cache, stay."""
    return sum(info.st_blocks * 512 for info in files_in(folder) if info.st_nlink == 1)


def files_in(folder: Path) -> Iterator[os.stat_result]:
    """Each regular file in a folder and the folders in it; links are not followed."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        with suppress(OSError):
            info = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(info.st_mode):
                yield from files_in(Path(entry.path))
            elif stat.S_ISREG(info.st_mode):
                yield info
