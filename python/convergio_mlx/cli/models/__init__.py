"""`convergio-mlx models`: what is available and what is installed, downloads, checks,
deletion. Each command is a module of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, add_commands, finish
from convergio_mlx.cli.models import (
    delete,
    download,
    import_,
    info,
    list_,
    path,
    pin,
    quantize,
    recommend,
    repair,
    verify,
)

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands

_COMMANDS = (list_, recommend, info, download, verify, repair, delete, path, import_, quantize, pin)
"""In the order of the help."""


def add_to(commands: Commands) -> None:
    """Declares the command and its commands."""
    parser = add_command(
        commands,
        "models",
        "list, download, verify and delete models",
        usage="COMMAND [OPTIONS]",
    )
    finish(parser, lambda given: given.parser.print_help())
    below = add_commands(parser)
    for command in _COMMANDS:
        command.add_to(below)
