"""Files of weights whose numbers lie where a GPU cannot bind them, written again with spaces after
their header: every later load then maps them, where it would read them. The published bytes are
those without the spaces."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

from convergio_mlx.errors import ModelCorruptError
from convergio_mlx.store.folders import Folder
from convergio_mlx.store.hashing import ALIGNMENT, CHUNK, Digest, sha256_of
from convergio_mlx.store.layout import PART, cannot
from convergio_mlx.store.progress import Reporter
from convergio_mlx.store.receipt import ReceiptFile
from convergio_mlx.store.room import check_room

_LARGEST_HEADER = 100_000_000
_LAID = ".aligned"
"""What is put after the name of a part while it is written."""
_ITEM_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
}


def is_wanted() -> bool:
    """Whether the GPU of this machine binds numbers at multiples of their size alone: Metal."""
    return sys.platform == "darwin"


def missing_padding(file: BinaryIO) -> int:
    """The spaces that a safetensors file lacks after its header, so that numbers which no device
    binds can be bound; 0 where that is not so, or where it is no safetensors file.

    Raises:
        OSError: it cannot be read.
    """
    length = int.from_bytes(file.read(8), "little")
    start = 8 + length
    padding = -start % ALIGNMENT
    if padding == 0 or not 2 <= length <= _LARGEST_HEADER:
        return 0
    try:
        header = json.loads(file.read(length))
        misaligned = any(
            (start + one["data_offsets"][0]) % _ITEM_BYTES.get(one["dtype"], 1)
            for name, one in header.items()
            if name != "__metadata__"
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return 0
    return padding if misaligned else 0


def aligned(
    folder: Folder, files: tuple[ReceiptFile, ...], report: Reporter
) -> tuple[ReceiptFile, ...]:
    """Aligns the parts of verified files where that is wanted; returns what they are then. Killed
    anywhere, each part is whole, and `found_aligned` knows it the next time. Takes the disk that
    the largest file does, and a megabyte of memory.

    Raises:
        ModelCorruptError: the disk gives other bytes than were verified.
        StorageError: the disk is full or cannot be written.
    """
    if not is_wanted():
        return files
    missing = {file.name: _missing(folder, file) for file in files}
    report.begin("aligning", sum(file.size for file in files if missing[file.name]))
    return tuple(
        _aligned(folder, file, missing[file.name], report) if missing[file.name] else file
        for file in files
    )


def found_aligned(
    folder: Folder,
    name: str,
    size: int,
    digest: Digest,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> int:
    """The spaces in a part that an earlier try has aligned; 0 where there is none. `digest` takes
    the published bytes, and `on_bytes` is told how many more it has taken.

    Raises:
        OSError: it cannot be read.
    """
    info = folder.stat(f"{name}{PART}")
    padding = info.st_size - size if info is not None else 0
    if not 0 < padding < ALIGNMENT or not name.endswith(".safetensors"):
        return 0
    sha256_of(folder.open_to_read(f"{name}{PART}"), on_bytes, digest, padding)
    return padding


def _missing(folder: Folder, file: ReceiptFile) -> int:
    if file.padding or not file.name.endswith(".safetensors"):
        return 0
    try:
        with os.fdopen(folder.open_to_read(f"{file.name}{PART}"), "rb") as source:
            return missing_padding(source)
    except OSError as error:
        raise cannot("read", folder.path / file.name, error) from error


def _aligned(folder: Folder, file: ReceiptFile, padding: int, report: Reporter) -> ReceiptFile:
    part = f"{file.name}{PART}"
    laid = f"{part}{_LAID}"
    check_room(repr(file.name), file.size, folder.path, more=" more", when=" to be aligned")
    report.file(file.name)
    try:
        folder.remove(laid)
        digest = _write(folder, part, laid, padding, report)
        if digest.sha256 != file.sha256:
            folder.remove(laid)
            raise ModelCorruptError(
                f"[store] {file.name!r} was verified, and reads otherwise now; check the disk, and "
                "try again."
            )
        folder.rename(laid, folder, part)
    except OSError as error:
        raise cannot("write", folder.path / part, error) from error
    return replace(file, padding=padding)


def _write(folder: Folder, part: str, laid: str, padding: int, report: Reporter) -> Digest:
    """Writes it, and returns the hash of what it read."""
    digest = Digest()
    with (
        os.fdopen(folder.open_to_read(part), "rb") as source,
        os.fdopen(folder.open(laid, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as out,
    ):

        def copy(count: int) -> bool:
            data = source.read(count)
            digest.update(data)
            out.write(data)
            report.advance(len(data))
            return bool(data)

        head = source.read(8)
        digest.update(head)
        report.advance(8)
        left = int.from_bytes(head, "little")
        out.write((left + padding).to_bytes(8, "little"))
        while left > 0 and copy(min(CHUNK, left)):
            left -= min(CHUNK, left)
        out.write(b" " * padding)
        while copy(CHUNK):
            pass
        out.flush()
        os.fsync(out.fileno())
    return digest
