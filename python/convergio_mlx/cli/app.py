"""The program's commands and what they are given."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING, Any

from convergio_mlx import __version__
from convergio_mlx.cli.options import AnswerOptions
from convergio_mlx.cli.parser import Parser
from convergio_mlx.cli.reporting import reported

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Parser]

PROGRAM = "convergio-mlx"


def run() -> None:
    """Obeys this process's command line."""
    with reported():
        parser = make_parser()
        given = parser.parse_args()
        if given.command is None:
            parser.print_help()
        else:
            given.run(given)


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
        usage="%(prog)s COMMAND [OPTIONS]",
        description="Run language models on this machine, offline.",
    )
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="show the versions of this program and of its MLX",
    )
    parser.add_common()
    commands: Commands = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", prog=PROGRAM, parser_class=Parser
    )
    _add_chat(commands)
    _add_complete(commands)
    parser.commands = commands.choices
    return parser


def _add_chat(commands: Commands) -> None:
    parser = _add(
        commands,
        "chat",
        "answer a question, or hold a conversation",
        "Answer a question, or hold a conversation.\n\n"
        "In a conversation Ctrl-C stops an answer, Ctrl-D ends the program, and /help lists the "
        "commands.",
    )
    parser.add_argument(
        "prompt",
        nargs="?",
        metavar="PROMPT",
        help="the question; - takes it from standard input, and so does none where that is no "
        "terminal",
    )
    parser.add_argument("--system", metavar="TEXT", help="tell the model how to answer")
    AnswerOptions.add_to(parser)
    parser.add_common()
    parser.set_defaults(run=_chat)


def _chat(given: Any) -> None:
    from convergio_mlx.cli.chat import chat

    chat(given.prompt, given.system, AnswerOptions.of(given))


def _add_complete(commands: Commands) -> None:
    parser = _add(
        commands,
        "complete",
        "go on from a text, without the model's chat template",
        "Go on from a text, as it is: without the model's chat template.",
    )
    parser.add_argument(
        "prompt",
        nargs="?",
        metavar="PROMPT",
        help="the text; - or none takes it from standard input, less one newline at its end",
    )
    AnswerOptions.add_to(parser)
    parser.add_common()
    parser.set_defaults(run=_complete)


def _complete(given: Any) -> None:
    from convergio_mlx.cli.complete import complete

    complete(given.prompt, AnswerOptions.of(given))


def _add(commands: Commands, name: str, summary: str, description: str) -> Parser:
    return commands.add_parser(
        name, help=summary, description=description, usage="%(prog)s [OPTIONS] [PROMPT]"
    )
