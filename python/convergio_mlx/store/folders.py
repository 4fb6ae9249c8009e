"""Folders that are held open. What is done in one by a file's name is done in this very folder,
whatever becomes of its path meanwhile, and no link is followed: a link in place of one of the
store's folders would have it write into, or delete, somebody else's files."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import Self

from convergio_mlx.errors import StorageError
from convergio_mlx.platform.files import open_regular, read_file
from convergio_mlx.platform.home import home

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Folder:
    """An open folder. Its methods raise OSError where the file system refuses."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Made by `store_folder` and `folder`."""
        self.path = path
        self.descriptor = descriptor

    def close(self) -> None:
        """Lets go of the folder."""
        with suppress(OSError):
            os.close(self.descriptor)

    def __enter__(self) -> Self:
        """Closes at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes."""
        self.close()

    def folder(self, name: str, *, make: bool = False) -> Folder:
        """A folder in this one.

        Raises:
            FileNotFoundError: there is none, and none was to be made.
            StorageError: a link or a file is in its place.
        """
        if make:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=self.descriptor)
        path = self.path / name
        try:
            return Folder(path, os.open(name, _FOLDER, dir_fd=self.descriptor))
        except OSError:
            info = self.stat(name)
            if info is None or stat.S_ISDIR(info.st_mode):
                raise
        what = "a link" if stat.S_ISLNK(info.st_mode) else "no folder"
        raise StorageError(
            f"[store] {str(path)!r} is {what}, and the store writes through none; remove it "
            "(CONVERGIO_HOME may name a folder on another disk)."
        )

    def stat(self, name: str) -> os.stat_result | None:
        """What an entry is, a link as itself; None where there is none."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def names(self) -> list[str]:
        """Of all entries, in order."""
        return sorted(os.listdir(self.descriptor))

    def open(self, name: str, flags: int) -> int:
        """A descriptor of a file."""
        return os.open(
            name,
            flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK,
            0o644,
            dir_fd=self.descriptor,
        )

    def open_to_read(self, name: str) -> int:
        """A descriptor of a regular file."""
        return open_regular(name, os.O_NOFOLLOW, folder=self.descriptor)

    def read(self, name: str, largest: int) -> bytes:
        """The bytes of a small file; a FileNotFoundError where there is none."""
        return read_file(name, largest, flags=os.O_NOFOLLOW, folder=self.descriptor)

    def write(self, name: str, data: bytes) -> None:
        """Replaces a file by another of these bytes, or leaves it as it is. One process at a time
        does so with the same file, which its model's lock sees to."""
        temporary = f".{name}.new"
        with suppress(FileNotFoundError):  # of one that was cut short
            self.unlink(temporary)
        descriptor = self.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            self.rename(temporary, self, name)
        except BaseException:
            with suppress(OSError):
                self.unlink(temporary)
            raise
        self.sync()

    def rename(self, name: str, target: Folder, new_name: str) -> None:
        """Moves an entry, in place of a file that has the new name."""
        os.rename(name, new_name, src_dir_fd=self.descriptor, dst_dir_fd=target.descriptor)

    def unlink(self, name: str) -> None:
        """Removes a file or a link."""
        os.unlink(name, dir_fd=self.descriptor)

    def remove(self, name: str) -> None:
        """Removes an entry with all that is in it; links are removed, not followed."""
        info = self.stat(name)
        if info is None:
            return
        if stat.S_ISDIR(info.st_mode):
            shutil.rmtree(name, dir_fd=self.descriptor)
        else:
            self.unlink(name)

    def sync(self) -> None:
        """Makes the names in it last, where its file system can be asked to."""
        with suppress(OSError):  # some network file systems refuse; what was renamed is renamed
            os.fsync(self.descriptor)


def store_folder(*names: str, make: bool = False) -> Folder:
    """`models/mlx` in the folder of this program's files, or a folder in it. That the home itself
    is a link is its owner's choice.

    Raises:
        FileNotFoundError: it is not there, and was not to be made.
        StorageError: on the way is a link or a file.
        OSError: it cannot be made or opened.
    """
    top = home()
    if make:
        top.mkdir(parents=True, exist_ok=True)
    found = Folder(top, os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    for name in ("models", "mlx", *names):
        with found:
            found = found.folder(name, make=make)
    return found
