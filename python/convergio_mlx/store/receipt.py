"""The receipt in a model's folder: where it came from, and what each of its files must be."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from convergio_mlx.platform.files import read_file
from convergio_mlx.registry import Package, RegistryEntry, checks
from convergio_mlx.store.hashing import ALIGNMENT

NAME = "receipt.json"
_SCHEMA = 1
_LONGEST_ORIGIN = 400
LARGEST = 4 << 20
"""Bytes of a file that can be a receipt."""


@dataclass(frozen=True)
class ReceiptFile:
    """A file of the model."""

    name: str
    size: int
    sha256: str
    """Size and hash are those of the published bytes."""
    padding: int = 0
    """Spaces that the store put after the header of a safetensors file, for a GPU to bind its
    numbers where they lie; they are part of neither."""

    @property
    def size_on_disk(self) -> int:
        """Bytes, with the spaces."""
        return self.size + self.padding


@dataclass(frozen=True)
class Receipt:
    """What was installed."""

    model: str
    source: Literal["hub", "folder", "package"]
    repository: str | None
    """On the hub; None where the model came from elsewhere."""
    revision: str | None
    """The commit, in full."""
    installed_at: str
    """UTC, as 2025-01-20T12:00:00Z."""
    files: tuple[ReceiptFile, ...]
    made_from: str | None = None
    """What the files were made from, and how, where they are not the source's own."""
    package: Package | None = None
    """What the model was converted from, where it came from a package index."""

    @property
    def origin(self) -> str | None:
        """Where it came from, as people read it; None for a folder."""
        return str(self.package) if self.package else self.made_from or self.repository

    def is_of(self, entry: RegistryEntry) -> bool:
        """Whether it came from the source of an entry, whatever the revision."""
        if self.package is not None:
            return entry.package == self.package
        if self.repository is None or entry.repository is None:
            return False
        return self.repository.lower() == entry.repository.lower()

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(file.size for file in self.files)

    def text(self) -> bytes:
        """The bytes of its file."""
        fields = {"schema": _SCHEMA, **asdict(self)}
        for file in fields["files"]:
            if file["padding"] == 0:
                del file["padding"]
        for name in ("made_from", "package"):
            if fields[name] is None:
                del fields[name]
        text = json.dumps(fields, indent=2)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return json.dumps({**fields, "sha256": digest}, indent=2).encode() + b"\n"

    @classmethod
    def read(cls, folder: Path) -> Receipt:
        """The receipt of a model's folder.

        Raises:
            FileNotFoundError: there is none.
            OSError: it cannot be read.
            ValueError: it is not, to the byte, what was written.
        """
        return cls.of(read_file(folder / NAME, LARGEST, flags=os.O_NOFOLLOW))

    @classmethod
    def of(cls, text: bytes) -> Receipt:
        """The receipt in a file's bytes; its names are safe to make paths of.

        Raises:
            ValueError: it is not, to the byte, what was written.
        """
        try:
            receipt = cls._of(json.loads(text))
        except (TypeError, KeyError, RecursionError, AttributeError) as error:
            raise ValueError("it is not a receipt") from error
        if receipt.text() != text:
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
            made_from=given.get("made_from"),
            package=Package(**given["package"]) if "package" in given else None,
        )
        sound = (
            checks.is_id(receipt.model)
            and receipt.source in ("hub", "folder", "package")
            and checks.is_repository(receipt.repository) is (receipt.source == "hub")
            and checks.is_revision(receipt.revision) is (receipt.source == "hub")
            and (receipt.source == "hub" or receipt.repository is receipt.revision is None)
            and checks.is_package(given.get("package")) is (receipt.source == "package")
            and checks.is_text(receipt.installed_at)
            and ("made_from" not in given or _is_origin(receipt.made_from))
            and all(checks.is_file_name(f.name) and checks.is_sha256(f.sha256) for f in files)
            and all(type(f.size) is int and f.size >= 0 for f in files)
            and all(type(f.padding) is int and 0 <= f.padding < ALIGNMENT for f in files)
        )
        if not sound:
            raise ValueError("it holds what no receipt holds")
        return receipt


def _is_origin(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_ORIGIN and value.isprintable()


def now() -> str:
    """The time, as receipts have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
