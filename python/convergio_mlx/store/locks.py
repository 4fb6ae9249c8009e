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

from convergio_mlx.errors import ModelInUseError, ModelNotInstalledError, StorageError
from convergio_mlx.platform.home import models_folder
from convergio_mlx.store.folders import Folder, store_folder
from convergio_mlx.store.layout import LOCKS, cannot, checked_id
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
        StorageError: the lock's file cannot be made or locked.
    """
    name = checked_id(model)
    lock = f"{name}.lock"
    try:
        with store_folder(LOCKS, make=True) as folder:
            descriptor = folder.open(lock, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise cannot("lock", models_folder() / LOCKS / lock, error) from error
    try:
        try:
            _await(descriptor, name, report)
        except OSError as error:
            raise cannot("lock", models_folder() / LOCKS / lock, error) from error
        yield
    finally:
        _close(descriptor)


def _await(descriptor: int, model: str, report: Reporter | None) -> None:
    while not _locked(descriptor, fcntl.LOCK_EX):
        who = _holder(descriptor)
        if report is None:
            raise ModelInUseError(
                f"[store] {model!r} is being changed by {who}; try again when that has ended."
            )
        report.pause("waiting", f"{who} is at work on it")
        time.sleep(_POLL)
    with suppress(OSError):  # who it is, is for people alone
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)


class Use:
    """A model's folder that stays as long as this is open."""

    def __init__(self, descriptor: int) -> None:
        """Made by `using`."""
        self._close = weakref.finalize(self, _close, descriptor)

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
        ModelNotInstalledError: it has just been deleted.
        ModelInUseError: it is being deleted.
        StorageError: it cannot be opened or locked.
    """
    while True:
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise ModelNotInstalledError(
                f"[store] {folder.name!r} has just been deleted; load another model, or download "
                "it again."
            ) from error
        except OSError as error:
            raise cannot("open", folder, error) from error
        try:
            if not _locked(descriptor, fcntl.LOCK_SH):
                raise ModelInUseError(
                    f"[store] {folder.name!r} is being deleted; load another model, or download "
                    "it again."
                )
            if _is_still(descriptor, folder):
                return Use(descriptor)
        except OSError as error:
            _close(descriptor)
            raise cannot("lock", folder, error) from error
        except BaseException:
            _close(descriptor)
            raise
        _close(descriptor)


def _is_still(descriptor: int, folder: Path) -> bool:
    """Whether the folder was not moved away between its opening and its locking."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(folder))
    except FileNotFoundError:
        return False


@contextmanager
def unused(folder: Folder) -> Iterator[None]:
    """Within the block nobody can load the model.

    Raises:
        ModelInUseError: somebody has.
        StorageError: it cannot be locked.
    """
    try:
        is_free = _locked(folder.descriptor, fcntl.LOCK_EX)
    except OSError as error:
        raise cannot("lock", folder.path, error) from error
    if not is_free:
        raise ModelInUseError(
            f"[store] {folder.path.name!r} is loaded by a program that is running; end that "
            "program first."
        )
    yield  # closing the folder ends the lock


def mark_used(model: str) -> None:
    """Remembers that a model was loaded now, where the disk lets it."""
    with suppress(OSError, StorageError), store_folder(LOCKS, make=True) as folder:
        descriptor = folder.open(f"{checked_id(model)}.used", os.O_WRONLY | os.O_CREAT)
        try:
            os.utime(descriptor)
        finally:
            _close(descriptor)


def last_used(model: str) -> float | None:
    """When a model was loaded last, in seconds since 1970; None where it never was."""
    with suppress(OSError):
        return (models_folder() / LOCKS / f"{checked_id(model)}.used").lstat().st_mtime
    return None


def forget_use(model: str) -> None:
    """Takes back what `mark_used` remembers, where the disk lets it."""
    with suppress(OSError, StorageError), store_folder(LOCKS) as folder:
        folder.unlink(f"{checked_id(model)}.used")


def _close(descriptor: int) -> None:
    with suppress(OSError):
        os.close(descriptor)


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
