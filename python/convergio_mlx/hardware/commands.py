"""What the system's own programs print."""

from __future__ import annotations

import subprocess
from pathlib import Path

_PATIENCE = 10.0
"""Seconds; system_profiler takes one or two, a wedged nvidia-smi forever."""


def printed(*command: str) -> str:
    """A program's standard output; nothing where it is missing, fails to end or cannot run. What it
    printed before it failed counts: sysctl fails when one of many names is unknown."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", errors="replace")


def contents(path: Path) -> str:
    """A file's text; nothing where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def whole(text: object) -> int | None:
    """A whole number of at least 0 out of a text, or None."""
    stripped = str(text).strip()
    return int(stripped) if stripped.isascii() and stripped.isdigit() else None
