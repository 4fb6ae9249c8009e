"""Scripts for shells, from the parsers themselves."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from convergio_mlx.cli.completion import MODELS
from convergio_mlx.cli.help_pages import PAGES
from convergio_mlx.cli.parser import Parser

_ID_METAVARS = frozenset({"MODEL", "ID"})
"""Arguments that take a model's id."""


@dataclass(frozen=True)
class Place:
    """A command, by its words, and what may follow it."""

    path: tuple[str, ...]
    commands: tuple[tuple[str, str], ...]
    """Names and summaries."""
    options: tuple[argparse.Action, ...]
    arguments: tuple[argparse.Action, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The path, below the program's name."""
        return self.path[1:]


def script(shell: str, parser: Parser) -> str:
    """The script for `bash`, `zsh` or `fish`."""
    places = list(_places(parser))
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](parser.prog, places)


def _places(parser: Parser) -> Iterator[Place]:
    actions = [one for one in parser._actions if one.help != argparse.SUPPRESS]
    summaries = [
        (choice.dest, choice.help or "")
        for action in actions
        if isinstance(action, argparse._SubParsersAction)
        for choice in action._choices_actions
    ]
    yield Place(
        tuple(parser.prog.split()),
        tuple(summaries),
        tuple(one for one in actions if one.option_strings),
        tuple(
            one
            for one in actions
            if not one.option_strings and not isinstance(one, argparse._SubParsersAction)
        ),
    )
    for command in parser.commands.values():
        yield from _places(command)


def _takes_value(action: argparse.Action) -> bool:
    return action.nargs != 0


def _is_model(action: argparse.Action) -> bool:
    return action.metavar in _ID_METAVARS


def _choices(action: argparse.Action, top: Place) -> list[str]:
    """The words that an argument or an option's value can be, where they are known here."""
    if action.metavar == "SUBJECT":
        return [*PAGES, *(name for name, _ in top.commands)]
    return [str(one) for one in action.choices or () if one != MODELS]


def _flags(options: Iterable[argparse.Action]) -> str:
    return "|".join(sorted({flag for one in options for flag in one.option_strings}))


def _bash(program: str, places: list[Place]) -> str:
    function = f"_{program.replace('-', '_')}"
    ask = f"$({program} completion {MODELS} 2>/dev/null)"
    valued = [one for place in places for one in place.options if _takes_value(one)]
    chosen = [one for one in valued if one.choices]
    models = [one for one in valued if _is_model(one)]
    others = [one for one in valued if one not in chosen and one not in models]
    values = [
        f"    {_flags([one])}) words='{' '.join(_choices(one, places[0]))}' ;;" for one in chosen
    ]
    cases = []
    for place in places:
        words = [name for name, _ in place.commands]
        words += [flag for one in place.options for flag in one.option_strings]
        words += [word for one in place.arguments for word in _choices(one, places[0])]
        more = f" {ask}" if any(map(_is_model, place.arguments)) else ""
        cases.append(f'      "{" ".join(place.words)}") words="{" ".join(words)}{more}" ;;')
    paths = " ".join(f'"{" ".join(place.words)}"' for place in places if place.words)
    lines = "\n".join
    return f"""\
# Completion of {program} for bash. Made by `{program} completion bash`.
{function}() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}
  local path="" next words="" i one skip=""
  local known=({paths})
  for ((i = 1; i < COMP_CWORD; i++)); do
    one=${{COMP_WORDS[i]}}
    if [[ -n $skip ]]; then skip=""; continue; fi
    case $one in
      {_flags(valued)}) skip=1; continue ;;
    esac
    next=${{path:+$path }}$one
    for one in "${{known[@]}}"; do
      if [[ $one == "$next" ]]; then path=$next; break; fi
    done
  done
  case $before in
    {_flags(models)}) words="{ask} $(compgen -d -- "$word")" ;;
    {_flags(others)}) return ;;
{lines(values)}
    *) case $path in
{lines(cases)}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -F {function} {program}
"""


def _zsh(program: str, places: list[Place]) -> str:
    function = f"_{program.replace('-', '_')}"
    blocks = [_zsh_block(function, place, places[0]) for place in places]
    return (
        f"#compdef {program}\n"
        f"# Completion of {program} for zsh. Made by `{program} completion zsh`.\n"
        f"{function}_models() {{\n"
        f'  compadd -- ${{(f)"$({program} completion {MODELS} 2>/dev/null)"}}\n'
        "}\n" + "".join(blocks) + f"compdef {function} {program}\n"
    )


def _zsh_block(function: str, place: Place, top: Place) -> str:
    name = "_".join([function, *(word.replace("-", "_") for word in place.words)])
    lines = []
    for option in place.options:
        about = _zsh_text(option.help or "")
        for flag in option.option_strings:
            value = ""
            if _takes_value(option):
                value = (
                    f":{str(option.metavar or 'value').lower()}:{_zsh_value(function, option, top)}"
                )
            lines.append(f"    '{flag}[{about}]{value}'")
    for argument in place.arguments:
        many = "*" if argument.nargs in ("*", "+") else ""
        lines.append(f"    '{many}:{argument.dest}:{_zsh_value(function, argument, top)}'")
    if place.commands:
        lines += ["    '1:command:->command'", "    '*::argument:->argument'"]
    body = " \\\n".join(lines)
    text = f"{name}() {{\n  local state line\n  typeset -A opt_args\n  _arguments -C \\\n{body}\n"
    if place.commands:
        listed = "\n".join(
            f"        '{command}:{_zsh_text(about)}'" for command, about in place.commands
        )
        calls = "\n".join(
            f"        {command}) {name}_{command.replace('-', '_')} ;;"
            for command, _ in place.commands
        )
        text += (
            f"  case $state in\n    command)\n      local -a commands=(\n{listed}\n      )\n"
            "      _describe command commands ;;\n"
            f"    argument)\n      case $line[1] in\n{calls}\n      esac ;;\n  esac\n"
        )
    return text + "}\n"


def _zsh_value(function: str, action: argparse.Action, top: Place) -> str:
    if words := _choices(action, top):
        return f"({' '.join(words)})"
    return f"{function}_models" if _is_model(action) else " "


def _zsh_text(text: str) -> str:
    plain = text.replace("%(prog)s", "").replace("%%", "%")
    for letter in "[]:'":
        plain = plain.replace(letter, "'\\''" if letter == "'" else f"\\{letter}")
    return plain


def _fish(program: str, places: list[Place]) -> str:
    lines = [
        f"# Completion of {program} for fish. Made by `{program} completion fish`.",
        f"complete -c {program} -f",
    ]
    for place in places:
        where = _fish_condition(place)
        for command, about in place.commands:
            lines.append(f"complete -c {program} {where} -a {command} -d {_fish_text(about)}")
        for option in place.options:
            flags = " ".join(
                f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
                for flag in option.option_strings
            )
            value = ""
            if _takes_value(option):
                value = " -x"
                if words := _choices(option, places[0]):
                    value += f" -a '{' '.join(words)}'"
                elif _is_model(option):
                    value += f" -a '({program} completion {MODELS})'"
            about = _fish_text(option.help or "")
            lines.append(f"complete -c {program} {where} {flags}{value} -d {about}")
        for argument in place.arguments:
            if words := _choices(argument, places[0]):
                lines.append(f"complete -c {program} {where} -a '{' '.join(words)}'")
            elif _is_model(argument):
                lines.append(f"complete -c {program} {where} -a '({program} completion {MODELS})'")
    return "\n".join(lines) + "\n"


def _fish_condition(place: Place) -> str:
    names = [name for name, _ in place.commands]
    parts = [f"__fish_seen_subcommand_from {word}" for word in place.words]
    if names:
        parts.append(f"not __fish_seen_subcommand_from {' '.join(names)}")
    return f"-n '{'; and '.join(parts)}'" if parts else ""


def _fish_text(text: str) -> str:
    plain = text.replace("%%", "%").replace("\\", "\\\\").replace("'", "\\'")
    return f"'{plain}'"
