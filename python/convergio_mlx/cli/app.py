"""The program: its commands, and the flags of the bare command."""

from __future__ import annotations

import argparse
import os
from importlib import import_module

from convergio_mlx import __version__
from convergio_mlx.cli import (
    bench,
    chat,
    complete,
    completion,
    doctor,
    help_pages,
    models,
    setup,
)
from convergio_mlx.cli.commands import add_commands, add_json
from convergio_mlx.cli.output import YELLOW, standard_error
from convergio_mlx.cli.parser import Parser
from convergio_mlx.cli.reporting import reported
from convergio_mlx.offline import go_offline

PROGRAM = "convergio-mlx"
_COMMANDS = (chat, complete, setup, models, doctor, bench, help_pages, completion)
"""In the order of the help."""


def run() -> None:
    """Obeys this process's command line."""
    with reported():
        # The hub's library would log what servers write in their headers, as it comes.
        os.environ.setdefault("HF_HUB_VERBOSITY", "critical")
        parser = make_parser()
        given = parser.parse_args()
        _apply_config()
        given.run(given)


def _apply_config() -> None:
    from convergio_mlx.config import load_config

    config = load_config()
    for problem in config.problems:
        standard_error().line(problem, lead="warning: ", style=YELLOW)
    if config.offline:
        go_offline()


class _Version(argparse.Action):
    """--version: of this program, and of the MLX it was built with."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        try:
            mlx = f"mlx {import_module('convergio_mlx._mlx_version').MLX_VERSION}"
        except ImportError:
            mlx = "without its native module"
        print(f"{PROGRAM} {__version__} ({mlx})")
        parser.exit()


def make_parser() -> Parser:
    """The parser of all commands. What a command needs beyond its options is imported when it
    runs."""
    parser = Parser(
        prog=PROGRAM,
        usage="%(prog)s [OPTIONS] COMMAND [OPTIONS]",
        description="Run language models on this machine, offline.",
        epilog="With --model alone it holds a conversation, as chat does.",
    )
    parser.add_argument(
        "--provider",
        choices=("mlx",),
        metavar="NAME",
        help="who answers; mlx, which runs models on this machine, is the only one here",
    )
    parser.add_argument("-m", "--model", metavar="MODEL", help="the model, as chat takes it")
    parser.add_argument(
        "--list-models", action="store_true", help="list the models, as models list does"
    )
    add_json(parser, "what is printed")
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="show the versions of this program and of its MLX",
    )
    parser.add_common()
    parser.set_defaults(run=_bare, parser=parser)
    commands = add_commands(parser)
    for command in _COMMANDS:
        command.add_to(commands)
    return parser


def _bare(given: argparse.Namespace) -> None:
    """No command: the models, a conversation where a model or a provider is named, or the help."""
    parser: Parser = given.parser
    if given.list_models:
        listing = parser.parse_args(["models", "list", *(["--json"] if "json" in given else [])])
        listing.run(listing)
    elif given.model is not None or given.provider is not None:
        words = ["chat", *(["-m", given.model] if given.model is not None else [])]
        talk = parser.parse_args([*words, *(["--json"] if "json" in given else [])])
        talk.run(talk)
    else:
        parser.print_help()
