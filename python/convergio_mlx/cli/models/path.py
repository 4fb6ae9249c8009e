"""`convergio-mlx models path`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, add_json, finish, wants_json

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands, "path", "print the folder of an installed model", usage="[OPTIONS] MODEL"
    )
    parser.add_argument("model", metavar="MODEL", help="its id")
    add_json(parser, "it")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx.cli.models.shown import write_json
    from convergio_mlx.cli.output import standard_output
    from convergio_mlx.store.locate import locate

    folder, out = locate(given.model), standard_output()
    if wants_json(given):
        write_json(out, {"id": given.model, "folder": str(folder)})
    else:
        out.line(str(folder))
