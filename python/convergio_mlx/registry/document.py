"""A registry's file as its maintainers edit it: read, changed and written in its own form."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Protocol

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.platform.atomic import write_atomically
from convergio_mlx.platform.files import read_file
from convergio_mlx.registry.entry import RegistryEntry
from convergio_mlx.registry.parsing import LARGEST, parse

_SHORT_LIST = re.compile(r'\[\s+("[^"\n]*"(?:,\s+"[^"\n]*")*)\s+\]')


def read(path: Path) -> dict[str, Any]:
    """The file's JSON.

    Raises:
        InvalidRequestError: it cannot be read, or is no registry.
    """
    try:
        data = read_file(path, LARGEST)
        parse(data)
    except (OSError, ValueError) as error:
        why = f"cannot be read ({error.strerror})" if isinstance(error, OSError) else error
        raise InvalidRequestError(
            f"[registry] {str(path)!a} {why}; give a registry's file with --file."
        ) from error
    value: dict[str, Any] = json.loads(data)
    return value


def entries(registry: dict[str, Any], path: Path) -> list[RegistryEntry]:
    """The file's entries, each complete in itself.

    Raises:
        InvalidRequestError: one is broken.
    """
    found = []
    for number, given in enumerate(registry["models"], 1):
        try:
            if not isinstance(given, dict):
                raise ValueError("is not a JSON object")
            found.append(RegistryEntry.parse(given))
        except ValueError as error:
            raise InvalidRequestError(
                f"[registry] entry {number} of {str(path)!a} {error}; correct it first."
            ) from error
    return found


class Pin(Protocol):
    """What an entry is to pin."""

    download_bytes: int

    @property
    def fields(self) -> dict[str, Any]:
        """Fields of the entry, and their values."""


def set_pin(registry: dict[str, Any], model: str, pin: Pin) -> None:
    """Changes what an entry pins, and the size that goes with it."""
    for given in registry["models"]:
        if given["id"] == model:
            given.update({**pin.fields, "download_bytes": pin.download_bytes})


def text(registry: dict[str, Any]) -> str:
    """The file's text: two spaces, lists of words on one line."""
    plain = json.dumps(registry, indent=2, ensure_ascii=False)
    return _SHORT_LIST.sub(lambda found: f"[{' '.join(found[1].split())}]", plain) + "\n"


def write(path: Path, registry: dict[str, Any]) -> None:
    """Replaces the file.

    Raises:
        OSError: it cannot be written.
    """
    write_atomically(path, text(registry).encode())
