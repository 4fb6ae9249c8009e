"""Whether an installed model is still what was published."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from convergio_mlx.platform.files import open_regular
from convergio_mlx.registry import load_registry
from convergio_mlx.store.hashing import sha256_of
from convergio_mlx.store.inventory import InstalledModel, require_receipt
from convergio_mlx.store.locks import using
from convergio_mlx.store.names import may_be_read
from convergio_mlx.store.operation import operation
from convergio_mlx.store.progress import HostError, OnProgress, Reporter
from convergio_mlx.store.receipt import NAME, Receipt, ReceiptFile

State = Literal["ok", "missing", "size", "changed", "link", "unreadable", "unexpected"]
_THREADS = 4
"""More hash no faster than disks read."""


@dataclass(frozen=True)
class FileCheck:
    """One file and what was found."""

    name: str
    state: State
    """size, changed: not the published bytes; unexpected: not published, but the engine would read
    it."""


@dataclass(frozen=True)
class Verification:
    """What was found in a model's folder."""

    model: str
    files: tuple[FileCheck, ...]

    @property
    def faults(self) -> tuple[FileCheck, ...]:
        """The files that are not as published."""
        return tuple(file for file in self.files if file.state != "ok")

    @property
    def is_sound(self) -> bool:
        """Whether every file is as published."""
        return not self.faults


@operation("verify the model")
def verify(model: str, *, on_progress: OnProgress | None = None) -> Verification:
    """Hashes every file of an installed model, several at a time; uses no network.

    Args:
        model: its id.
        on_progress: told how many bytes are hashed; what it raises ends the work.

    Raises:
        ModelNotInstalledError: it is not installed.
        StorageError: the folder was put there by hand, so nobody knows what it should hold.
    """
    with using(require_receipt(model).folder):
        found = require_receipt(model)  # what is there now that it stays
        return check(found, Reporter(found.model, on_progress))


def check(found: InstalledModel, report: Reporter) -> Verification:
    """As `verify`, of a model that has a receipt."""
    if found.receipt is None:
        return Verification(found.model, (FileCheck(NAME, "changed"),))
    files = expected(found.receipt)
    report.begin("verifying", sum(file.size for file in files))
    stop = threading.Event()

    def count(size: int) -> None:
        if stop.is_set():
            raise HostError(InterruptedError())  # another thread's has ended the work
        report.advance(size)

    def look(file: ReceiptFile) -> FileCheck:
        return FileCheck(file.name, _state(found.folder / file.name, file, count))

    threads = ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1))
    try:
        checks = list(threads.map(look, files))
    finally:
        stop.set()
        threads.shutdown(cancel_futures=True)
    known = {file.name for file in files}
    others = sorted(name for name in os.listdir(found.folder) if name not in known)
    strangers = [FileCheck(name, "unexpected") for name in others if may_be_read(name)]
    return Verification(found.model, (*checks, FileCheck(NAME, "ok"), *strangers))


def expected(receipt: Receipt) -> list[ReceiptFile]:
    """The receipt's files, with the registry's hashes where it pins the same commit."""
    entry = load_registry().get(receipt.model)
    pins: Mapping[str, str] = {}
    if entry and entry.sha256 and entry.revision == receipt.revision:
        pins = entry.sha256
    return [replace(file, sha256=pins.get(file.name, file.sha256)) for file in receipt.files]


def _state(path: Path, file: ReceiptFile, count: Callable[[int], None]) -> State:
    try:
        info = path.lstat()
        if stat.S_ISLNK(info.st_mode):
            return "link"
        if not stat.S_ISREG(info.st_mode):
            return "missing"
        if info.st_size != file.size_on_disk:
            return "size"
        descriptor = open_regular(path, os.O_NOFOLLOW)
        found = sha256_of(descriptor, count, padding=file.padding)
        return "ok" if found == file.sha256 else "changed"
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "unreadable"
