"""`convergio-mlx models import`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, add_json, finish, wants_json

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands
    from convergio_mlx.store import InstalledModel, OnProgress

PROGRAMS = ("ollama", "lmstudio", "huggingface")


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "import",
        "install a model that is on this machine already",
        "Install a model from a folder, from the Hugging Face cache, or from another program on "
        "this machine, without a second copy where the file system can share one; or from a GGUF "
        "file, which is converted. Nothing of theirs is changed.",
        usage="[OPTIONS] [SOURCE]",
    )
    parser.add_argument(
        "source",
        nargs="?",
        metavar="SOURCE",
        help="a folder; a GGUF file, of a model in parts any of them; or the owner/name or the id "
        "of a model in the Hugging Face cache; with --from a name that the program has",
    )
    parser.add_argument(
        "--from",
        choices=PROGRAMS,
        dest="program",
        help="the program that has it; without SOURCE, list what it has and whether that fits and "
        "can be imported",
    )
    parser.add_argument(
        "--id",
        metavar="ID",
        dest="model",
        help="the id to install it under (default: the registry's, or the name in small letters)",
    )
    add_json(parser, "what was installed, or the list")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx.cli.models.elsewhere import show
    from convergio_mlx.cli.models.shown import installed_json, installed_line, write_json
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.cli.progress import ProgressDisplay

    if given.source is None:
        if given.program is None or given.model is not None:
            given.parser.error("the following arguments are required: SOURCE")
        show(given.program, json=wants_json(given))
        return
    out = standard_output()
    with ProgressDisplay(standard_error()) as display:
        found = _imported(given, display)
    if wants_json(given):
        write_json(out, installed_json(found))
    else:
        out.line(installed_line(found))


def _imported(given: argparse.Namespace, display: OnProgress) -> InstalledModel:
    from convergio_mlx import store

    if given.program is None:
        return store.import_model(given.source, model=given.model, on_progress=display)
    return store.import_from(given.program, given.source, model=given.model, on_progress=display)
