"""Files that are made, not copied: written as parts of a model's folder, then hashed."""

from __future__ import annotations

import os
from collections.abc import Callable

from convergio_mlx.convert.shards import Create
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.registry import checks
from convergio_mlx.store.folders import Folder
from convergio_mlx.store.hashing import sha256_of
from convergio_mlx.store.layout import PART, cannot
from convergio_mlx.store.progress import Reporter
from convergio_mlx.store.receipt import ReceiptFile

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def made_files(
    parts: Folder, write: Callable[[Create], None], report: Reporter
) -> tuple[ReceiptFile, ...]:
    """Has a model's files written as parts, and says what they are.

    Args:
        parts: the folder.
        write: writes all files; it is given what makes one of a name.
        report: told of each file, and of the bytes that are hashed.

    Raises:
        InvalidRequestError: a name is not safe to make a path of.
        StorageError: the disk cannot be written.
    """
    names: list[str] = []

    def create(file: str) -> int:
        if not checks.is_file_name(file):
            raise InvalidRequestError(
                f"[store] the source has a file {ascii(file)[:100]}, which is not safe on every "
                "disk and terminal; rename it or move it away."
            )
        names.append(file)
        report.file(file)
        return parts.open(f"{file}{PART}", _NEW)

    try:
        write(create)
        sizes = {file: os.stat(f"{file}{PART}", dir_fd=parts.descriptor).st_size for file in names}
        report.begin("verifying", sum(sizes.values()))
        files = []
        for file in sorted(names):
            report.file(file)
            digest = sha256_of(parts.open_to_read(f"{file}{PART}"), report.advance)
            files.append(ReceiptFile(file, sizes[file], digest))
    except OSError as error:
        raise cannot("write", parts.path, error) from error
    return tuple(files)
