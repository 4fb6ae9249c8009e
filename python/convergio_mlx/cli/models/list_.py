"""`convergio-mlx models list`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, add_json, finish, wants_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convergio_mlx.cli.commands import Commands
    from convergio_mlx.registry import RegistryEntry
    from convergio_mlx.store import InstalledModel

_HEAD = ("MODEL", "STATE", "DOWNLOAD", "MEMORY", "CONTEXT", "USE")


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(commands, "list", "list the models that can be had, and those here")
    parser.add_argument("--installed", action="store_true", help="list those on this machine alone")
    add_json(parser, "the list")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx import store
    from convergio_mlx.cli.models.shown import installed_json, known_models, write_json
    from convergio_mlx.cli.output import standard_error, standard_output

    out, registry = standard_output(), known_models(standard_error())
    here = {one.model: one for one in store.installed()}
    names = [name for name in registry.models if name in here or not given.installed]
    names += [name for name in here if name not in registry]
    partial = {name: store.partial_bytes(name) for name in names if name not in here}
    if wants_json(given):
        models = []
        for name in names:
            entry = registry.get(name)
            models.append(
                {
                    **(entry.as_json() if entry else {"id": name}),
                    "installed": installed_json(here[name]) if name in here else None,
                    "partial_bytes": partial.get(name, 0),
                }
            )
        write_json(out, {"models": models})
        return
    rows = [_row(name, registry.get(name), here.get(name), partial.get(name, 0)) for name in names]
    for line in _table([_HEAD, *rows]):
        out.line(line)


def _row(
    name: str, entry: RegistryEntry | None, here: InstalledModel | None, partial: int
) -> tuple[str, ...]:
    from convergio_mlx.fit import size

    state = size(here.size_bytes) if here else "unfinished" if partial else "-"
    if entry is None:
        return (name, state, "-", "-", "-", "imported")
    use = f"{entry.use_case or entry.display_name}{' (deprecated)' if entry.deprecated else ''}"
    return (
        name,
        state,
        size(entry.download_bytes) if entry.download_bytes else "-",
        f"{entry.memory_gb:g} GB" if entry.memory_gb else "-",
        f"{entry.context_window}" if entry.context_window else "-",
        use,
    )


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns two spaces apart; numbers to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [row[at].rjust(widths[at]) for at in range(1, 5)]
        lines.append("  ".join([*cells, row[5]]))
    return lines
