"""The receipt in a model's folder: where it came from, and what each of its files must be."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from convergio_mlx.atomic import write_atomically
from convergio_mlx.registry import checks
from convergio_mlx.store.layout import own_file

NAME = "receipt.json"
_SCHEMA = 1
_LARGEST = 4 << 20
"""Bytes of a file that can be a receipt."""


@dataclass(frozen=True)
class ReceiptFile:
    """A file of the model."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Receipt:
    """What was installed."""

    model: str
    source: Literal["hub", "folder"]
    repository: str | None
    """On the hub; None where the model came out of a folder."""
    revision: str | None
    """The commit, in full."""
    installed_at: str
    """UTC, as 2025-01-20T12:00:00Z."""
    files: tuple[ReceiptFile, ...]

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(file.size for file in self.files)

    def write(self, folder: Path) -> None:
        """Puts the receipt into the model's folder.

        Raises:
            OSError: it cannot be written.
        """
        write_atomically(folder / NAME, self._text())

    def _text(self) -> bytes:
        fields = {"schema": _SCHEMA, **asdict(self)}
        text = json.dumps(fields, indent=2)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return json.dumps({**fields, "sha256": digest}, indent=2).encode() + b"\n"

    @classmethod
    def read(cls, folder: Path) -> Receipt:
        """The receipt of a model's folder; its names are safe to make paths of.

        Raises:
            FileNotFoundError: there is none.
            OSError: it cannot be read.
            ValueError: it is not, to the byte, what was written.
        """
        with os.fdopen(own_file(folder / NAME, os.O_RDONLY), "rb") as file:
            text = file.read(_LARGEST + 1)
        try:
            receipt = cls._of(json.loads(text))
        except (TypeError, KeyError, RecursionError, AttributeError) as error:
            raise ValueError("it is not a receipt") from error
        if receipt._text() != text:
            raise ValueError("it was changed")
        return receipt

    @classmethod
    def _of(cls, given: dict[str, Any]) -> Receipt:
        files = tuple(ReceiptFile(**one) for one in given["files"])
        receipt = cls(
            given["model"],
            given["source"],
            given["repository"],
            given["revision"],
            given["installed_at"],
            files,
        )
        sound = (
            checks.is_id(receipt.model)
            and receipt.source in ("hub", "folder")
            and (checks.is_repository(receipt.repository) or receipt.source == "folder")
            and (checks.is_revision(receipt.revision) or receipt.source == "folder")
            and checks.is_text(receipt.installed_at)
            and all(checks.is_file_name(f.name) and checks.is_sha256(f.sha256) for f in files)
            and all(isinstance(f.size, int) and f.size >= 0 for f in files)
        )
        if not sound:
            raise ValueError("it holds what no receipt holds")
        return receipt


def now() -> str:
    """The time, as receipts have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
