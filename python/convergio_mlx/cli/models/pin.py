"""`convergio-mlx models pin`, for maintainers of a registry."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convergio_mlx.cli import exits
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
        "Write the hub's newest revisions, the SHA-256 of every file and the sizes into a "
        "registry's file; for a package, the SHA-256 of its wheel. This is for maintainers of a "
        "registry: all downloads must match these hashes from then on.",
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
        "--keep-revision",
        action="store_true",
        help="keep the revisions in the file and add their hashes",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing, and fail if the hub's files differ from the pinned ones",
    )
    add_json(parser, "what was pinned")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx import store
    from convergio_mlx.cli.models.shown import write_json
    from convergio_mlx.cli.output import RED, standard_error, standard_output
    from convergio_mlx.cli.progress import ProgressDisplay
    from convergio_mlx.errors import ConvergioError, OfflineError
    from convergio_mlx.registry import document

    out, err = standard_output(), standard_error()
    registry = document.read(given.file)
    failed = False
    for entry in _chosen(document.entries(registry, given.file), given.models, given.file):
        try:
            with ProgressDisplay(err) as display:
                keep = given.keep_revision or given.check
                pin = store.pin(entry, keep_revision=keep, on_progress=display)
        except OfflineError:
            raise
        except ConvergioError as error:  # the other models are pinned all the same
            failed = True
            err.line(f"{entry.id}: {error}", lead="error: ", style=RED)
            continue
        before = entry.as_json()
        is_same = all(before[name] == value for name, value in pin.fields.items())
        failed = failed or (given.check and not is_same)
        if not given.check:
            document.set_pin(registry, entry.id, pin)
            document.write(given.file, registry)
        if wants_json(given):
            write_json(out, {"id": entry.id, **pin.fields, "changed": not is_same})
        else:
            what = "as pinned" if is_same else "not as pinned" if given.check else "pinned"
            out.line(f"{entry.id}: {pin}, {what}")
    if failed:
        sys.exit(exits.MODEL)


def _chosen(entries: list[RegistryEntry], names: list[str], file: Path) -> list[Any]:
    from convergio_mlx.errors import ModelNotFoundError

    there = {entry.id: entry for entry in entries}
    if missing := [name for name in names if name not in there]:
        raise ModelNotFoundError(
            f"[registry] {str(file)!a} has no model {missing[0]!a}; give ids that it has."
        )
    return [there[name] for name in names] if names else entries
