"""`convergio-mlx models list`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from convergio_mlx.cli.commands import add_command, add_json, finish, wants_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from convergio_mlx.cli.commands import Commands
    from convergio_mlx.cli.output import Stream
    from convergio_mlx.registry import RegistryEntry
    from convergio_mlx.store import InstalledModel

_HEAD = ("MODEL", "STATE", "DOWNLOAD", "MEMORY", "CONTEXT", "USE")
_DROPPED = ("DOWNLOAD", "CONTEXT", "MEMORY")
"""The columns that a narrow terminal does without, the first one first."""
_NARROW_USE = 20
"""Columns that the last one has at least."""


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "list",
        "list the models of the registry, and those installed",
        "List the models of the registry, and those installed. `models info` shows all that is "
        "known of one.",
    )
    parser.add_argument(
        "--installed", action="store_true", help="only those installed on this machine"
    )
    add_json(parser, "the list")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx import store
    from convergio_mlx.cli.models.shown import known_models, write_json
    from convergio_mlx.cli.output import standard_error, standard_output

    out, registry = standard_output(), known_models(standard_error())
    here = {one.model: one for one in store.installed()}
    names = [name for name in registry.models if name in here or not given.installed]
    names += [name for name in here if name not in registry]
    models = [(name, registry.get(name), here.get(name)) for name in names]
    if wants_json(given):
        from convergio_mlx.cli.models.embedded import embedded_json

        write_json(out, {"models": [embedded_json(), *(_as_json(*one) for one in models)]})
        return
    _show(out, [_HEAD, _embedded(), *(_row(*one) for one in models)])


def _as_json(name: str, entry: RegistryEntry | None, here: InstalledModel | None) -> dict[str, Any]:
    from convergio_mlx import store

    return {
        **(entry.as_json() if entry else {"id": name}),
        "embedded": False,
        "installed": _installed_json(entry, here) if here else None,
        "partial_bytes": 0 if here else store.partial_bytes(name),
    }


def _installed_json(entry: RegistryEntry | None, here: InstalledModel) -> dict[str, Any]:
    from convergio_mlx.cli.models.shown import installed_json, is_of_entry

    return {**installed_json(here), "is_registry_model": is_of_entry(entry, here)}


def _embedded() -> tuple[str, ...]:
    from convergio_mlx.cli.models.embedded import ABOUT, size_bytes
    from convergio_mlx.cli.models.shown import context_of
    from convergio_mlx.sizing.fit import size
    from convergio_mlx.store.locate import GUIDE_ID, guide_folder

    return (GUIDE_ID, size(size_bytes()), "-", "-", f"{context_of(guide_folder()) or '-'}", ABOUT)


def _row(name: str, entry: RegistryEntry | None, here: InstalledModel | None) -> tuple[str, ...]:
    from convergio_mlx import store
    from convergio_mlx.cli.models.shown import context_of, is_of_entry, origin
    from convergio_mlx.sizing.fit import size

    if here is not None and not is_of_entry(entry, here):
        return (
            name,
            size(here.size_bytes),
            "-",
            "-",
            f"{context_of(here.folder) or '-'}",
            origin(here),
        )
    assert entry is not None
    unfinished = here is None and store.partial_bytes(name) > 0
    use = "deprecated" if entry.deprecated else entry.use_case or entry.display_name
    return (
        name,
        size(here.size_bytes) if here else "unfinished" if unfinished else "-",
        size(entry.download_bytes) if entry.download_bytes else "-",
        f"{entry.memory_gb:g} GB" if entry.memory_gb else "-",
        f"{entry.context_window}" if entry.context_window else "-",
        use,
    )


def _show(out: Stream, rows: Sequence[tuple[str, ...]]) -> None:
    """Columns two spaces apart, numbers to the right; as many as the terminal has room for."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    shown = list(range(len(_HEAD) - 1))
    for name in _DROPPED:
        if out.is_terminal and sum(widths[at] + 2 for at in shown) + _NARROW_USE > out.columns:
            shown.remove(_HEAD.index(name))
    for row in rows:
        out.hanging("".join(f"{cell}  " for cell in _cells(row, widths, shown)), row[-1])


def _cells(row: tuple[str, ...], widths: list[int], shown: list[int]) -> Iterator[str]:
    for at in shown:
        yield row[at].rjust(widths[at]) if at else row[at].ljust(widths[at])
