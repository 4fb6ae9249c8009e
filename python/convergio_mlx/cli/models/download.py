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
        "download models and verify every file",
        "Download models and verify every file. Continues where an earlier download was "
        "interrupted. Ctrl-C stops it and keeps what is downloaded. If the registry pins no "
        "hashes, the first download records commit and hashes, and later ones must match them.\n\n"
        "hf:OWNER/NAME or hf:OWNER/NAME@REVISION downloads any repository of the Hugging Face hub, "
        "after a look at its config.json: whether this program runs it, and whether it fits into "
        "memory. Its id is then owner--name.",
        usage="[OPTIONS] MODEL...",
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="an id, or hf:OWNER/NAME")
    parser.add_argument(
        "--force",
        action="store_true",
        help="download a repository even if it does not fit into memory",
    )
    parser.add_argument(
        "--newest",
        action="store_true",
        help="download the newest commit, not the one that the first download recorded",
    )
    add_json(parser, "what was installed")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx.cli.models.embedded import refuse_embedded
    from convergio_mlx.cli.models.fetch import fetch
    from convergio_mlx.cli.models.shown import (
        installed_json,
        installed_line,
        known_models,
        write_json,
    )
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.store.trusted import known_entry

    out, err = standard_output(), standard_error()
    for model in given.models:
        refuse_embedded(model, "downloaded")
    registry = known_models(err)
    for model in given.models:
        if known_entry(model) is None:
            registry.require(model)
    for model in given.models:
        found = fetch(model, err, newest=given.newest, force=given.force)
        if wants_json(given):
            write_json(out, installed_json(found))
        else:
            out.line(installed_line(found, model))
