"""`convergio-mlx complete`: continues a text, without a chat template."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, finish
from convergio_mlx.cli.options import AnswerOptions

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands
    from convergio_mlx.cli.screen import Answer, Screen


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "complete",
        "continue a text, without the model's chat template",
        "Continue a text as it is, without the model's chat template.",
        usage="[OPTIONS] [PROMPT]",
    )
    parser.add_argument(
        "prompt",
        nargs="?",
        metavar="PROMPT",
        help="the text; - or none reads it from standard input, without one newline at its end",
    )
    AnswerOptions.add_to(parser)
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    """Writes what the model puts after the prompt."""
    from convergio_mlx.cli.models.offer import have
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.cli.prompt import text_to_continue
    from convergio_mlx.cli.screen import Screen

    screen = Screen(AnswerOptions.of(given), standard_output(), standard_error())
    have(screen.options, screen.err)
    answer = _continued(screen, text_to_continue(given.prompt, screen.err))
    screen.conclude(answer, text=answer.text)
    screen.exit_with(answer)


def _continued(screen: Screen, text: str) -> Answer:
    from convergio_mlx.cli.interrupts import Interrupts
    from convergio_mlx.cli.screen import Piece
    from convergio_mlx.cli.waiting import Waiting
    from convergio_mlx.engine.engine import Engine

    options = screen.options
    params = options.sampling()
    start = time.perf_counter()
    with Waiting(screen.err, f"loading {options.model}"):
        engine = Engine.load(options.model, force=options.force)
        _ = engine.tokenizer.stop_ids
    screen.load_seconds = time.perf_counter() - start
    generation = None

    def cancel() -> bool:
        if generation is not None:
            generation.cancel()
        return generation is not None

    with Waiting(screen.err, "reading the prompt") as waiting, Interrupts(cancel):
        generation = engine.generate(text, params, timeout=options.timeout)
        pieces = (Piece(chunk.text, finish_reason=chunk.finish_reason) for chunk in generation)
        try:
            return screen.show(pieces, lambda: generation.stats, waiting.done)
        finally:
            generation.cancel()
