"""From the hub, or from the package index, to an installed model."""

from __future__ import annotations

import stat
from collections.abc import Callable

from convergio_mlx.errors import (
    InvalidRequestError,
    ModelCorruptError,
    ModelNotFoundError,
)
from convergio_mlx.platform.offline import require_network
from convergio_mlx.registry import Package, RegistryEntry, load_registry
from convergio_mlx.store.adopt import adopt, check_vacant, unnamed
from convergio_mlx.store.aligning import aligned, found_aligned
from convergio_mlx.store.folders import Folder, store_folder
from convergio_mlx.store.hub import Commit, RemoteFile
from convergio_mlx.store.inventory import InstalledModel, find, require
from convergio_mlx.store.layout import PART, PARTIALS, cannot
from convergio_mlx.store.locks import changing
from convergio_mlx.store.names import CONFIG, LARGEST_TEXT, is_text
from convergio_mlx.store.operation import operation
from convergio_mlx.store.packaged import converted
from convergio_mlx.store.planning import Plan, config_of, listed, plan_of
from convergio_mlx.store.progress import HostError, OnProgress, Reporter
from convergio_mlx.store.receipt import Receipt, ReceiptFile, now
from convergio_mlx.store.room import check_room
from convergio_mlx.store.transfer import fetch
from convergio_mlx.store.trusted import Trust, forget, held, known_entry, record, trust_in

PINNED_BY = {
    "pinned": "the registry pins",
    "first use": "the first download recorded",
    "none": "nobody pins",
}
"""Who says what a file must be, by the kind of trust, for errors."""


OnConfig = Callable[[bytes, int], None]
"""Given a model's config.json and the bytes of its files of weights, before the weights come."""


@operation("download the model")
def download(
    model: str,
    *,
    newest: bool = False,
    on_config: OnConfig | None = None,
    on_progress: OnProgress | None = None,
) -> InstalledModel:
    """Installs a model of the registry, or a repository of the hub; one that is installed is
    returned as it is, without any network. Continues where an earlier try was interrupted, and
    waits where another process is at work on the same model. Where the registry pins no hashes, the
    first download records what it got, and later ones are held to that commit and those hashes.
    config.json comes first: a model that the engine cannot run is refused before anything else of
    it comes. A model of a package is converted from the GGUF file in it.

    Args:
        model: its id; or `hf:owner/name` or `hf:owner/name@revision` for any repository of the hub,
            which is installed under the id `owner--name` or `owner--name--revision`, unless the
            registry has that repository.
        newest: forget what an earlier download recorded, and take what is newest.
        on_config: given config.json and the bytes of the files of weights before those come, or
            before what a package was converted to is installed; what it raises ends the work.
        on_progress: told how far it is, about ten times a second.

    Raises:
        ModelNotFoundError: the registry does not have it, or its source does not.
        OfflineError, NetworkError, RateLimitError: the source must not, or cannot be reached.
        AuthError: the source wants a token, credentials or an accepted licence.
        StorageError: there is not enough room, or the disk cannot be written.
        ModelCorruptError: what the hub sends is not what it, the registry or the first download
            says; or its config.json cannot be.
        UnsupportedModelError: the engine does not run such models.
        InvalidRequestError: `newest` of a package, whose version the registry gives.
    """
    entry = known_entry(model) or load_registry().require(model)
    if newest and entry.package is not None:
        raise InvalidRequestError(
            f"[store] {entry.id!r} comes from a package, of which the registry gives the version "
            f"({entry.package}), so there is nothing newer; download it without --newest."
        )
    present = _present(entry.id)
    if present is not None:
        return present
    require_network(f"downloading {entry.reference!r}")
    report = Reporter(entry.id, on_progress)
    with changing(entry.id, report), store_folder() as top:
        present = _present(entry.id)
        if present is None:
            check_vacant(top, entry.id)
            if newest:
                forget(entry.id)
            if entry.package is None:
                _install(entry, top, on_config, report)
            else:
                _install_package(entry, entry.package, top, on_config, report)
            present = require(entry.id)
    return present


def _present(model: str) -> InstalledModel | None:
    found = find(model)
    if found is None or not found.has_receipt:
        return None
    if found.receipt is None:
        raise ModelCorruptError(
            f"[store] {model!r} is installed, but its receipt is damaged; run `convergio-mlx "
            f"models repair {model}`.",
            hint=f"convergio-mlx models repair {model}",
        )
    return found


def _install(
    entry: RegistryEntry, top: Folder, on_config: OnConfig | None, report: Reporter
) -> None:
    trust = trust_in(entry)
    with (
        top.folder(PARTIALS, make=True) as waiting,
        waiting.folder(entry.id, make=True) as folder,
    ):
        plan = _planned(entry, trust, folder, report)
        _check_room(folder, plan)
        _refuse(config_of(plan, folder), plan.weight_bytes, on_config)
        report.begin("downloading", plan.size_bytes)
        fetched = tuple(arrived(plan.commit, file, folder, report) for file in plan.files)
        files = aligned(folder, fetched, report)
        receipt = Receipt(
            entry.id, "hub", plan.commit.repository, plan.commit.revision, now(), files
        )
        if trust.kind == "none":
            record(receipt)
        adopt(top, waiting, receipt)


def arrived(commit: Commit, file: RemoteFile, folder: Folder, report: Reporter) -> ReceiptFile:
    """Has a file of the hub as a verified part in `folder`.

    Raises:
        ConvergioError: as `fetch`.
    """
    digest = file.digest()
    report.file(file.name)
    before = report.done
    try:
        padding = found_aligned(
            folder, file.name, file.size, digest, lambda count: report.advance(count, is_new=False)
        )
    except OSError:
        padding = 0
    if padding and file.is_matched_by(digest):
        return ReceiptFile(file.name, file.size, digest.sha256, padding)
    if report.done != before:  # it was something else
        report.advance(before - report.done, is_new=False)
    sha256 = fetch(commit, file, folder, f"{file.name}{PART}", report)
    return ReceiptFile(file.name, file.size, sha256)


def _install_package(
    entry: RegistryEntry,
    package: Package,
    top: Folder,
    on_config: OnConfig | None,
    report: Reporter,
) -> None:
    with (
        top.folder(PARTIALS, make=True) as waiting,
        converted(entry.id, package, entry.download_bytes, waiting, report) as receipt,
    ):
        with waiting.folder(entry.id) as folder:
            config = folder.read(f"{CONFIG}{PART}", LARGEST_TEXT)
        weights = sum(file.size for file in receipt.files if not is_text(file.name))
        _refuse(config, weights, on_config)
        adopt(top, waiting, receipt)


def _refuse(config: bytes, weights: int, on_config: OnConfig | None) -> None:
    """Lets the host refuse a model by its config.json."""
    if on_config is not None:
        try:
            on_config(config, weights)
        except Exception as error:
            raise HostError(error) from error


def _planned(entry: RegistryEntry, trust: Trust, folder: Folder, report: Reporter) -> Plan:
    """What to download; what an earlier try left and this one can use stays in `folder`."""
    entry = held(entry, trust)
    try:
        listing = listed(entry, report)
    except ModelNotFoundError as error:
        if trust.kind != "first use":
            raise
        command = f"convergio-mlx models download --newest {entry.reference}"
        raise ModelNotFoundError(
            f"[store] the hub does not have commit {trust.revision} of {entry.repository!r} any "
            f"more, which the first download recorded; `{command}` takes what is newest.",
            hint=command,
        ) from error
    tidy(folder, listing.names)
    plan = plan_of(entry, listing, folder, PINNED_BY[trust.kind])
    tidy(folder, [file.name for file in plan.files])
    return plan


def tidy(folder: Folder, names: list[str]) -> None:
    """Leaves of an earlier try the parts of files of these names.

    Raises:
        StorageError: the disk refuses.
    """
    try:
        unnamed(folder, set(names))
        parts = {f"{name}{PART}" for name in names}
        for name in folder.names():
            info = folder.stat(name)
            if name not in parts or (info is not None and not stat.S_ISREG(info.st_mode)):
                folder.remove(name)
    except OSError as error:
        raise cannot("write", folder.path, error) from error


def _check_room(folder: Folder, plan: Plan) -> None:
    found = [folder.stat(name) for name in folder.names()]
    there = sum(info.st_size for info in found if info is not None)
    repository = repr(plan.commit.repository)
    check_room(repository, plan.size_bytes - there, folder.path, more=" more")
