"""`convergio-mlx help`: pages on a subject, and the help of the commands."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, finish

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands
    from convergio_mlx.cli.parser import Parser

PAGES = ("local", "models", "setup")
"""The subjects, in the order of the list."""


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "help",
        f"explain a subject: {', '.join(PAGES)}",
        f"Explain a subject ({', '.join(PAGES)}), or a command as its --help does.",
        usage="[SUBJECT | COMMAND]",
    )
    parser.add_argument(
        "subject", nargs="*", metavar="SUBJECT", help="a page, or the name of a command"
    )
    finish(parser, _run)


def page(name: str) -> str:
    """A page's text, at most 80 columns wide."""
    return (Path(__file__).parent / "pages" / f"{name}.txt").read_text(encoding="utf-8")


def _run(given: argparse.Namespace) -> None:
    program: Parser = given.program
    parser = program
    if len(given.subject) == 1 and given.subject[0] in PAGES:
        print(page(given.subject[0]), end="")
        return
    for name in given.subject:
        if name not in parser.commands:
            given.parser.error(
                f"there is no help page {name!r}; available: "
                f"{', '.join(dict.fromkeys((*PAGES, *program.commands)))}"
            )
        parser = parser.commands[name]
    parser.print_help()
    if not given.subject:
        print(f"\n`{parser.prog} help SUBJECT` explains: {', '.join(PAGES)}.")
