"""A file in a second place without a second copy, where the file system can."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

_FICLONE = 0x40049409
"""Linux's ioctl that makes a file share another's blocks until one of them is written."""


def place(source: Path, target: Path) -> None:
    """Makes `target` the bytes of `source`: a clone (Btrfs, XFS, APFS), else a hard link, else a
    copy.

    Raises:
        OSError: none of these can be done.
    """
    real = source.resolve(strict=True)
    if _clone(real, target):
        return
    with suppress(OSError):
        os.link(real, target)
        return
    shutil.copyfile(real, target)


def _clone(source: Path, target: Path) -> bool:
    try:
        if sys.platform == "darwin":
            library = ctypes.CDLL(None, use_errno=True)
            return bool(library.clonefile(os.fsencode(source), os.fsencode(target), 0) == 0)
        if sys.platform == "linux":
            return _reflink(source, target)
    except (OSError, AttributeError):
        pass
    return False


def _reflink(source: Path, target: Path) -> bool:
    import fcntl

    with source.open("rb") as reading, target.open("xb") as writing:
        try:
            fcntl.ioctl(writing.fileno(), _FICLONE, reading.fileno())
        except OSError:
            target.unlink()
            return False
    return True
