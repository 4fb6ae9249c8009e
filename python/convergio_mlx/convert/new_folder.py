"""A folder that is there whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from convergio_mlx.convert.shards import Create
from convergio_mlx.errors import InvalidRequestError, StorageError

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def check_new(folder: Path) -> None:
    """Refuses a path where something is.

    Raises:
        InvalidRequestError: something is there, or the folder it is to be in is not.
        OSError: it cannot be looked at.
    """
    if os.path.lexists(folder) and (folder.is_symlink() or not _is_empty(folder)):
        raise InvalidRequestError(
            f"[convert] {str(folder)!r} is there already; give a folder that does not exist."
        )
    if not folder.absolute().parent.is_dir():
        raise InvalidRequestError(
            f"[convert] there is no folder {str(folder.absolute().parent)!r} to make "
            f"{folder.name!r} in; make it first."
        )


@contextmanager
def new_folder(folder: Path) -> Iterator[Create]:
    """Makes a folder: what the block makes in it is under a hidden name beside it until the block
    ends, and gone where it fails. What a killed process left is taken away by the next that makes
    the same folder.

    Raises:
        InvalidRequestError: something is there, or the folder it is to be in is not.
        StorageError: another process is making it.
        OSError: the disk refuses.
    """
    check_new(folder)
    folder = folder.absolute()
    waiting = folder.with_name(f".{folder.name}.unfinished")
    with suppress(FileExistsError):
        os.mkdir(waiting)
    descriptor = os.open(waiting, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError(
                f"[convert] another process is making {str(folder)!r}; wait until it has ended."
            ) from error
        for name in os.listdir(descriptor):
            os.unlink(name, dir_fd=descriptor)
        try:
            yield lambda name: os.open(name, _NEW, 0o644, dir_fd=descriptor)
            os.fsync(descriptor)
            os.rename(waiting, folder)
        except BaseException:
            shutil.rmtree(waiting, ignore_errors=True)
            raise
    finally:
        os.close(descriptor)


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
