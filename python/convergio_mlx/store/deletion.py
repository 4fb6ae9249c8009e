"""Removing a model from the disk."""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack

from convergio_mlx.errors import ModelNotInstalledError, StorageError
from convergio_mlx.store.inventory import freed_by_deleting
from convergio_mlx.store.layout import (
    cannot,
    checked_id,
    emptied,
    import_folder,
    made,
    model_folder,
    partial_folder,
    trash_folder,
    used_file,
)
from convergio_mlx.store.locks import changing, unused


def delete(model: str) -> int:
    """Removes an installed model and what is left of an unfinished download of it. The model is
    gone at once, however the process ends; its disk comes free a moment later.

    Returns:
        Bytes of disk that came free: files that the Hugging Face cache has too stay there.

    Raises:
        ModelNotInstalledError: there is nothing of that id.
        ModelInUseError: an engine has it loaded, or another process changes it.
        StorageError: it is a link, or the disk refuses.
    """
    name = checked_id(model)
    folders = [model_folder(name), partial_folder(name), import_folder(name)]
    with changing(name), ExitStack() as uses:
        there = [folder for folder in folders if os.path.lexists(folder)]
        if not there:
            raise ModelNotInstalledError(
                f"[store] {name!r} is not installed; `convergio-mlx models list` shows what is."
            )
        if there[0].is_symlink() or not there[0].is_dir():
            raise StorageError(
                f"[store] {str(there[0])!r} is not a folder but a link or a file, which the store "
                "did not make; remove it by hand."
            )
        if there[0] == folders[0]:
            uses.enter_context(unused(there[0]))
        freed = sum(freed_by_deleting(folder) for folder in there)
        trash = made(trash_folder())
        moved = [f"{name}.{secrets.token_hex(8)}" for _ in there]
        for folder, one in zip(there, moved, strict=True):
            try:
                os.rename(folder, trash / one)
            except OSError as error:
                raise cannot("delete", folder, error) from error
        for one in os.listdir(trash):
            emptied(trash / one)
        if any(os.path.lexists(trash / one) for one in moved):
            raise StorageError(
                f"[store] {name!r} is deleted, but its files in {str(trash)!r} cannot be removed; "
                "check the permissions and remove them by hand."
            )
        used_file(name).unlink(missing_ok=True)
    return freed
