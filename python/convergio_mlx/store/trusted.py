"""What a model's files must be: what the registry pins, or else what the first download was."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from convergio_mlx.errors import StorageError
from convergio_mlx.platform.home import models_folder
from convergio_mlx.registry import HubEntry, RegistryEntry, load_registry
from convergio_mlx.store.folders import store_folder
from convergio_mlx.store.layout import TRUSTED, cannot, checked_id
from convergio_mlx.store.operation import operation
from convergio_mlx.store.receipt import LARGEST, Receipt

Kind = Literal["pinned", "first use", "none"]


@dataclass(frozen=True)
class Trust:
    """What downloads and repairs of a model are held to."""

    kind: Kind
    """pinned: by the registry; first use: the first verified download recorded it, without anyone
    having looked at the files; none: the next download records what it gets."""
    revision: str | None = None
    """The commit; None for a package, whose entry has its version and hash."""
    sha256: Mapping[str, str] | None = None
    """The files and their hashes."""
    since: str | None = None
    """When it was recorded, as receipts have it; None for what is pinned."""


@operation("read what is recorded of the model")
def trust(model: str) -> Trust:
    """What a model is held to. Uses no network.

    Args:
        model: its id; one that the registry does not have has no trust.

    Raises:
        ModelNotFoundError: it is no id.
        StorageError: what is recorded is damaged.
    """
    entry = known_entry(model)
    return trust_in(entry) if entry is not None else Trust("none")


def known_entry(model: str) -> RegistryEntry | None:
    """The registry's entry of a model, or that of the hub's repository that it is named by, or was
    when it was downloaded first; None where nobody knows.

    Raises:
        ModelNotFoundError: it is no id.
        StorageError: what is recorded of the first download is damaged.
    """
    name = checked_id(model)
    entry = load_registry().get(model)
    if entry is not None:
        return entry
    record = _read(name)
    if record is None or record.repository is None:
        return None
    return HubEntry(id=name, repository=record.repository, display_name=record.repository)


def trust_in(entry: RegistryEntry) -> Trust:
    """As `trust`, of an entry."""
    if entry.package is not None:
        return Trust("pinned")
    if entry.sha256 is not None:
        return Trust("pinned", entry.revision, entry.sha256)
    record = _read(entry.id)
    if record is None or not record.is_of(entry):
        return Trust("none")
    if entry.revision not in (None, record.revision):
        return Trust("none")
    hashes = {file.name: file.sha256 for file in record.files}
    return Trust("first use", record.revision, hashes, record.installed_at)


def held(entry: RegistryEntry, found: Trust) -> RegistryEntry:
    """An entry that pins what its model is held to."""
    if found.kind == "none":
        return entry
    return replace(entry, revision=found.revision, sha256=found.sha256)


def record(receipt: Receipt) -> None:
    """Remembers a verified download for those that come after it, a deletion between or not.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        with store_folder(TRUSTED, make=True) as folder:
            folder.write(_name(receipt.model), receipt.text())
    except OSError as error:
        raise cannot("write into", models_folder() / TRUSTED, error) from error


def forget(model: str) -> None:
    """Lets the next download of a model be its first.

    Raises:
        OSError: the disk refuses.
    """
    with suppress(FileNotFoundError), store_folder(TRUSTED) as folder:
        folder.unlink(_name(model))


def _read(model: str) -> Receipt | None:
    try:
        with store_folder(TRUSTED) as folder:
            receipt = Receipt.of(folder.read(_name(model), LARGEST))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise StorageError(
            f"[store] what the first download of {model!r} recorded is damaged; `convergio-mlx "
            f"models download --newest {model}` forgets it and takes what is newest.",
            hint=f"convergio-mlx models download --newest {model}",
        ) from error
    return receipt if receipt.model == model else None


def _name(model: str) -> str:
    return f"{model}.json"
