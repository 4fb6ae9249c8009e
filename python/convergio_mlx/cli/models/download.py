"""`convergio-mlx models download`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, add_json, finish, wants_json

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "download",
        "download models, and check every byte",
        "Download models, and check every byte. Goes on from where an earlier download was "
        "interrupted. Ctrl-C stops it and keeps what has come.",
        usage="[OPTIONS] MODEL...",
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="an id")
    add_json(parser, "what was installed")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx import store
    from convergio_mlx.cli.models.shown import (
        installed_json,
        installed_line,
        known_models,
        write_json,
    )
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.cli.progress import ProgressDisplay, stoppable

    out, err = standard_output(), standard_error()
    registry = known_models(err)
    for name in [registry.require(model).id for model in given.models]:
        command = f"convergio-mlx models download {name}"
        with stoppable(ProgressDisplay(err), err, command) as display:
            found = store.download(name, on_progress=display)
        if wants_json(given):
            write_json(out, installed_json(found))
        else:
            out.line(installed_line(found))
