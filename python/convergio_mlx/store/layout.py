"""Where the store keeps what: a folder for each model, and folders of its own that no id can name
since they begin with a dot. All on one file system, so that a rename adopts or removes a model at
once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from convergio_mlx.errors import ModelNotFoundError, StorageError
from convergio_mlx.home import models_folder
from convergio_mlx.registry.checks import is_id
from convergio_mlx.registry.load import plain_id

PART = ".part"
"""What the name of a file ends with that is not whole and verified yet."""


def checked_id(model: str) -> str:
    """A model's id without `mlx/`, which is safe to make paths of.

    Raises:
        ModelNotFoundError: it is no id.
    """
    plain = plain_id(model) if isinstance(model, str) else model
    if not is_id(plain):
        raise ModelNotFoundError(
            f"[store] {ascii(model)[:100]} is no model's id; ids are small letters, digits, dots, "
            "dashes and underscores, and `convergio-mlx models list` shows them."
        )
    return plain


def model_folder(model: str) -> Path:
    """Where an installed model lies."""
    return models_folder() / checked_id(model)


def partial_folder(model: str) -> Path:
    """Where a model's files lie while they are downloaded."""
    return partials_folder() / checked_id(model)


def partials_folder() -> Path:
    """Where all unfinished downloads lie."""
    return models_folder() / ".partial"


def import_folder(model: str) -> Path:
    """Where a model's files lie while they are imported; apart from those that downloads append
    to, since files here may be links to somebody's own."""
    return imports_folder() / checked_id(model)


def imports_folder() -> Path:
    """Where all unfinished imports lie."""
    return models_folder() / ".import"


def trash_folder() -> Path:
    """Where deleted models lie until they are gone."""
    return models_folder() / ".trash"


def lock_file(model: str) -> Path:
    """What a process locks while it changes a model."""
    return models_folder() / ".locks" / f"{checked_id(model)}.lock"


def used_file(model: str) -> Path:
    """What is touched when a model is loaded."""
    return models_folder() / ".locks" / f"{checked_id(model)}.used"


def made(folder: Path) -> Path:
    """A folder of the store's own, made where it is not there.

    Raises:
        StorageError: it cannot be made, or something else is in its place.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.is_symlink():
            raise StorageError(
                f"[store] {str(folder)!r} is a link, and the store writes through none; remove it."
            )
    except OSError as error:
        raise cannot("make", folder, error) from error
    return folder


def emptied(folder: Path) -> None:
    """Removes a folder and what is in it; links in it are removed, not followed."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def own_file(path: Path, flags: int) -> int:
    """Opens a file of the store; one that is a link is not followed.

    Raises:
        OSError: it cannot be opened, or is a link.
    """
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)


def cannot(what: str, path: Path, error: OSError) -> StorageError:
    """The error for something that the file system refuses."""
    remedy = "free some disk" if error.errno == 28 else "check its disk and permissions"
    return StorageError(
        f"[store] cannot {what} {str(path)!r} ({error.strerror or error}); {remedy} and try again."
    )
