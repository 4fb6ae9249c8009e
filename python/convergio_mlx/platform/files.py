"""Reading small files that anybody may have put there: a pipe, a device or a file without end is
refused, not waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_TAKEN_AT_ONCE = 1 << 20


def read_file(
    path: str | Path, largest: int, *, flags: int = 0, folder: int | None = None
) -> bytes:
    """The bytes of a regular file.

    Args:
        path: the file; a link is followed.
        largest: bytes that it may have.
        flags: further flags to open it with, such as `os.O_NOFOLLOW`.
        folder: the descriptor of an open folder that a relative path starts from.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read, is no regular file, or has more bytes.
    """
    descriptor = open_regular(path, flags, folder=folder)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if os.fstat(descriptor).st_size > largest:
            raise _too_large(path, largest)
        data = bytearray()
        while piece := file.read(min(_TAKEN_AT_ONCE, largest + 1 - len(data))):
            data += piece
    if len(data) > largest:  # it grew meanwhile, or does not tell its size
        raise _too_large(path, largest)
    return bytes(data)


def open_regular(path: str | Path, flags: int = 0, *, folder: int | None = None) -> int:
    """A descriptor of a regular file, to read; without waiting for a writer where it is a pipe.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    descriptor = os.open(
        path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | flags, dir_fd=folder
    )
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _too_large(path: str | Path, largest: int) -> OSError:
    return OSError(errno.EFBIG, f"it has more than {largest} bytes", str(path))
