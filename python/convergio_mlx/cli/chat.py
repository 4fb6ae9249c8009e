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
        "Piped text is added to the question: `cat notes.txt | convergio-mlx chat "
        '"Summarize this"`. In a script that has other uses for standard input, add `< '
        "/dev/null`.\n\n"
        "In a conversation Ctrl-C stops an answer, Ctrl-D ends the program, and /help lists the "
        "commands. Before the context window is full, the oldest messages are replaced by a "
        "summary.",
        usage="[OPTIONS] [PROMPT]",
    )
    parser.add_argument(
        "prompt",
        nargs="?",
        metavar="PROMPT",
        help="the question; - or none reads it from standard input, and none at a terminal "
        "begins a conversation",
    )
    parser.add_argument("--system", metavar="TEXT", help="system message: how to answer")
    AnswerOptions.add_to(parser)
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    """Answers the prompt, or converses where there is none and somebody at a terminal."""
    from convergio_mlx.cli.chat_session import ChatSession
    from convergio_mlx.cli.models.offer import have
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.cli.prompt import question
    from convergio_mlx.cli.screen import Screen

    screen = Screen(AnswerOptions.of(given), standard_output(), standard_error())
    have(screen.options, screen.err)
    if given.prompt is None and sys.stdin is not None and sys.stdin.isatty():
        from convergio_mlx.cli.interactive import converse

        converse(ChatSession(screen, given.system))
        return
    asked = question(given.prompt, screen.err)
    answer = ChatSession(screen, given.system).ask(asked)
    screen.conclude_message(answer)
    screen.exit_with(answer)
