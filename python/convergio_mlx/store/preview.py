"""What the hub says of a model that is not here: its size, and the config.json it would run by."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.platform.offline import require_network
from convergio_mlx.registry import load_registry
from convergio_mlx.store.folders import Folder
from convergio_mlx.store.operation import operation
from convergio_mlx.store.planning import config_of, listed, plan_of
from convergio_mlx.store.progress import OnProgress, Reporter
from convergio_mlx.store.trusted import held, known_entry, trust_in


@dataclass(frozen=True)
class Preview:
    """A model that can be downloaded and run."""

    model: str
    """The id that it is installed under."""
    repository: str
    revision: str
    """The commit."""
    download_bytes: int
    """Of all files that are wanted."""
    weight_bytes: int
    config: bytes
    """Its config.json."""


@operation("ask about the model")
def preview(model: str, *, on_progress: OnProgress | None = None) -> Preview:
    """Asks the hub about a model, and downloads of it config.json alone (and the index of its
    weights, where there is one).

    Args:
        model: as for `download`.
        on_progress: told how far it is.

    Raises:
        ModelCorruptError, UnsupportedModelError: it cannot be run.
        InvalidRequestError: it comes from a package, not from the hub.
        ConvergioError: as `download`.
    """
    entry = known_entry(model) or load_registry().require(model)
    if entry.package is not None:
        raise InvalidRequestError(
            f"[store] {entry.id!r} comes from a package, of which nothing can be asked; "
            f"`convergio-mlx models info {entry.id}` says what the registry knows."
        )
    require_network(f"asking about {entry.reference!r}")
    wanted = held(entry, trust_in(entry))
    listing = listed(wanted, Reporter(entry.id, on_progress))
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        with Folder(path, os.open(path, os.O_RDONLY | os.O_DIRECTORY)) as folder:
            plan = plan_of(wanted, listing, folder, "")
            config = config_of(plan, folder)
    commit = plan.commit
    return Preview(
        entry.id, commit.repository, commit.revision, plan.size_bytes, plan.weight_bytes, config
    )
