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
        "Continue a text as it is, without the model's chat template.\n\n"
        "With --batch the requests of a file are run instead, many at once. Each line is a JSON "
        "object with a custom_id of its own and either messages, for a chat, or a prompt, a text "
        "to continue. It may have max_tokens (or max_completion_tokens), temperature, top_k, "
        "top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty, logit_bias, seed "
        "and stop, which go before the options; with messages also tools, tool_choice, "
        "parallel_tool_calls, response_format, reasoning_budget and chat_template_kwargs. "
        "OpenAI's batch lines are taken too: custom_id, method, url and these fields in body. "
        "Results have custom_id, response (its body as of OpenAI) and error, and come as they "
        "are complete. The same command again runs what has no result in --output.",
        usage="[OPTIONS] [PROMPT]",
    )
    parser.add_argument(
        "prompt",
        nargs="?",
        metavar="PROMPT",
        help="the text; - or none reads it from standard input, without one newline at its end",
    )
    parser.add_argument(
        "--batch", metavar="FILE", help="run the requests of a file of JSON lines (see above)"
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="append a batch's results to this file (default: standard output)",
    )
    AnswerOptions.add_to(parser)
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    """Writes what the model puts after the prompt, or runs a batch."""
    if given.batch is not None:
        _refuse_beside_batch(given)
        from convergio_mlx.cli.batch import run

        run(given)
        return
    if given.output is not None:
        given.parser.error("--output goes with --batch")
    from convergio_mlx.cli.models.offer import have
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.cli.prompt import text_to_continue
    from convergio_mlx.cli.screen import Screen

    screen = Screen(AnswerOptions.of(given), standard_output(), standard_error())
    have(screen.options, screen.err)
    answer = _continued(screen, text_to_continue(given.prompt, screen.err))
    screen.conclude(answer, text=answer.text)
    screen.exit_with(answer)


def _refuse_beside_batch(given: argparse.Namespace) -> None:
    """A batch has its prompts in the file, and always writes JSON."""
    if given.prompt is not None:
        given.parser.error("--batch takes no PROMPT")
    for name in ("json", "stats"):
        if getattr(given, name, False):
            given.parser.error(f"--batch takes no --{name}")


def _continued(screen: Screen, text: str) -> Answer:
    from convergio_mlx.cli.interrupts import Interrupts
    from convergio_mlx.cli.screen import Piece
    from convergio_mlx.cli.waiting import Waiting
    from convergio_mlx.engine.engine import Engine

    options = screen.options
    params = options.sampling()
    start = time.perf_counter()
    with Waiting(screen.err, f"loading {options.model}"):
        engine = Engine.load(options.model, draft_model=options.draft_model, force=options.force)
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
