"""`convergio-mlx complete`: a text gone on from, without a template."""

from __future__ import annotations

import sys

from convergio_mlx.cli import exits
from convergio_mlx.cli.options import AnswerOptions
from convergio_mlx.cli.output import standard_error, standard_output
from convergio_mlx.cli.prompt import given_prompt
from convergio_mlx.cli.session import Session


def complete(prompt: str | None, options: AnswerOptions) -> None:
    """Writes what the model puts after `prompt`."""
    text = given_prompt(prompt)
    session = Session(options, standard_output(), standard_error())
    answer = session.answer(text)
    session.conclude(answer, text=answer.text)
    if answer.finish_reason == "cancelled":
        sys.exit(exits.INTERRUPTED)
