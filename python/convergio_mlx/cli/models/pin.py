"""`convergio-mlx models pin`, for those who keep a registry."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convergio_mlx.cli.commands import add_command, add_json, finish, wants_json

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands
    from convergio_mlx.registry import RegistryEntry


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "pin",
        "write the hub's revisions and hashes into a registry",
        "Write the hub's newest revisions and the SHA-256 of every file into a registry's file. "
        "This is for those who keep one.",
        usage="[OPTIONS] [MODEL...]",
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="an id (default: all)")
    parser.add_argument(
        "--file",
        type=Path,
        default=Path("models.json"),
        metavar="FILE",
        help="the registry (default: models.json)",
    )
    parser.add_argument(
        "--keep-revision", action="store_true", help="fill in the hashes of the revisions it has"
    )
    add_json(parser, "what was pinned")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx import store
    from convergio_mlx.cli.models.shown import write_json
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.cli.progress import ProgressDisplay
    from convergio_mlx.registry import document

    out, err = standard_output(), standard_error()
    registry = document.read(given.file)
    for entry in _chosen(document.entries(registry, given.file), given.models, given.file):
        with ProgressDisplay(err) as display:
            pin = store.pin(entry, keep_revision=given.keep_revision, on_progress=display)
        document.set_pin(registry, entry.id, pin.revision, pin.sha256)
        if wants_json(given):
            write_json(out, {"id": entry.id, "revision": pin.revision, "sha256": pin.sha256})
        else:
            out.line(f"{entry.id}: {len(pin.sha256)} files at {pin.revision}")
    document.write(given.file, registry)


def _chosen(entries: list[RegistryEntry], names: list[str], file: Path) -> list[Any]:
    from convergio_mlx.errors import ModelNotFoundError

    there = {entry.id: entry for entry in entries}
    if missing := [name for name in names if name not in there]:
        raise ModelNotFoundError(
            f"[registry] {str(file)!a} has no model {missing[0]!a}; give ids that it has."
        )
    return [there[name] for name in names] if names else entries
