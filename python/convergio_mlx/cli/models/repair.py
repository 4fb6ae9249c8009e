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
        "download missing and changed files of a model again",
        "Download missing and changed files of a model again, and nothing else. Files that do not "
        "belong to the model are renamed.",
        usage="[OPTIONS] MODEL",
    )
    parser.add_argument("model", metavar="MODEL", help="its id")
    add_json(parser, "the repaired files")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx import store
    from convergio_mlx.cli.models.embedded import refuse_embedded
    from convergio_mlx.cli.models.shown import write_json
    from convergio_mlx.cli.models.verify import MEANS
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.cli.progress import ProgressDisplay, stoppable

    refuse_embedded(given.model, "repaired")
    out, err = standard_output(), standard_error()
    then = f"`convergio-mlx models repair {given.model}` continues from there"
    with stoppable(ProgressDisplay(err), err, then) as display:
        mended = store.repair(given.model, on_progress=display)
    if wants_json(given):
        files = [{"name": file.name, "was": file.state} for file in mended]
        write_json(out, {"id": given.model, "mended": files})
        return
    for file in mended:
        out.line(f"{given.model}: repaired {file.name}, which {MEANS[file.state]}")
    if not mended:
        out.line(f"{given.model}: all files are unchanged")
