"""`convergio-mlx complete`: a text gone on from, without a template."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, finish
from convergio_mlx.cli.options import AnswerOptions

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "complete",
        "go on from a text, without the model's chat template",
        "Go on from a text, as it is: without the model's chat template.",
        usage="[OPTIONS] [PROMPT]",
    )
    parser.add_argument(
        "prompt",
        nargs="?",
        metavar="PROMPT",
        help="the text; - or none takes it from standard input, less one newline at its end",
    )
    AnswerOptions.add_to(parser)
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    """Writes what the model puts after the prompt."""
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.cli.prompt import given_prompt
    from convergio_mlx.cli.session import Session

    options = AnswerOptions.of(given)
    text = given_prompt(given.prompt)
    session = Session(options, standard_output(), standard_error())
    answer = session.answer(text)
    session.conclude(answer, text=answer.text)
    session.exit_with(answer)
