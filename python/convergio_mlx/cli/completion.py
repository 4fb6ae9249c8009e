"""`convergio-mlx completion`: what a shell needs to complete commands, options and models."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, finish

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands

SHELLS = ("bash", "zsh", "fish")
MODELS = "models"
"""What the scripts ask for instead of a shell: the ids that can be completed."""


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "completion",
        "write a script that completes this program's command lines",
        "Write a script that completes this program's command lines.\n\n"
        'bash: eval "$(convergio-mlx completion bash)" in ~/.bashrc. '
        'zsh: eval "$(convergio-mlx completion zsh)" in ~/.zshrc, after compinit. '
        "fish: convergio-mlx completion fish > ~/.config/fish/completions/convergio-mlx.fish.",
        usage=f"{{{','.join(SHELLS)}}}",
    )
    parser.add_argument(
        "shell",
        choices=(*SHELLS, MODELS),
        metavar="SHELL",
        help=f"{', '.join(SHELLS)}; {MODELS} writes the ids of models",
    )
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    if given.shell == MODELS:
        print("\n".join(_models()))
        return
    from convergio_mlx.cli import completion_scripts
    from convergio_mlx.cli.app import make_parser

    print(completion_scripts.script(given.shell, make_parser()), end="")


def _models() -> list[str]:
    from convergio_mlx.locate import GUIDE_ID
    from convergio_mlx.registry import load_registry
    from convergio_mlx.store import installed

    here = [GUIDE_ID, *(one.model for one in installed())]
    return list(dict.fromkeys([*here, *load_registry().models]))
