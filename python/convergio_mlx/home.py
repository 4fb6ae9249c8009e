"""Where this program keeps its files."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder of this program's files: `CONVERGIO_HOME`, or `~/.convergio`."""
    given = os.environ.get("CONVERGIO_HOME")
    return Path(given).expanduser() if given else Path.home() / ".convergio"


def models_folder() -> Path:
    """The folder that has a folder for each downloaded model."""
    return home() / "models" / "mlx"
