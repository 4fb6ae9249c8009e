"""How a command is declared: what argparse is told, and the options that all have."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from convergio_mlx.cli.parser import Parser

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Parser]

Run = Callable[[argparse.Namespace], None]


def add_command(
    commands: Commands, name: str, summary: str, description: str = "", *, usage: str = "[OPTIONS]"
) -> Parser:
    """A command's parser, without arguments yet; `finish` it when they are added.

    Args:
        commands: where it belongs.
        name: what is typed.
        summary: its line in the list of commands.
        description: the beginning of its help; the summary as a sentence where it is empty.
        usage: what follows its name.
    """
    sentence = f"{summary[:1].upper()}{summary[1:]}."
    return commands.add_parser(
        name, help=summary, description=description or sentence, usage=f"%(prog)s {usage}"
    )


def add_commands(parser: Parser, metavar: str = "COMMAND") -> Commands:
    """Lets a parser have commands; `parser.commands` lists them once they are added."""
    commands: Commands = parser.add_subparsers(
        title="commands", dest="command", metavar=metavar, prog=parser.prog, parser_class=Parser
    )
    parser.commands = commands.choices
    return commands


def add_json(parser: Parser, what: str) -> None:
    """Lets a command write what it found for programs."""
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help=f"print {what} as JSON"
    )


def wants_json(given: argparse.Namespace) -> bool:
    """Whether --json was given, before the command's name or after it."""
    return bool(getattr(given, "json", False))


def finish(parser: Parser, run: Run, **defaults: Any) -> None:
    """Adds the options that every command has, last in its help, and what the command does."""
    parser.add_common()
    parser.set_defaults(run=run, parser=parser, **defaults)
