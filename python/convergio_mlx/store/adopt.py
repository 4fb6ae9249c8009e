"""From verified files in a folder of the store's own to an installed model, at once."""

from __future__ import annotations

import os
from pathlib import Path

from convergio_mlx.atomic import sync_folder
from convergio_mlx.errors import StorageError
from convergio_mlx.store.layout import PART, cannot, model_folder
from convergio_mlx.store.receipt import NAME, Receipt


def check_vacant(model: str) -> None:
    """Refuses where something that the store did not make has a model's place.

    Raises:
        StorageError: something has.
    """
    folder = model_folder(model)
    if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir() or any_in(folder)):
        raise StorageError(
            f"[store] {str(folder)!r} is there already and was not made by the store; move it "
            "away, and `convergio-mlx models import` takes it in."
        )


def any_in(folder: Path) -> bool:
    """Whether there is anything in a folder."""
    with os.scandir(folder) as entries:
        return next(entries, None) is not None


def adopt(folder: Path, receipt: Receipt) -> None:
    """Gives the files in `folder` their names, adds the receipt, and makes the folder the model's.
    Killed anywhere, it leaves either an installed model or an unfinished one.

    Raises:
        StorageError: the disk cannot be written, or something has taken the model's place.
    """
    check_vacant(receipt.model)
    target = model_folder(receipt.model)
    try:
        for file in receipt.files:
            os.rename(folder / f"{file.name}{PART}", folder / file.name)
        receipt.write(folder)
        sync_folder(folder)
        os.rename(folder, target)
        sync_folder(target.parent)
    except OSError as error:
        raise cannot("install", target, error) from error


def unnamed(folder: Path, names: list[str]) -> None:
    """Takes the names back from an adoption that was cut short, and removes what is not of the
    model.

    Raises:
        OSError: the disk cannot be written.
    """
    (folder / NAME).unlink(missing_ok=True)
    for name in names:
        if (folder / name).is_file() and not (folder / name).is_symlink():
            os.replace(folder / name, folder / f"{name}{PART}")
