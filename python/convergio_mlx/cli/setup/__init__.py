"""`convergio-mlx setup`: menus to get models and to choose what is used."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, finish

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "setup",
        "get models and choose the default, with menus",
        "Get models and choose the default, with menus, in any terminal or with lines from a pipe. "
        "See `convergio-mlx help setup`.",
    )
    finish(parser, _run)


def _run(_given: argparse.Namespace) -> None:
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.cli.setup.desk import Desk
    from convergio_mlx.cli.setup.start import start

    desk = Desk(standard_output(), standard_error())
    try:
        start(desk)
    except EOFError:
        desk.out.end_line()
        if desk.out.is_terminal:
            desk.out.raw("\n")
