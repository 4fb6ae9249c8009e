"""What `models info` tells of a repository of the hub that no registry has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convergio_mlx import store
from convergio_mlx.cli.models.folder_info import format_lines, formats_json
from convergio_mlx.cli.models.shown import (
    context_of,
    installed_json,
    of_disk,
    said_of,
    show,
    trust_json,
    write_json,
)
from convergio_mlx.cli.progress import ProgressDisplay
from convergio_mlx.sizing.fit import Fit, fit_of_config, fit_of_folder, memory_for_models, size

if TYPE_CHECKING:
    from convergio_mlx.cli.output import Stream
    from convergio_mlx.registry import HubEntry
    from convergio_mlx.store import InstalledModel, Preview, Trust


def show_repository(
    entry: HubEntry,
    here: InstalledModel | None,
    trust: Trust | None,
    out: Stream,
    err: Stream,
    *,
    json: bool,
) -> None:
    """Shows the model that is installed, or what the hub says of one that is not.

    Raises:
        ConvergioError: as `store.preview`, where it is not installed.
    """
    seen, fit = None, None
    if here is None:
        with ProgressDisplay(err) as display:
            seen = store.preview(entry.reference, on_progress=display)
        memory = memory_for_models()
        fit = fit_of_config(seen.config, seen.weight_bytes, memory) if memory else None
    else:
        fit = fit_of_folder(here.folder, memory_for_models())
    if json:
        write_json(
            out,
            {
                "id": entry.id,
                "repository": entry.repository,
                "revision": seen.revision if seen else None,
                "download_bytes": seen.download_bytes if seen else None,
                "fit": fit.as_json() if fit else None,
                "trust": trust_json(trust),
                "installed": installed_json(here) if here else None,
                "formats": formats_json(here.folder) if here else None,
            },
        )
        return
    lines = [("id", entry.id), ("repository", _source(entry, seen))]
    if seen is not None:
        lines += [("download", size(seen.download_bytes)), ("runs", "yes, by its config.json")]
    lines += _of_fit(fit, here)
    lines += of_disk(here) if here else ()
    lines += [("trust", said_of(trust))] if trust else []
    lines += format_lines(here.folder) if here else []
    show(out, lines)


def _source(entry: HubEntry, seen: Preview | None) -> str:
    at = f" at {seen.revision}" if seen else ""
    return f"{entry.repository}{at}"


def _of_fit(fit: Fit | None, here: InstalledModel | None) -> list[tuple[str, str]]:
    context = fit.footprint.context_window if fit else context_of(here.folder) if here else None
    lines = [("context", f"{context} tokens")] if context else []
    return [*lines, ("memory", str(fit))] if fit else lines
