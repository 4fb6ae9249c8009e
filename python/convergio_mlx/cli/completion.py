"""`convergio-mlx completion`, and what the shell is told while a command line is typed: argcomplete
reads the parsers themselves."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, finish
from convergio_mlx.cli.help_pages import PAGES
from convergio_mlx.errors import UnavailableError

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands
    from convergio_mlx.cli.parser import Parser

SHELLS = ("bash", "zsh", "fish")
Completer = Callable[..., Iterable[str]]


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "completion",
        "write a script that lets a shell complete this program's command lines",
        "Write a script that lets a shell complete this program's command lines.\n\n"
        'bash: eval "$(convergio-mlx completion bash)" in ~/.bashrc. '
        'zsh: eval "$(convergio-mlx completion zsh)" in ~/.zshrc, after compinit. '
        "fish: convergio-mlx completion fish > ~/.config/fish/completions/convergio-mlx.fish.",
        usage=f"{{{','.join(SHELLS)}}}",
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    try:
        from argcomplete.shell_integration import shellcode
    except ModuleNotFoundError as error:
        raise UnavailableError(
            "[completion] argcomplete is not installed; run `pip install argcomplete`.",
            hint="pip install argcomplete",
        ) from error
    from convergio_mlx.cli.output import standard_output

    standard_output().raw(shellcode([given.program.prog], shell=given.shell).lstrip("\n"))


def complete_if_asked(program: Parser) -> None:
    """Answers the shell and ends the process, where a shell asks; the scripts set the variable."""
    if "_ARGCOMPLETE" not in os.environ:
        return
    import argcomplete
    from argcomplete.completers import SuppressCompleter

    for action in _actions(program):
        completer = _completer(action, program)
        if completer is not None:
            action.completer = completer  # type: ignore[attr-defined]
    argcomplete.autocomplete(
        program, always_complete_options=False, default_completer=SuppressCompleter()
    )


def _actions(parser: Parser) -> Iterator[argparse.Action]:
    yield from parser._actions
    for command in parser.commands.values():
        yield from _actions(command)


def _completer(action: argparse.Action, program: Parser) -> Completer | None:
    """What completes an option's value or an argument; None leaves it to its choices."""
    from argcomplete.completers import DirectoriesCompleter, FilesCompleter

    folders: Completer = DirectoriesCompleter()
    json_files: Completer = FilesCompleter(("json",))
    match action.metavar:
        case "MODEL" | "ID":
            takes_folder = action.dest in ("model", "top_model")
            return lambda prefix, **_: [*_models(), *(folders(prefix) if takes_folder else ())]
        case "SOURCE":
            return lambda prefix, **_: folders(prefix)
        case "FILE":
            return json_files
        case "SUBJECT":
            return lambda **_: [*PAGES, *program.commands]
    return None


def _models() -> list[str]:
    from convergio_mlx.registry import load_registry
    from convergio_mlx.store import installed
    from convergio_mlx.store.locate import GUIDE_ID

    here = [GUIDE_ID, *(one.model for one in installed())]
    return list(dict.fromkeys([*here, *load_registry().models]))
