"""The command `convergio-mlx`. Its parts are imported when it runs, not with the package."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the program on this process's arguments; ends the process where the exit code is
    not 0."""
    try:
        from convergio_mlx.cli.app import run

        run()
    except KeyboardInterrupt:  # before anything was begun
        sys.exit(130)
