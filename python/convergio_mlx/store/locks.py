"""Who may change a model, and who is using it: locks of the operating system, which end with the
process that holds them, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from convergio_mlx.errors import ModelInUseError
from convergio_mlx.store.layout import cannot, checked_id, lock_file, made, own_file, used_file
from convergio_mlx.store.progress import Reporter

_POLL = 0.1
"""Seconds between two tries to get a lock."""
_UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS)
"""What file systems without locks say."""


@contextmanager
def changing(model: str, report: Reporter | None = None) -> Iterator[None]:
    """Within the block nobody else changes the model.

    Args:
        model: its id.
        report: where to tell that another process is waited for; None does not wait.

    Raises:
        ModelInUseError: another process changes it, and it is not to be waited for.
        StorageError: the lock's file cannot be made.
    """
    path = lock_file(model)
    made(path.parent)
    try:
        descriptor = own_file(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise cannot("lock", path, error) from error
    try:
        while not _locked(descriptor, fcntl.LOCK_EX):
            who = _holder(descriptor)
            if report is None:
                raise ModelInUseError(
                    f"[store] {checked_id(model)!r} is being changed by {who}; "
                    "try again when that has ended."
                )
            report.pause("waiting", f"{who} is at work on it")
            time.sleep(_POLL)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


class Use:
    """A model's folder that stays as long as this is open."""

    def __init__(self, descriptor: int) -> None:
        """Made by `using`."""
        self._close = weakref.finalize(self, os.close, descriptor)

    def close(self) -> None:
        """Lets go of the folder. Idempotent."""
        self._close()

    def __enter__(self) -> Self:
        """Lets go at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Lets go."""
        self.close()


def using(folder: Path) -> Use:
    """Keeps a model from being deleted. A folder on a file system without locks is used without.

    Raises:
        ModelInUseError: it is being deleted.
        OSError: it cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    if not _locked(descriptor, fcntl.LOCK_SH):
        os.close(descriptor)
        raise ModelInUseError(
            f"[store] {folder.name!r} is being deleted; load another model, or download it again."
        )
    return Use(descriptor)


@contextmanager
def unused(folder: Path) -> Iterator[None]:
    """Within the block nobody can load the model.

    Raises:
        ModelInUseError: somebody has.
        OSError: it cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not _locked(descriptor, fcntl.LOCK_EX):
            raise ModelInUseError(
                f"[store] {folder.name!r} is loaded by a program that is running; "
                "end that program first."
            )
        yield
    finally:
        os.close(descriptor)


def mark_used(model: str) -> None:
    """Remembers that a model was loaded now, where the disk lets it."""
    path = used_file(model)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def last_used(model: str) -> float | None:
    """When a model was loaded last, in seconds since 1970; None where it never was."""
    with suppress(OSError):
        return used_file(model).stat().st_mtime
    return None


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    return True


def _holder(descriptor: int) -> str:
    number = os.pread(descriptor, 20, 0)
    return f"process {int(number)}" if number.isdigit() else "another process"
