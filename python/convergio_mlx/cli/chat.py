"""`convergio-mlx chat`: one question, or a conversation."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, finish
from convergio_mlx.cli.options import AnswerOptions

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "chat",
        "answer a question, or hold a conversation",
        "Answer a question, or hold a conversation.\n\n"
        "In a conversation Ctrl-C stops an answer, Ctrl-D ends the program, and /help lists the "
        "commands.",
        usage="[OPTIONS] [PROMPT]",
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
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    """Answers the prompt, or converses where there is none and somebody at a terminal."""
    from convergio_mlx.cli.conversation import Conversation
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.cli.prompt import given_prompt
    from convergio_mlx.cli.session import Session

    options = AnswerOptions.of(given)
    conversation = Conversation(given.system)
    if given.prompt is None and sys.stdin.isatty():
        from convergio_mlx.cli.interactive import converse

        converse(Session(options, standard_output(), standard_error()), conversation)
        return
    question = given_prompt(given.prompt)
    session = Session(options, standard_output(), standard_error())
    answer = session.answer(conversation.asking(question))
    session.conclude_message(answer)
    session.exit_with(answer)
