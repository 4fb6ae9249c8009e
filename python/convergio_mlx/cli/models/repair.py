"""`convergio-mlx models repair`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, add_json, finish, wants_json

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "repair",
        "download again what of a model has changed",
        "Download again what of a model has changed, and nothing else. Files that were not "
        "published are renamed.",
        usage="[OPTIONS] MODEL",
    )
    parser.add_argument("model", metavar="MODEL", help="its id")
    add_json(parser, "what was mended")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx import store
    from convergio_mlx.cli.models.shown import write_json
    from convergio_mlx.cli.models.verify import MEANS
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.cli.progress import ProgressDisplay, stoppable

    out, err = standard_output(), standard_error()
    command = f"convergio-mlx models repair {given.model}"
    with stoppable(ProgressDisplay(err), err, command) as display:
        mended = store.repair(given.model, on_progress=display)
    if wants_json(given):
        files = [{"name": file.name, "was": file.state} for file in mended]
        write_json(out, {"id": given.model, "mended": files})
        return
    for file in mended:
        out.line(f"{given.model}: mended {file.name}, which {MEANS[file.state]}")
    if not mended:
        out.line(f"{given.model}: all files are as published")
