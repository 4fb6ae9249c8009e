"""Where the store keeps what: a folder for each model, and folders of its own that no id can name
since they begin with a dot. All on one file system, so that a rename adopts or removes a model at
once."""

from __future__ import annotations

import errno
from pathlib import Path

from convergio_mlx.errors import ModelNotFoundError, StorageError
from convergio_mlx.platform.home import models_folder
from convergio_mlx.registry.checks import is_id, plain_id
from convergio_mlx.registry.hub_name import PREFIX

PART = ".part"
"""What the name of a file ends with that is not whole and verified yet."""
PARTIALS = ".partial"
"""The folder of unfinished downloads."""
IMPORTS = ".import"
"""The folder of unfinished imports: apart from that of downloads, which append to files, since
files here may be links to somebody's own."""
TRASH = ".trash"
"""The folder of deleted models until they are gone."""
LOCKS = ".locks"
"""The folder of what a process locks while it changes a model, and touches when it loads one."""
TRUSTED = ".trusted"
"""The folder of what the first download of each model was."""


def checked_id(model: str) -> str:
    """A model's id without `mlx/`, or that of a name of the hub (`hf:owner/name`); it is safe to
    make paths of.

    Raises:
        ModelNotFoundError: it is no id and no such name.
    """
    plain = plain_id(model) if isinstance(model, str) else model
    if isinstance(plain, str) and plain.startswith(PREFIX):
        from convergio_mlx.registry.load import load_registry

        plain = load_registry().id_of(plain)
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
    return models_folder() / PARTIALS / checked_id(model)


def remedy_for(error: OSError) -> str:
    """What would work where the file system refuses."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some disk"
    return "check its disk and permissions"


def cannot(what: str, path: Path, error: OSError) -> StorageError:
    """The error for something that the file system refuses."""
    return StorageError(
        f"[store] cannot {what} {str(path)!r} ({error.strerror or error}); {remedy_for(error)} and "
        "try again."
    )
