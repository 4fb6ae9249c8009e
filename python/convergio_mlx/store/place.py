"""A file in a second place without a second copy, where the file system can."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from convergio_mlx.store.folders import Folder

_FICLONE = 0x40049409
"""Linux's ioctl that makes a file share another's blocks until one of them is written."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
"""Never into a file that is there: it may be a link to somebody's own."""


def place(source: int, path: Path, folder: Folder, name: str) -> None:
    """Makes a new file in `folder` the bytes of another: a clone (Btrfs, XFS, APFS), else a hard
    link, else a copy.

    Args:
        source: the other file, open to read.
        path: where it is, links resolved.
        folder: where the new file is to be.
        name: its name there.

    Raises:
        OSError: none of these can be done.
    """
    if _clone(source, folder, name) or _link(source, path, folder, name):
        return
    os.lseek(source, 0, os.SEEK_SET)
    with (
        os.fdopen(os.dup(source), "rb") as reading,
        os.fdopen(folder.open(name, _NEW), "wb") as writing,
    ):
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())


def _link(source: int, path: Path, folder: Folder, name: str) -> bool:
    try:
        os.link(path, name, dst_dir_fd=folder.descriptor, follow_symlinks=False)
    except OSError:
        return False
    made = folder.stat(name)
    if made is not None and os.path.samestat(made, os.fstat(source)):
        return True
    folder.unlink(name)  # something else took the path meanwhile
    return False


def _clone(source: int, folder: Folder, name: str) -> bool:
    try:
        if sys.platform == "darwin":
            library = ctypes.CDLL(None, use_errno=True)
            target = os.fsencode(name)
            return bool(library.fclonefileat(source, folder.descriptor, target, 0) == 0)
        if sys.platform == "linux":
            return _reflink(source, folder, name)
    except (OSError, AttributeError):
        pass
    return False


def _reflink(source: int, folder: Folder, name: str) -> bool:
    import fcntl

    descriptor = folder.open(name, _NEW)
    try:
        fcntl.ioctl(descriptor, _FICLONE, source)
    except OSError:
        folder.unlink(name)
        return False
    finally:
        with suppress(OSError):
            os.close(descriptor)
    return True
