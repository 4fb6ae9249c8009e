"""A model that is wanted and not here: it is downloaded once somebody has agreed to that."""

from __future__ import annotations

import sys

from convergio_mlx import store
from convergio_mlx.cli.models.fetch import fetch
from convergio_mlx.cli.options import AnswerOptions
from convergio_mlx.cli.output import Stream
from convergio_mlx.errors import ModelNotInstalledError
from convergio_mlx.platform.offline import is_offline
from convergio_mlx.registry import HubEntry, RegistryEntry, load_registry
from convergio_mlx.sizing.fit import check_config, size
from convergio_mlx.store.locate import locate


def have(options: AnswerOptions, err: Stream) -> None:
    """Sees to it that the model of the options is here, and the one that is to draft for it. At a
    terminal it asks whether to download them; `--yes` answers that beforehand.

    Args:
        options: the models, and whether to download them unasked.
        err: where the question and the progress are shown.

    Raises:
        ModelNotInstalledError: it is not here and nobody agreed to download it.
        ConvergioError: there is no such model, or it cannot be downloaded or run.
    """
    for model in (options.model, options.draft_model):
        if model is not None:
            _have(model, options, err)


def _have(model: str, options: AnswerOptions, err: Stream) -> None:
    try:
        locate(model)
    except ModelNotInstalledError as error:
        entry = load_registry().require(model)
        if not options.yes and not _agrees(model, entry, options, err, error):
            raise
        found = fetch(model, err, force=options.force)
        if found.model != model.removeprefix("mlx/"):
            err.line(f"{model} is installed as {found.model}.")


def _agrees(
    model: str,
    entry: RegistryEntry,
    options: AnswerOptions,
    err: Stream,
    missing: ModelNotInstalledError,
) -> bool:
    """Whether a person at the terminal wants the model; nobody is asked where none is, or where the
    network is forbidden."""
    if is_offline():
        return False
    if sys.stdin is None or not sys.stdin.isatty() or not err.is_terminal:
        said = str(missing).removesuffix(".")
        raise ModelNotInstalledError(
            f"{said}, and --yes does it first.", hint=missing.hint
        ) from missing
    amount = entry.download_bytes
    if isinstance(entry, HubEntry):
        seen = store.preview(model)
        if not options.force:
            check_config(model, seen.config, seen.weight_bytes)
        amount = seen.download_bytes
    about = f" ({size(amount)})" if amount else ""
    err.raw(f"{entry.reference} is not downloaded yet. Download it{about}? [Y/n] ")
    line = sys.stdin.readline()
    if not line:  # Ctrl-D
        err.raw("\n")
    return line.strip().lower() in ({"", "y", "yes"} if line else ())
