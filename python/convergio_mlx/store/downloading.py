"""From the hub to an installed model."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from convergio_mlx.errors import ConvergioError, ModelCorruptError, StorageError
from convergio_mlx.offline import require_network
from convergio_mlx.registry import RegistryEntry, load_registry
from convergio_mlx.store import hub
from convergio_mlx.store.adopt import adopt, check_vacant, unnamed
from convergio_mlx.store.complete import check_index
from convergio_mlx.store.inventory import InstalledModel, find, require
from convergio_mlx.store.layout import PART, cannot, emptied, made, partial_folder
from convergio_mlx.store.locks import changing
from convergio_mlx.store.progress import OnProgress, Reporter
from convergio_mlx.store.receipt import Receipt, ReceiptFile, now
from convergio_mlx.store.retries import passing, until_done
from convergio_mlx.store.transfer import fetch


def download(model: str, *, on_progress: OnProgress | None = None) -> InstalledModel:
    """Installs a model of the registry; one that is installed is returned as it is, without any
    network. Goes on from where an earlier try was interrupted, and waits where another process is
    at work on the same model.

    Args:
        model: its id.
        on_progress: told how far it is, about ten times a second.

    Raises:
        ModelNotFoundError: neither the registry nor the hub has it.
        OfflineError, NetworkError, RateLimitError: the hub must not, or cannot be reached.
        AuthError: the hub wants a token or an accepted licence.
        StorageError: there is not enough room, or the disk cannot be written.
        ModelCorruptError: what the hub sends is not what it or the registry promises.
    """
    entry = load_registry().require(model)
    present = _present(entry.id)
    if present is not None:
        return present
    check_vacant(entry.id)
    require_network(f"downloading {entry.id!r}")
    report = Reporter(entry.id, on_progress)
    with changing(entry.id, report):
        present = _present(entry.id)
        if present is None:
            _install(entry, report)
            present = require(entry.id)
    return present


def plan_of(entry: RegistryEntry, report: Reporter) -> hub.Plan:
    """The hub's listing of a model, asked for until it is had.

    Raises:
        ConvergioError: as `hub.plan`.
    """

    def attempt() -> hub.Plan:
        try:
            return hub.plan(entry)
        except ConvergioError as error:
            raise passing(error) from error

    report.begin("listing")
    return until_done(attempt, report)


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


def _install(entry: RegistryEntry, report: Reporter) -> None:
    plan = plan_of(entry, report)
    folder = made(partial_folder(entry.id))
    _tidy(folder, [file.name for file in plan.files])
    _check_room(folder, plan)
    report.begin("downloading", plan.size_bytes)
    files = tuple(
        ReceiptFile(file.name, file.size, fetch(plan, file, folder / f"{file.name}{PART}", report))
        for file in plan.files
    )
    check_index(
        [file.name for file in files],
        lambda name: folder / f"{name}{PART}",
        f"the repository {plan.repository!r}",
    )
    adopt(folder, Receipt(entry.id, "hub", plan.repository, plan.revision, now(), files))


def _tidy(folder: Path, names: list[str]) -> None:
    """Leaves of an earlier try what this one can use."""
    try:
        unnamed(folder, names)
        parts = {f"{name}{PART}" for name in names}
        for entry in list(os.scandir(folder)):
            if entry.name in parts and entry.is_file(follow_symlinks=False):
                continue
            if entry.is_dir(follow_symlinks=False):
                emptied(Path(entry.path))
            else:
                os.unlink(entry.path)
    except OSError as error:
        raise cannot("write", folder, error) from error


def _check_room(folder: Path, plan: hub.Plan) -> None:
    there = sum(entry.stat().st_size for entry in os.scandir(folder))
    needed, free = plan.size_bytes - there, shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"[store] {plan.repository!r} needs {needed / 1e9:.2f} GB more on the disk of "
            f"{str(folder)!r}, and {free / 1e9:.2f} GB are free; free some, or set CONVERGIO_HOME "
            "to a folder on another disk."
        )
