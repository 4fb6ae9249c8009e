"""Repairing an installed model: only what is wrong is fetched again, where it was not made here."""

from __future__ import annotations

import re
import stat
from dataclasses import replace

from convergio_mlx.errors import ModelNotFoundError, StorageError
from convergio_mlx.platform.offline import require_network
from convergio_mlx.registry import Package, load_registry
from convergio_mlx.store.aligning import aligned
from convergio_mlx.store.downloading import PINNED_BY, arrived
from convergio_mlx.store.folders import Folder, store_folder
from convergio_mlx.store.hashing import ALIGNMENT, sha256_of
from convergio_mlx.store.hub import Commit, RemoteFile
from convergio_mlx.store.inventory import InstalledModel, require_receipt
from convergio_mlx.store.layout import PART, PARTIALS, cannot
from convergio_mlx.store.locks import changing
from convergio_mlx.store.names import may_be_read
from convergio_mlx.store.operation import operation
from convergio_mlx.store.packaged import converted
from convergio_mlx.store.planning import Plan, listed, plan_of
from convergio_mlx.store.progress import OnProgress, Reporter
from convergio_mlx.store.receipt import LARGEST, NAME, Receipt, ReceiptFile, now
from convergio_mlx.store.trusted import held, known_entry, trust_in
from convergio_mlx.store.verification import FileCheck, check, expected

_ASIDE = ".unexpected"
"""What is put after the name of a file that is not of the model."""


@operation("repair the model")
def repair(model: str, *, on_progress: OnProgress | None = None) -> tuple[FileCheck, ...]:
    """Makes an installed model what was published, and returns the files that it repaired with what
    was wrong with them. A model that is loaded stays as it is in memory: files are replaced, never
    written into. Files that do not belong are renamed, not removed. Without faults no network is
    used.

    Raises:
        ModelNotInstalledError: it is not installed.
        ConvergioError: as `download`, for what has to be fetched again.
        StorageError: the model came out of a folder, so there is nowhere to fetch it from.
    """
    name = require_receipt(model).model
    report = Reporter(name, on_progress)
    with changing(name, report):
        found = require_receipt(model)
        with store_folder(name) as folder:
            if found.receipt is None:
                return (FileCheck(NAME, "changed"), *_restore(found, folder, report))
            faults = check(found, report).faults
            broken = {fault.name for fault in faults if fault.state != "unexpected"}
            if broken and found.receipt.package:
                _convert_again(found, found.receipt.package, folder, report)
            elif broken:
                _fetch(found.receipt, broken, folder, report)
            for fault in faults:
                if fault.state == "unexpected":
                    _set_aside(folder, fault.name)
            return faults


def _fetch(receipt: Receipt, names: set[str], folder: Folder, report: Reporter) -> None:
    """Replaces files by what the receipt says; it knows all that a listing would tell."""
    if receipt.repository is None or receipt.revision is None:
        raise StorageError(
            f"[store] {min(names)!r} of {receipt.model!r} is damaged, and the model was imported "
            "from a folder; delete it and import it again."
        )
    files = expected(receipt)
    remote = [RemoteFile(f.name, f.size, f.sha256, None) for f in files if f.name in names]
    commit = Commit(receipt.repository, receipt.revision)
    fetched = _replace(receipt.model, Plan(commit, tuple(remote)), folder, report)
    now_there = {file.name: file for file in fetched}
    files = [now_there.get(file.name, file) for file in files]
    if tuple(files) != receipt.files:  # aligned anew, or the registry pins other hashes
        _write(folder, replace(receipt, files=tuple(files)))


def _restore(found: InstalledModel, folder: Folder, report: Reporter) -> list[FileCheck]:
    """Repairs a model whose receipt is damaged: the hub says again what the files must be."""
    entry = known_entry(found.model)
    if entry is None:
        raise StorageError(
            f"[store] the receipt of {found.model!r} is damaged, and the registry does not have "
            "the model; delete it and import it again."
        )
    if entry.package is not None:
        return _convert_again(found, entry.package, folder, report)
    require_network(f"repairing {found.model!r}")
    trust = trust_in(entry)
    entry = held(entry, trust)
    revision = entry.revision or _legible_revision(folder)
    try:
        listing = listed(replace(entry, revision=revision), report)
    except ModelNotFoundError:
        if revision == entry.revision:
            raise
        listing = listed(entry, report)  # the damage was in the revision itself
    with (
        store_folder(PARTIALS, make=True) as partials,
        partials.folder(found.model, make=True) as parts,
    ):
        plan = plan_of(entry, listing, parts, PINNED_BY[trust.kind], folder)
    sound: list[ReceiptFile] = []
    broken: list[RemoteFile] = []
    report.begin("verifying", plan.size_bytes)
    for file in plan.files:
        digest = file.digest()
        try:
            padding = _padding(folder, file)
            sha256 = sha256_of(folder.open_to_read(file.name), report.advance, digest, padding)
        except OSError:
            sha256 = ""
        if sha256 and file.is_matched_by(digest):
            sound.append(ReceiptFile(file.name, file.size, sha256, padding))
        else:
            broken.append(file)
    fetched = _replace(found.model, Plan(plan.commit, tuple(broken)), folder, report)
    files = tuple(sorted([*sound, *fetched], key=lambda file: file.name))
    commit = plan.commit
    _write(folder, Receipt(found.model, "hub", commit.repository, commit.revision, now(), files))
    return [FileCheck(file.name, "changed") for file in broken]


def _convert_again(
    found: InstalledModel, package: Package, folder: Folder, report: Reporter
) -> list[FileCheck]:
    """Makes a model of a package anew: its files are made here, so they are nowhere to be fetched
    one by one."""
    entry = load_registry().get(found.model)
    expected = entry.download_bytes if entry and entry.package == package else None
    before = {name for name in folder.names() if may_be_read(name)}
    if found.receipt is not None:
        before &= {file.name for file in found.receipt.files}  # `repair` sees to the others
    with (
        store_folder(PARTIALS, make=True) as partials,
        converted(found.model, package, expected, partials, report) as receipt,
        partials.folder(found.model) as parts,
    ):
        changed = [file for file in receipt.files if not _is(file, folder)]
        for file in receipt.files:
            _put(parts, f"{file.name}{PART}", folder, file.name)
        for name in before - {file.name for file in receipt.files}:
            _set_aside(folder, name)
        folder.sync()
        _write(folder, receipt)
    return [FileCheck(file.name, "changed") for file in changed]


def _padding(folder: Folder, file: RemoteFile) -> int:
    """The spaces that the store put into a file, as its size tells."""
    info = folder.stat(file.name)
    padding = info.st_size - file.size if info is not None else 0
    return padding if 0 < padding < ALIGNMENT and file.name.endswith(".safetensors") else 0


def _is(file: ReceiptFile, folder: Folder) -> bool:
    """Whether a file of the model is this one already."""
    try:
        return sha256_of(folder.open_to_read(file.name)) == file.sha256
    except OSError:
        return False


def _replace(model: str, plan: Plan, folder: Folder, report: Reporter) -> list[ReceiptFile]:
    """Fetches files beside the model and puts each in its place when it is verified."""
    fetched: list[ReceiptFile] = []
    with store_folder(PARTIALS, make=True) as partials:
        if plan.files:
            require_network(f"repairing {model!r}")
            report.begin("downloading", plan.size_bytes)
            with partials.folder(model, make=True) as parts:
                come = tuple(arrived(plan.commit, file, parts, report) for file in plan.files)
                fetched = list(aligned(parts, come, report))
                for file in fetched:
                    _put(parts, f"{file.name}{PART}", folder, file.name)
            folder.sync()
        partials.remove(model)
    return fetched


def _put(parts: Folder, part: str, folder: Folder, name: str) -> None:
    try:
        info = folder.stat(name)
        if info is not None and stat.S_ISDIR(info.st_mode):
            _set_aside(folder, name)
        parts.rename(part, folder, name)
    except OSError as error:
        raise cannot("replace", folder.path / name, error) from error


def _set_aside(folder: Folder, name: str) -> None:
    try:
        folder.rename(name, folder, name + _ASIDE)
    except OSError as error:
        raise cannot("rename", folder.path / name, error) from error


def _write(folder: Folder, receipt: Receipt) -> None:
    try:
        folder.write(NAME, receipt.text())
    except OSError as error:
        raise cannot("write", folder.path / NAME, error) from error


def _legible_revision(folder: Folder) -> str | None:
    """The revision in a damaged receipt, where it can still be read."""
    try:
        text = folder.read(NAME, LARGEST)
    except OSError:
        return None
    found = re.search(rb'"revision": "([0-9a-f]{40})"', text)
    return found[1].decode() if found else None
