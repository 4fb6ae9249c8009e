"""Where this program keeps its files."""

from __future__ import annotations

import os
from pathlib import Path

from convergio_mlx.errors import StorageError


def home() -> Path:
    """The folder of this program's files: `CONVERGIO_HOME`, or `~/.convergio`.

    Raises:
        StorageError: this user has no home folder.
    """
    given = os.environ.get("CONVERGIO_HOME")
    try:
        return Path(given).expanduser() if given else Path.home() / ".convergio"
    except RuntimeError as error:
        raise StorageError(
            f"[home] {given or '~'!r} names no folder, since that user has no home; set "
            "CONVERGIO_HOME to the path of a folder."
        ) from error


def models_folder() -> Path:
    """The folder that has a folder for each downloaded model."""
    return home() / "models" / "mlx"
