"""Removing a model from the disk."""

from __future__ import annotations

import secrets
import stat
from contextlib import ExitStack, suppress

from convergio_mlx.errors import ModelNotInstalledError, StorageError
from convergio_mlx.store.folders import Folder, store_folder
from convergio_mlx.store.inventory import freed_by_deleting
from convergio_mlx.store.layout import IMPORTS, PARTIALS, TRASH, cannot, checked_id
from convergio_mlx.store.locks import changing, forget_use, unused
from convergio_mlx.store.operation import operation


@operation("delete the model")
def delete(model: str) -> int:
    """Removes an installed model and what is left of an unfinished download of it. The model is
    gone at once, however the process ends; its disk comes free a moment later.

    Returns:
        Bytes of disk that came free: files that the Hugging Face cache has too stay there.

    Raises:
        ModelNotInstalledError: there is nothing of that id.
        ModelInUseError: an engine has it loaded, or another process changes it.
        StorageError: a link is in its place or in that of one of the store's folders, or the disk
            refuses.
    """
    name = checked_id(model)
    with changing(name), ExitStack() as stack:
        top = stack.enter_context(store_folder())
        parents = [top, *_there(top, stack)]
        parents = [parent for parent in parents if parent.stat(name) is not None]
        if not parents:
            raise ModelNotInstalledError(
                f"[store] {name!r} is not installed; `convergio-mlx models list` shows what is."
            )
        for parent in parents:
            _check_ours(parent, name)
        if parents[0] is top:
            stack.enter_context(unused(stack.enter_context(top.folder(name))))
        freed = sum(freed_by_deleting(parent.path / name) for parent in parents)
        trash = stack.enter_context(top.folder(TRASH, make=True))
        moved = [f"{name}.{secrets.token_hex(8)}" for _ in parents]
        for parent, one in zip(parents, moved, strict=True):
            try:
                parent.rename(name, trash, one)
            except OSError as error:
                raise cannot("delete", parent.path / name, error) from error
        forget_use(name)
        for one in trash.names():
            with suppress(OSError):
                trash.remove(one)
        if any(trash.stat(one) is not None for one in moved):
            raise StorageError(
                f"[store] {name!r} is deleted, but its files in {str(trash.path)!r} cannot be "
                "removed; check the permissions and remove them by hand."
            )
    return freed


def _there(top: Folder, stack: ExitStack) -> list[Folder]:
    """The store's folders in which something of a model may lie."""
    found = []
    for name in (PARTIALS, IMPORTS):
        with suppress(FileNotFoundError):
            found.append(stack.enter_context(top.folder(name)))
    return found


def _check_ours(parent: Folder, name: str) -> None:
    info = parent.stat(name)
    if info is not None and not stat.S_ISDIR(info.st_mode):
        raise StorageError(
            f"[store] {str(parent.path / name)!r} is not a folder but a link or a file, which the "
            "store did not make; remove it by hand."
        )
