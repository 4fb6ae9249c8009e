"""The program: its commands, and the flags of the bare command."""

from __future__ import annotations

import argparse
import os
from importlib import import_module

from convergio_mlx.cli import (
    bench,
    chat,
    complete,
    completion,
    doctor,
    help_pages,
    models,
    serve,
    setup,
)
from convergio_mlx.cli.commands import add_commands
from convergio_mlx.cli.output import YELLOW, standard_error
from convergio_mlx.cli.parser import Parser
from convergio_mlx.cli.reporting import reported
from convergio_mlx.platform.offline import go_offline
from convergio_mlx.version import __version__

PROGRAM = "convergio-mlx"
_COMMANDS = (chat, complete, setup, models, serve, doctor, bench, help_pages, completion)
"""In the order of the help."""


def run() -> None:
    """Obeys this process's command line."""
    with reported():
        # The hub's library would log what servers write in their headers, as it comes.
        os.environ.setdefault("HF_HUB_VERBOSITY", "critical")
        parser = make_parser()
        completion.complete_if_asked(parser)
        given = parser.parse_args()
        _apply_config()
        _pass_on(given)
        given.run(given)


def _pass_on(given: argparse.Namespace) -> None:
    """Options before a command count for it as if they stood behind its name; one that it does not
    have is an error."""
    own = {action.dest for action in given.parser._actions}
    for name in ("model", "json"):
        value = getattr(given, f"top_{name}", None)
        if not value or given.parser is given.program:
            continue
        takes = name in own if name == "json" else _answers(given.parser)
        if not takes:
            given.parser.error(f"--{name} is no option of `{given.parser.prog}`")
        if name not in given:
            setattr(given, name, value)
    if given.parser is not given.program and given.list_models:
        given.program.error("--list-models is a command of its own; leave the other one out")
    if given.provider is not None and not (given.parser is given.program or _answers(given.parser)):
        given.parser.error(f"--provider is no option of `{given.parser.prog}`")


def _answers(parser: argparse.ArgumentParser) -> bool:
    """Whether a command is one that has a model answer."""
    return any(action.dest == "max_tokens" for action in parser._actions)


def _apply_config() -> None:
    from convergio_mlx.platform.user_config import load_config

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
        epilog="With only --model it starts a conversation, as chat does.",
    )
    parser.add_argument(
        "--provider",
        choices=("mlx",),
        metavar="NAME",
        help="the provider; mlx, which runs models on this machine, is the only one",
    )
    parser.add_argument(
        "-m", "--model", dest="top_model", metavar="MODEL", help="the model, same as chat -m"
    )
    parser.add_argument(
        "--list-models", action="store_true", help="list models, same as models list"
    )
    parser.add_argument("--json", dest="top_json", action="store_true", help="print JSON")
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="show the version of this program and of MLX",
    )
    parser.add_common()
    parser.set_defaults(run=_bare, parser=parser, program=parser)
    commands = add_commands(parser)
    for command in _COMMANDS:
        command.add_to(commands)
    return parser


def _bare(given: argparse.Namespace) -> None:
    """No command: the models, a conversation where a model or a provider is named, or the help."""
    parser: Parser = given.parser
    json = ["--json"] if given.top_json else []
    if given.list_models:
        if given.top_model is not None:
            parser.error("--list-models takes no --model")
        listing = parser.parse_args(["models", "list", *json])
        listing.run(listing)
    elif given.top_model is not None or given.provider is not None:
        words = ["chat", *(["-m", given.top_model] if given.top_model is not None else [])]
        talk = parser.parse_args([*words, *json])
        talk.run(talk)
    elif json:
        parser.error("--json goes with a command, --model or --list-models")
    else:
        parser.print_help()
