"""`convergio-mlx models info`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, add_json, finish, wants_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convergio_mlx.cli.commands import Commands
    from convergio_mlx.registry import RegistryEntry
    from convergio_mlx.store import InstalledModel


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(commands, "info", "tell what is known of a model", usage="[OPTIONS] MODEL")
    parser.add_argument("model", metavar="MODEL", help="its id")
    add_json(parser, "it")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx import store
    from convergio_mlx.cli.models.shown import installed_json, known_models, write_json
    from convergio_mlx.cli.output import standard_error, standard_output

    registry = known_models(standard_error())
    entry = registry.get(given.model)
    here = store.find(given.model) if entry is None else store.find(entry.id)
    if entry is None and here is None:
        registry.require(given.model)
    out = standard_output()
    if wants_json(given):
        write_json(
            out,
            {
                **(entry.as_json() if entry else {"id": given.model}),
                "installed": installed_json(here) if here else None,
            },
        )
        return
    lines = [*(_of_entry(entry) if entry else ()), *(_of_disk(here) if here else ())]
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        out.line(f"{name.ljust(width)}  {value}")


def _of_entry(entry: RegistryEntry) -> Iterator[tuple[str, str]]:
    from convergio_mlx.fit import size

    yield "id", entry.id
    yield "name", entry.display_name
    yield "repository", f"{entry.repository}{f' at {entry.revision}' if entry.revision else ''}"
    if entry.use_case:
        yield "use", entry.use_case
    if entry.parameters:
        yield "parameters", f"{entry.parameters / 1e9:.1f} billion"
    if entry.download_bytes:
        yield "download", f"about {size(entry.download_bytes)}"
    if entry.memory_gb:
        yield "memory", f"{entry.memory_gb:g} GB"
    if entry.context_window:
        yield "context", f"{entry.context_window} tokens"
    yield "tools", "yes" if entry.tools else "no"
    yield "reasoning", "yes" if entry.reasoning else "no"
    if entry.languages:
        yield "languages", " ".join(entry.languages)
    if entry.licence:
        yield "licence", entry.licence
    if entry.release_date:
        yield "released", entry.release_date
    if entry.deprecated:
        yield "deprecated", f"use {entry.replaced_by}" if entry.replaced_by else "yes"
    if entry.sha256:
        yield "pinned", f"{len(entry.sha256)} files"


def _of_disk(here: InstalledModel) -> Iterator[tuple[str, str]]:
    from convergio_mlx.fit import size

    yield "installed", f"{size(here.size_bytes)} in {here.folder}"
    if here.receipt is None:
        yield "receipt", "damaged" if here.has_receipt else "none; it was put there by hand"
    else:
        source = here.receipt.repository or "a folder"
        at = f" at {here.receipt.revision}" if here.receipt.revision else ""
        yield "from", f"{source}{at}, {here.receipt.installed_at}"
