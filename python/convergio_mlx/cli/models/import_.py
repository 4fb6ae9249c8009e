"""`convergio-mlx models import`."""

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
        "import",
        "install a model that is on this machine already",
        "Install a model from a folder or from the Hugging Face cache, without a second copy "
        "where the file system can share one.",
        usage="[OPTIONS] SOURCE",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a folder, or the owner/name or the id of a model in the Hugging Face cache",
    )
    parser.add_argument(
        "--id",
        metavar="ID",
        dest="model",
        help="the id to install it under (default: the registry's, or the name in small letters)",
    )
    add_json(parser, "what was installed")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx import store
    from convergio_mlx.cli.models.shown import installed_json, installed_line, write_json
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.cli.progress import ProgressDisplay

    out = standard_output()
    with ProgressDisplay(standard_error()) as display:
        found = store.import_model(given.source, model=given.model, on_progress=display)
    if wants_json(given):
        write_json(out, installed_json(found))
    else:
        out.line(installed_line(found))
