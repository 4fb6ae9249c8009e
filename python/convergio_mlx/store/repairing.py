"""Mending an installed model: only what is wrong is fetched again."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from convergio_mlx.atomic import sync_folder
from convergio_mlx.errors import ModelNotFoundError, StorageError
from convergio_mlx.offline import require_network
from convergio_mlx.registry import load_registry
from convergio_mlx.store import hub
from convergio_mlx.store.downloading import plan_of
from convergio_mlx.store.hashing import sha256_of
from convergio_mlx.store.inventory import InstalledModel, require_receipt
from convergio_mlx.store.layout import PART, cannot, emptied, made, partial_folder
from convergio_mlx.store.locks import changing
from convergio_mlx.store.progress import OnProgress, Reporter
from convergio_mlx.store.receipt import NAME, Receipt, ReceiptFile, now
from convergio_mlx.store.transfer import fetch
from convergio_mlx.store.verification import FileCheck, check

_ASIDE = ".unexpected"
"""What is put after the name of a file that is not of the model."""


def repair(model: str, *, on_progress: OnProgress | None = None) -> tuple[FileCheck, ...]:
    """Makes an installed model what was published, and returns the files that it mended with what
    was wrong with them. A model that is loaded stays as it is in memory. Files that do not belong
    are renamed, not removed. Without faults no network is used.

    Raises:
        ModelNotInstalledError: it is not installed.
        ConvergioError: as `download`, for what has to be fetched again.
        StorageError: the model came out of a folder, so there is nowhere to fetch it from.
    """
    found = require_receipt(model)
    report = Reporter(found.model, on_progress)
    with changing(found.model, report):
        found = require_receipt(model)
        if found.receipt is None:
            return (FileCheck(NAME, "changed"), *_restore(found, report))
        faults = check(found, report).faults
        broken = [fault for fault in faults if fault.state != "unexpected"]
        if broken:
            files = {file.name: file for file in found.receipt.files}
            _fetch(found, found.receipt, [files[fault.name] for fault in broken], report)
        for fault in faults:
            if fault.state == "unexpected":
                _set_aside(found.folder / fault.name)
        return faults


def _fetch(
    found: InstalledModel, receipt: Receipt, files: list[ReceiptFile], report: Reporter
) -> None:
    """Replaces files by what the receipt says; it knows all that a listing would tell."""
    if receipt.repository is None or receipt.revision is None:
        raise StorageError(
            f"[store] {files[0].name!r} of {found.model!r} is damaged, and the model was imported "
            "from a folder; delete it and import it again."
        )
    remote = tuple(hub.RemoteFile(f.name, f.size, f.sha256, None) for f in files)
    _replace(found, hub.Plan(receipt.repository, receipt.revision, remote), report)


def _restore(found: InstalledModel, report: Reporter) -> list[FileCheck]:
    """Mends a model whose receipt is damaged: the hub says again what the files must be."""
    entry = load_registry().get(found.model)
    if entry is None:
        raise StorageError(
            f"[store] the receipt of {found.model!r} is damaged, and the registry does not have "
            "the model; delete it and import it again."
        )
    require_network(f"repairing {found.model!r}")
    revision = entry.revision or _legible_revision(found.folder)
    try:
        plan = plan_of(replace(entry, revision=revision), report)
    except ModelNotFoundError:
        if revision == entry.revision:
            raise
        plan = plan_of(entry, report)  # the damage was in the revision itself
    sound: list[ReceiptFile] = []
    broken: list[hub.RemoteFile] = []
    report.begin("verifying", plan.size_bytes)
    for file in plan.files:
        path = found.folder / file.name
        digest = file.digest()
        try:
            sha256 = sha256_of(path, report.advance, digest)
        except OSError:
            sha256 = ""
        if sha256 and file.is_matched_by(digest):
            sound.append(ReceiptFile(file.name, file.size, sha256))
        else:
            broken.append(file)
    mended = _replace(found, hub.Plan(plan.repository, plan.revision, tuple(broken)), report)
    files = tuple(sorted([*sound, *mended], key=lambda file: file.name))
    try:
        Receipt(found.model, "hub", plan.repository, plan.revision, now(), files).write(
            found.folder
        )
    except OSError as error:
        raise cannot("write", found.folder / NAME, error) from error
    return [FileCheck(file.name, "changed") for file in broken]


def _replace(found: InstalledModel, plan: hub.Plan, report: Reporter) -> list[ReceiptFile]:
    """Fetches files beside the model and puts each in its place when it is verified."""
    if not plan.files:
        return []
    require_network(f"repairing {found.model!r}")
    folder = made(partial_folder(found.model))
    report.begin("downloading", plan.size_bytes)
    mended = []
    for file in plan.files:
        part = folder / f"{file.name}{PART}"
        sha256 = fetch(plan, file, part, report)
        target = found.folder / file.name
        try:
            if target.is_dir() and not target.is_symlink():
                _set_aside(target)
            os.replace(part, target)
        except OSError as error:
            raise cannot("replace", target, error) from error
        mended.append(ReceiptFile(file.name, file.size, sha256))
    sync_folder(found.folder)
    emptied(folder)
    return mended


def _set_aside(path: Path) -> None:
    try:
        os.replace(path, path.with_name(path.name + _ASIDE))
    except OSError as error:
        raise cannot("rename", path, error) from error


def _legible_revision(folder: Path) -> str | None:
    """The revision in a damaged receipt, where it can still be read."""
    try:
        text = (folder / NAME).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r'"revision": "([0-9a-f]{40})"', text)
    return found[1] if found else None
