"""How command lines are read: by argparse, which costs a few milliseconds where the libraries on
top of it cost more than a first token does; with help and errors in the program's own form."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from convergio_mlx.cli import exits
from convergio_mlx.cli.output import RED, standard_error
from convergio_mlx.cli.reporting import show_tracebacks
from convergio_mlx.platform.offline import go_offline


class _Help(argparse.HelpFormatter):
    """The same help on every version of Python and at most 80 columns wide."""

    def __init__(self, prog: str) -> None:
        columns = shutil.get_terminal_size().columns
        super().__init__(prog, max_help_position=26, width=max(min(columns, 80) - 2, 20))

    def add_argument(self, action: argparse.Action) -> None:
        """Also makes room for commands, whose further indent argparse forgets."""
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            longest = max(map(len, action.choices), default=0)
            self._action_max_length = max(self._action_max_length, longest + 4)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n\n".join([fill(part, width, indent) for part in text.split("\n\n")])

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        return f"{', '.join(action.option_strings)} {action.metavar}"


class _Debug(argparse.Action):
    """--debug, before a command's name or after it."""

    def __call__(self, *_: object) -> None:
        show_tracebacks()


class _Offline(argparse.Action):
    """--offline, before a command's name or after it."""

    def __call__(self, *_: object) -> None:
        go_offline()


class Parser(argparse.ArgumentParser):
    """A parser of the program or of one of its commands."""

    def __init__(self, **settings: Any) -> None:
        """As ArgumentParser; options are never guessed from their first letters."""
        super().__init__(formatter_class=_Help, allow_abbrev=False, add_help=False, **settings)
        self.commands: Mapping[str, Parser] = {}

    def add_common(self) -> None:
        """The options that every command has, last in its help."""
        self.add_argument(
            "--offline",
            action=_Offline,
            nargs=0,
            default=argparse.SUPPRESS,
            help="never use the network",
        )
        self.add_argument(
            "--debug",
            action=_Debug,
            nargs=0,
            default=argparse.SUPPRESS,
            help="show the traceback when an error occurs",
        )
        self.add_argument("-h", "--help", action="help", help="show this help")

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: None = None
    ) -> argparse.Namespace:
        """Reads a command line, or ends the process with help or an error."""
        given, unknown = self.parse_known_args(args, namespace)
        if unknown:
            given.parser.error(f"unknown argument {unknown[0][:80]!r}")
        return given

    def error(self, message: str) -> NoReturn:
        """Ends the process with a sentence on standard error."""
        text = f"[cli] {message}; `{self.prog} --help` lists commands and options."
        standard_error().line(text, lead="error: ", style=RED)
        sys.exit(exits.USAGE)
