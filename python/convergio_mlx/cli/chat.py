"""`convergio-mlx chat`: one question, or a conversation."""

from __future__ import annotations

import sys

from convergio_mlx.cli import exits
from convergio_mlx.cli.conversation import Conversation
from convergio_mlx.cli.options import AnswerOptions
from convergio_mlx.cli.output import standard_error, standard_output
from convergio_mlx.cli.prompt import given_prompt
from convergio_mlx.cli.session import Answer, Session


def chat(prompt: str | None, system: str | None, options: AnswerOptions) -> None:
    """Answers `prompt`, or converses where there is none and somebody at a terminal."""
    conversation = Conversation(system)
    if prompt is None and sys.stdin.isatty():
        from convergio_mlx.cli.interactive import converse

        converse(Session(options, standard_output(), standard_error()), conversation)
        return
    question = given_prompt(prompt)
    session = Session(options, standard_output(), standard_error())
    answer = session.answer(conversation.asking(question))
    conclude(session, answer)
    if answer.finish_reason == "cancelled":
        sys.exit(exits.INTERRUPTED)


def conclude(session: Session, answer: Answer) -> None:
    """Ends an answer of a conversation."""
    session.conclude(answer, message={"role": "assistant", "content": answer.text})
