"""`convergio-mlx models quantize`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, add_json, finish, wants_json
from convergio_mlx.cli.numbers import whole

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands
    from convergio_mlx.cli.progress import ProgressDisplay
    from convergio_mlx.engine.perplexity import Perplexity
    from convergio_mlx.store.quantizing import QuantizedModel

_MODES = ("affine", "mxfp4", "mxfp8", "nvfp4")
_RECIPES = ("mixed_2_6", "mixed_3_4", "mixed_3_6", "mixed_4_6")
_LONGEST_TEXT = 16 << 20


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "quantize",
        "make a model of floats smaller",
        "Quantize a model of bfloat16, float16 or float32 weights, a few million numbers at a "
        "time, to the same bytes as mlx-lm's convert. The result is installed, or written to a "
        "folder; the source stays as it is.",
        usage="[OPTIONS] MODEL",
    )
    parser.add_argument("source", metavar="MODEL", help="a folder, or the id of an installed model")
    parser.add_argument(
        "--id",
        metavar="ID",
        dest="model",
        help="the id to install it under (default: the source's with an ending such as -4bit)",
    )
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        help="write it to this folder, which must not exist, and install nothing",
    )
    parser.add_argument(
        "--mode", choices=_MODES, default="affine", help="the format (default: affine)"
    )
    parser.add_argument(
        "--bits", type=whole, metavar="N", help="of a weight (default: 4; mxfp8: 8)"
    )
    parser.add_argument(
        "--group-size",
        type=whole,
        metavar="N",
        help="columns that share a scale (default: 64; mxfp4, mxfp8: 32; nvfp4: 16)",
    )
    parser.add_argument(
        "--recipe",
        choices=_RECIPES,
        help="mixed bits in affine mode: fewer for most matrices, more for those that matter most",
    )
    parser.add_argument(
        "--measure",
        metavar="FILE",
        help="read this text, 4096 tokens at most in windows of 512, with the model before and "
        "after, and print both perplexities",
    )
    add_json(parser, "what was made")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx import store
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.cli.progress import ProgressDisplay
    from convergio_mlx.convert.recipes import quantize_options
    from convergio_mlx.store.locate import locate

    options = {
        "bits": given.bits,
        "group_size": given.group_size,
        "mode": given.mode,
        "recipe": given.recipe,
    }
    quantize_options(**options)  # what is wrong with them is said before anything is measured
    text = _text(given.measure) if given.measure is not None else None
    measured = []
    with ProgressDisplay(standard_error()) as display:
        if text is not None:
            measured.append(_measure(locate(given.source), text, "before", display))
        made = store.quantize(
            given.source,
            model=given.model,
            output=given.output,
            on_progress=display,
            **options,
        )
        if text is not None:
            measured.append(_measure(made.folder, text, "after", display))
    out = standard_output()
    if wants_json(given):
        from convergio_mlx.cli.models.shown import write_json

        write_json(out, _as_json(made, measured))
        return
    for line in _lines(made, measured):
        out.line(line)


def _text(path: str) -> str:
    from convergio_mlx.errors import InvalidRequestError
    from convergio_mlx.platform.files import read_file

    try:
        return read_file(Path(path).expanduser(), _LONGEST_TEXT).decode()
    except (OSError, UnicodeDecodeError, RuntimeError, ValueError) as error:
        why = error.strerror or error if isinstance(error, OSError) else error
        raise InvalidRequestError(
            f"[quantize] the text {path!r} cannot be read ({why}); give a file of UTF-8 text."
        ) from error


def _measure(folder: Path, text: str, when: str, display: ProgressDisplay) -> Perplexity:
    from convergio_mlx.engine.engine import Engine
    from convergio_mlx.store import Progress

    def show(done: int, total: int) -> None:
        note = f"perplexity {when}, {done} of {total} tokens"
        display(Progress(folder.name, "measuring", note=note))

    with Engine.load(folder) as engine:
        return engine.perplexity(text, on_progress=show)


def _lines(made: QuantizedModel, measured: list[Perplexity]) -> list[str]:
    from convergio_mlx.cli.models.shown import installed_line
    from convergio_mlx.sizing.fit import size

    where = installed_line(made.installed) if made.installed else f"written to {made.folder}"
    lines = [
        where,
        f"{made.how}: {size(made.source_bytes)} became {size(made.size_bytes)}, "
        f"{made.bits_per_weight:.2f} bits per weight",
    ]
    if made.left_float:
        count = len(made.left_float)
        lines.append(
            f"{count} {'matrix stays' if count == 1 else 'matrices stay'} float, such as "
            f"{made.left_float[0]}"
        )
    if measured:
        before, after = measured
        lines.append(
            f"perplexity of {after.tokens} tokens in windows of {after.window}: "
            f"{before.value:.4g} before, {after.value:.4g} after "
            f"({100 * (after.value / before.value - 1):+.2f} %)"
        )
    return lines


def _as_json(made: QuantizedModel, measured: list[Perplexity]) -> dict[str, object]:
    from dataclasses import asdict

    from convergio_mlx.cli.models.shown import installed_json

    return {
        "id": made.installed.model if made.installed else None,
        "folder": str(made.folder),
        "installed": installed_json(made.installed) if made.installed else None,
        "how": made.how,
        "source": str(made.source),
        "source_bytes": made.source_bytes,
        "size_bytes": made.size_bytes,
        "bits_per_weight": made.bits_per_weight,
        "left_float": list(made.left_float),
        "perplexity": {
            "before": asdict(measured[0]),
            "after": asdict(measured[1]),
        }
        if measured
        else None,
    }
