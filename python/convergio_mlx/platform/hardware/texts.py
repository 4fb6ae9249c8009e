"""Files and numbers of the system's, which may be missing or odd."""

from __future__ import annotations

from pathlib import Path


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
