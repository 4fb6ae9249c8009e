"""Whether a disk has room for what is to be written."""

from __future__ import annotations

import shutil
from pathlib import Path

from convergio_mlx.errors import StorageError

HOME = "set CONVERGIO_HOME to a folder on another disk"


def check_room(
    what: str, needed: int, folder: Path, *, more: str = "", when: str = "", otherwise: str = HOME
) -> None:
    """Refuses what the disk of a folder cannot hold.

    Args:
        what: the subject of the sentence.
        needed: bytes.
        folder: where they are to be written.
        more: said after the number, with its space.
        when: said after the folder, with its space.
        otherwise: what would work but for freeing some.

    Raises:
        StorageError: it does not fit.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"[store] {what} needs {needed / 1e9:.2f} GB{more} on the disk of {str(folder)!r}"
            f"{when}, and {free / 1e9:.2f} GB are free; free some, or {otherwise}."
        )
