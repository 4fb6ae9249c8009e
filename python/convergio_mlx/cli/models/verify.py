"""`convergio-mlx models verify`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from convergio_mlx.cli import exits
from convergio_mlx.cli.commands import add_command, add_json, finish, wants_json

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands
    from convergio_mlx.store import Verification

MEANS = {
    "missing": "is missing",
    "size": "has the wrong size",
    "changed": "has changed",
    "link": "is a link",
    "unreadable": "cannot be read",
    "unexpected": "does not belong to the model",
}
"""The states of a file that is not as it should be."""


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "verify",
        "verify the SHA-256 of every file of models",
        usage="[OPTIONS] [MODEL...]",
    )
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help="an id (default: all that are installed)"
    )
    add_json(parser, "what was found")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx import store
    from convergio_mlx.cli.models.embedded import refuse_embedded
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.cli.progress import ProgressDisplay

    out, err = standard_output(), standard_error()
    names = given.models or [one.model for one in store.installed() if one.has_receipt]
    if not names and not wants_json(given):
        out.line("No model is installed.")
    sound = True
    for name in names:
        refuse_embedded(name, "verified")
        with ProgressDisplay(err) as display:
            found = store.verify(name, on_progress=display)
        sound = sound and found.is_sound
        if wants_json(given):
            from convergio_mlx.cli.models.shown import write_json

            files = [{"name": file.name, "state": file.state} for file in found.files]
            write_json(out, {"id": found.model, "sound": found.is_sound, "files": files})
            continue
        for line in _lines(found):
            out.line(line)
    if not sound:
        sys.exit(exits.MODEL)


def _lines(found: Verification) -> list[str]:
    if found.is_sound:
        return [f"{found.model}: all {len(found.files)} files are unchanged"]
    lines = [f"{found.model}: {file.name} {MEANS[file.state]}" for file in found.faults]
    return [*lines, f"`convergio-mlx models repair {found.model}` repairs it."]
