"""Downloading a model for a person: progress, and how to continue after Ctrl-C."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from convergio_mlx import store
from convergio_mlx.cli.output import Stream
from convergio_mlx.cli.progress import ProgressDisplay, stoppable
from convergio_mlx.registry import HubEntry, load_registry
from convergio_mlx.sizing.fit import check_config

if TYPE_CHECKING:
    from convergio_mlx.store import InstalledModel


def fetch(model: str, err: Stream, *, newest: bool = False, force: bool = False) -> InstalledModel:
    """Installs a model and shows how far that is; Ctrl-C ends the process and says how to continue.

    Args:
        model: an id, or a repository of the hub as hf:OWNER/NAME.
        err: where progress is shown.
        newest: forget what an earlier download recorded.
        force: also where a repository that no registry has does not fit into memory.

    Raises:
        ConvergioError: as `store.download`.
        OutOfMemoryError: it does not fit.
    """
    entry = load_registry().get(model)
    on_config = partial(check_config, model) if isinstance(entry, HubEntry) and not force else None
    then = f"`convergio-mlx models download {model}` continues from there"
    if entry is not None and entry.package:
        then = f"`convergio-mlx models download {model}` begins anew"
    with stoppable(ProgressDisplay(err), err, then) as display:
        return store.download(model, newest=newest, on_config=on_config, on_progress=display)
