"""From verified files in a folder of the store's own to an installed model, at once."""

from __future__ import annotations

import stat

from convergio_mlx.errors import StorageError
from convergio_mlx.store.folders import Folder
from convergio_mlx.store.layout import PART, cannot
from convergio_mlx.store.receipt import NAME, Receipt


def check_vacant(top: Folder, model: str) -> None:
    """Refuses where something that the store did not make has a model's place.

    Raises:
        StorageError: something has.
        OSError: it cannot be looked at.
    """
    info = top.stat(model)
    if info is None:
        return
    if stat.S_ISDIR(info.st_mode):
        with top.folder(model) as folder:
            if not folder.names():
                return
    raise StorageError(
        f"[store] {str(top.path / model)!r} is there already and was not made by the store; move "
        "it away, and `convergio-mlx models import` takes it in."
    )


def adopt(top: Folder, waiting: Folder, receipt: Receipt) -> None:
    """Gives the files in the model's folder in `waiting` their names, adds the receipt, and makes
    the folder one of `top`. Killed anywhere, it leaves either an installed model or an unfinished
    one.

    Raises:
        StorageError: the disk cannot be written, or something has taken the model's place.
    """
    try:
        check_vacant(top, receipt.model)
        with waiting.folder(receipt.model) as folder:
            for file in receipt.files:
                folder.rename(f"{file.name}{PART}", folder, file.name)
            folder.write(NAME, receipt.text())
        waiting.rename(receipt.model, top, receipt.model)
        top.sync()
    except OSError as error:
        raise cannot("install", top.path / receipt.model, error) from error


def unnamed(folder: Folder, names: set[str]) -> None:
    """Takes the names back from an adoption that was cut short.

    Raises:
        OSError: the disk cannot be written.
    """
    for name in folder.names():
        if name == NAME:
            folder.unlink(name)
        elif name in names:
            info = folder.stat(name)
            if info is not None and stat.S_ISREG(info.st_mode):
                folder.rename(name, folder, f"{name}{PART}")
