"""Taking in a model that is on this machine already: a folder, or the Hugging Face cache."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from convergio_mlx.errors import InvalidRequestError, ModelCorruptError, ModelNotFoundError
from convergio_mlx.locate import GUIDE_ID
from convergio_mlx.registry import Registry, RegistryEntry, checks, load_registry
from convergio_mlx.store.adopt import adopt, check_vacant
from convergio_mlx.store.complete import check_index, check_length
from convergio_mlx.store.hashing import Digest, sha256_of
from convergio_mlx.store.inventory import InstalledModel, find, require
from convergio_mlx.store.layout import PART, cannot, checked_id, emptied, import_folder, made
from convergio_mlx.store.locks import changing
from convergio_mlx.store.names import PATTERNS, chosen
from convergio_mlx.store.place import place
from convergio_mlx.store.progress import OnProgress, Reporter
from convergio_mlx.store.receipt import Receipt, ReceiptFile, now


@dataclass(frozen=True)
class _Source:
    folder: Path
    shown: str
    entry: RegistryEntry | None
    repository: str | None = None
    revision: str | None = None


def import_model(
    source: str | Path, *, model: str | None = None, on_progress: OnProgress | None = None
) -> InstalledModel:
    """Installs a model from this machine: its files are cloned or linked where the file system
    can, and copied where not. Uses no network.

    Args:
        source: a folder; or, for a model of the Hugging Face cache, its repository (`owner/name`)
            or its id in the registry.
        model: the id to install it under; by default that of the registry's entry for the
            repository, or the folder's name in small letters.
        on_progress: told how many bytes are done.

    Raises:
        ModelNotFoundError: there is no such folder, or the cache does not have it whole.
        ModelCorruptError: a file is missing, cut off, or not what its hash says.
        InvalidRequestError: that id is taken, or none was given and the name makes none.
        StorageError: the disk cannot be written.
    """
    registry = load_registry()
    found = _find(source, registry)
    name = checked_id(model) if model is not None else _id_of(found)
    if name == GUIDE_ID:
        raise InvalidRequestError(
            f"[store] {name!r} is the id of the embedded model; give another with --id."
        )
    report = Reporter(name, on_progress)
    with changing(name, report):
        if find(name) is not None:
            raise InvalidRequestError(
                f"[store] {name!r} is installed already; give another id with --id, or delete that "
                "one first."
            )
        check_vacant(name)
        entry = registry.get(name)
        if entry is not None and found.repository not in (None, entry.repository):
            raise InvalidRequestError(
                f"[store] {name!r} is {entry.repository!r} in the registry, and this is "
                f"{found.repository!r}; give another id with --id."
            )
        folder = import_folder(name)
        try:
            _take(found, name, folder, entry, report)
        finally:
            emptied(folder)
        return require(name)


def _take(
    found: _Source, name: str, folder: Path, entry: RegistryEntry | None, report: Reporter
) -> None:
    names = chosen(sorted(os.listdir(found.folder)), found.shown)
    emptied(folder)
    made(folder)
    sizes = {one: (found.folder / one).stat().st_size for one in names}
    report.begin("importing", sum(sizes.values()))
    pins = entry.sha256 if entry and entry.revision == found.revision else None
    files = []
    for one in names:
        report.file(one)
        source, part = found.folder / one, folder / f"{one}{PART}"
        _check_inside(source, found)
        try:
            place(source, part)
            check_length(one, part)
            digest = Digest(sizes[one])
            sha256 = sha256_of(part, report.advance, digest)
        except OSError as error:
            raise cannot("import", source, error) from error
        _check_hash(one, found, digest, pins.get(one) if pins else None)
        files.append(ReceiptFile(one, sizes[one], sha256))
    check_index(names, lambda one: folder / f"{one}{PART}", found.shown)
    source_kind = "hub" if found.repository else "folder"
    adopt(
        folder,
        Receipt(name, source_kind, found.repository, found.revision, now(), tuple(files)),  # type: ignore[arg-type]
    )


def _check_inside(source: Path, found: _Source) -> None:
    """A file of the cache is a link to a blob of the same repository, and to nothing else."""
    if found.repository is None:
        return
    repository = found.folder.resolve().parents[1]
    if not source.resolve().is_relative_to(repository):
        raise ModelCorruptError(
            f"[store] {source.name!r} of {found.shown} is a link that leads out of it; download "
            "the model again."
        )


def _check_hash(name: str, found: _Source, digest: Digest, pin: str | None) -> None:
    """Holds a file against the registry's pin, and against the name of its blob in the cache, which
    is its hash."""
    blob = (found.folder / name).resolve().name if found.repository else ""
    known = [("the registry", pin)] if pin else []
    if checks.is_sha256(blob) or (checks.is_revision(blob) and digest.git_id != blob):
        known.append(("the Hugging Face cache", blob))
    for who, wanted in known:
        if digest.sha256 != wanted:
            raise ModelCorruptError(
                f"[store] {name!r} of {found.shown} is not the file that {who} says ({wanted}); "
                "get the file again."
            )


def _find(source: str | Path, registry: Registry) -> _Source:
    path = Path(source).expanduser()
    if path.is_dir():
        return _Source(path, f"the folder {str(path)!r}", None)
    text = str(source)
    entry = registry.get(text)
    repository = entry.repository if entry else text
    if not checks.is_repository(repository) or isinstance(source, Path):
        raise ModelNotFoundError(
            f"[store] there is no folder {text!r}; give a folder, or a model of the Hugging Face "
            "cache as owner/name."
        )
    entry = entry or next((one for one in registry if one.repository == repository), None)
    folder = _cached(repository, entry.revision if entry else None)
    return _Source(
        folder, f"{repository!r} in the Hugging Face cache", entry, repository, folder.name
    )


def _cached(repository: str, revision: str | None) -> Path:
    """The folder of a repository's commit in the Hugging Face cache; uses no network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                allow_patterns=PATTERNS,  # whatever else of it is not there is not missing
                local_files_only=True,
            )
        )
    except (LocalEntryNotFoundError, ValueError) as error:
        raise ModelNotFoundError(
            f"[store] the Hugging Face cache has no {repository!r}"
            f"{f' at {revision}' if revision else ''}; download it, or give a folder."
        ) from error


def _id_of(found: _Source) -> str:
    if found.entry is not None:
        return found.entry.id
    name = (found.repository or found.folder.resolve().name).rpartition("/")[2].lower()
    if not checks.is_id(name):
        raise InvalidRequestError(
            f"[store] {name!r} cannot be a model's id; give one of small letters, digits, dots, "
            "dashes and underscores with --id."
        )
    return name
