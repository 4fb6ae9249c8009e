"""`convergio-mlx models delete`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, add_json, finish, wants_json

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands
    from convergio_mlx.cli.output import Stream


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "delete",
        "delete models from the disk",
        "Delete models and their unfinished downloads from the disk. A model that is loaded by any "
        "process is not deleted.",
        usage="[OPTIONS] MODEL...",
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="an id")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask for confirmation")
    add_json(parser, "the freed bytes")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx import store
    from convergio_mlx.cli.models.embedded import refuse_embedded
    from convergio_mlx.cli.models.shown import write_json
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.sizing.fit import size

    out, err = standard_output(), standard_error()
    for model in given.models:
        refuse_embedded(model, "deleted")
        if not given.yes and not _agrees(model, err):
            err.line(f"{model} is kept.")
            continue
        freed = store.delete(model)
        if wants_json(given):
            write_json(out, {"id": model, "freed_bytes": freed})
        else:
            out.line(f"{model} is deleted: {size(freed)} freed")


def _agrees(model: str, err: Stream) -> bool:
    """Whether a person at the terminal says yes."""
    from convergio_mlx import store
    from convergio_mlx.errors import InvalidRequestError
    from convergio_mlx.sizing.fit import size

    found = store.find(model)
    amount = found.size_bytes if found else store.partial_bytes(model)
    if not amount:
        return True  # there is nothing to lose, and the store says so
    if not sys.stdin.isatty():
        raise InvalidRequestError(
            f"[cli] deleting {model!a} ({size(amount)}) needs confirmation, and there is no "
            "terminal to ask at; give --yes."
        )
    err.raw(f"Delete {model} ({size(amount)})? [y/N] ")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
