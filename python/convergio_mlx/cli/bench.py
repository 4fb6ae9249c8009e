"""`convergio-mlx bench`: a model's speed on this machine, in a few lines."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, add_json, finish, wants_json
from convergio_mlx.cli.numbers import whole
from convergio_mlx.store.locate import GUIDE_ID

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands
    from convergio_mlx.cli.speed import Speed, Spread


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "bench",
        "measure a model's speed on this machine",
        "Measure a model's speed on this machine: time to load, time to first token, prefill and "
        "decode speed, memory, and the decode speed that the memory's bandwidth allows.",
        usage="[OPTIONS] [MODEL]",
    )
    parser.add_argument(
        "model",
        nargs="?",
        default=GUIDE_ID,
        metavar="MODEL",
        help=f"a model's id, or its folder (default: {GUIDE_ID})",
    )
    parser.add_argument(
        "--prompt",
        type=_count,
        default=512,
        metavar="N",
        help="tokens of the prompt (default: 512)",
    )
    parser.add_argument(
        "--answer",
        type=_several,
        default=64,
        metavar="N",
        help="tokens to generate, at least 2 (default: 64)",
    )
    parser.add_argument(
        "--rounds", type=_count, default=3, metavar="N", help="number of measurements (default: 3)"
    )
    add_json(parser, "the figures")
    finish(parser, _run)


def _count(given: str, least: int = 1) -> int:
    number = whole(given)
    if number < least:
        raise argparse.ArgumentTypeError(f"{number} is below {least}")
    return number


def _several(given: str) -> int:
    return _count(given, least=2)


def _run(given: argparse.Namespace) -> None:
    """Measures the model and tells what was found."""
    import json

    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.cli.speed import measure
    from convergio_mlx.cli.waiting import Waiting

    out, err = standard_output(), standard_error()
    with Waiting(err, f"loading {given.model}") as waiting:
        speed = measure(given.model, given.prompt, given.answer, given.rounds, waiting.now)
    if wants_json(given):
        found = {"model": given.model, "rounds": given.rounds, **speed.as_json()}
        out.raw(json.dumps(found) + "\n")
        return
    for line in lines(given.model, speed, given.rounds):
        out.line(line)


def lines(model: str, speed: Speed, rounds: int) -> list[str]:
    """What a person reads, at most 80 columns but for the model's name."""
    from convergio_mlx.cli.timings import megabytes

    where = f"{speed.backend} ({speed.isa})" if speed.isa else speed.backend
    prefill, decode = speed.prefill_tokens_per_second, speed.decode_tokens_per_second
    limit = speed.limit_tokens_per_second
    read = f"{speed.read_bytes_per_second / 1e9:.1f} GB/s"
    median = f"medians of {rounds} rounds, lowest and highest" if rounds > 1 else "one round"
    return [
        model,
        f"{megabytes(speed.weight_bytes)} of weights, {where}; {median}",
        _line("load", f"{speed.load_seconds * 1e3:.1f} ms", "model and tokenizer, once"),
        _spread(
            "first token",
            speed.first_token_seconds,
            f"{speed.short_prompt_tokens} tokens",
            rounds,
            1e3,
        ),
        _spread("prefill", prefill, f"{speed.prompt_tokens} tokens", rounds),
        _spread("decode", decode, f"{speed.answer_tokens} tokens", rounds),
        _line(
            "limit",
            f"{limit:.1f} tokens/s",
            f"{megabytes(speed.step_bytes)} per token, read at {read}",
        ),
        _line("", "", f"decode is at {100 * decode.median / limit:.0f} % of it"),
        _line("memory", megabytes(speed.peak_bytes), "at the peak, weights included"),
    ]


def _spread(name: str, found: Spread, of: str, rounds: int, factor: float = 0.0) -> str:
    unit = "ms" if factor else "tokens/s"
    median, low, high = ((factor or 1) * one for one in (found.median, found.low, found.high))
    spread = f"; {low:.1f} to {high:.1f}" if rounds > 1 else ""
    return _line(name, f"{median:.1f} {unit}", f"{of}{spread}")


def _line(name: str, figure: str, note: str) -> str:
    return f"{name:<12} {figure:>18}   {note}".rstrip()
