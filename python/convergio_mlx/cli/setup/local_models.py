"""The menu "Local Models": what is installed, what is available, what suits this machine."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from functools import partial

from convergio_mlx.cli.models.shown import is_of_entry
from convergio_mlx.cli.numbers import menu_number
from convergio_mlx.cli.output import BOLD, DIM, GREEN
from convergio_mlx.cli.setup.desk import Desk
from convergio_mlx.cli.setup.one_model import Model, download, one_model
from convergio_mlx.errors import ConvergioError
from convergio_mlx.platform import user_config
from convergio_mlx.platform.native import native
from convergio_mlx.registry import load_registry
from convergio_mlx.registry.hub_name import PREFIX
from convergio_mlx.sizing.fit import check_config, memory_for_models, size
from convergio_mlx.sizing.recommend import Advice, advise
from convergio_mlx.store import disk_usage, find, installed, partial_bytes, preview
from convergio_mlx.store.locate import GUIDE_ID

_AROUND = 17
"""Lines of the screen that the list of what can be downloaded does not get."""
_WIDE = 72
"""Columns; in fewer most models of the list take two lines."""
_DAY = 86400


@dataclass(frozen=True)
class Shelf:
    """The models, in the order of the screen: what is installed, then what can be downloaded,
    of that what suits first."""

    here: list[Model]
    there: list[Model]
    machine: str
    problems: tuple[str, ...]

    def find(self, typed: str) -> Model | None:
        """The model of a number, or of an id."""
        models = [*self.here, *self.there]
        number = menu_number(typed)
        if number is not None:
            return models[number - 1] if 1 <= number <= len(models) else None
        return next((one for one in models if one.id == typed.removeprefix("mlx/")), None)


def local_models(desk: Desk) -> None:
    """The menu, until it is left."""
    everything = not desk.out.is_terminal
    while True:
        shelf = _look()
        shown = len(shelf.there) if everything else _room(len(shelf.here))
        typed = desk.ask(lambda shelf=shelf, shown=shown: _draw(desk, shelf, shown))  # type: ignore[misc]
        if not typed:
            return
        if typed == "m" and shown < len(shelf.there):
            everything = True
        elif typed.startswith(PREFIX):
            desk.attempt(partial(_repository, desk, typed))
        elif (model := shelf.find(typed)) is not None:
            one_model(desk, lambda name=model.id: _look().find(name))  # type: ignore[misc]
        else:
            desk.tell(f"There is no model {typed[:60]!r} here; type its number or its id.")


def _repository(desk: Desk, name: str) -> None:
    """Downloads a repository of the hub that runs and fits here, if the person wants it, and shows
    it."""
    model = load_registry().id_of(name)
    if find(model) is None:
        seen = preview(name)
        check_config(name, seen.config, seen.weight_bytes)
        if not desk.agrees(f"Download {name} ({size(seen.download_bytes)}), as {model}?"):
            return
        if not download(desk, name):
            return
    one_model(desk, lambda: _look().find(model))


def _room(installed_models: int) -> int:
    columns, lines = shutil.get_terminal_size()
    free = lines - _AROUND - installed_models
    return max(free if columns >= _WIDE else free // 2, 4)


def _look() -> Shelf:
    registry = load_registry()
    here = {one.model: one for one in installed()}
    default = user_config.load_config().default_model or GUIDE_ID
    problems = registry.problems
    advice: dict[str, Advice] = {}
    machine = f"{size(disk_usage().free)} of disk free"
    try:
        advice = {one.entry.id: one for one in advise(registry)}
        if memory := memory_for_models():
            machine = f"{size(memory.available)} of memory and {machine}"
        machine = f"on the {'CPU' if native().backend() == 'cpu' else 'GPU'}, {machine}"
    except ConvergioError as error:
        problems = (*problems, str(error))

    def is_other(name: str) -> bool:
        """Whether another model is installed under an id of the registry."""
        return name in here and not is_of_entry(registry.get(name), here[name])

    models = [
        Model(
            name,
            entry=None if is_other(name) else registry.get(name),
            installed=here.get(name),
            advice=None if is_other(name) else advice.get(name),
            is_default=name == default,
            unfinished=0 if name in here else partial_bytes(name),
        )
        for name in dict.fromkeys([GUIDE_ID, *here, *registry.models])
    ]
    there = sorted((one for one in models if not one.is_here), key=_rank)
    return Shelf(
        [one for one in models if one.is_here], there, machine.removeprefix(", "), problems
    )


def _rank(model: Model) -> tuple[bool, bool]:
    """What is recommended comes first, then what suits, each in the registry's order."""
    advice = model.advice
    return (not (advice and advice.best_for), not (advice and advice.suits))


def _draw(desk: Desk, shelf: Shelf, shown: int) -> None:
    out = desk.out
    desk.title("Local Models", shelf.machine)
    for problem in shelf.problems:
        out.hanging("! ", problem)
    out.line()
    out.line(f"      {'Installed':18} {'Size':>8}  Last used", style=BOLD)
    for number, model in enumerate(shelf.here, 1):
        marks = [
            *(["default"] if model.is_default else ()),
            *([] if model.installed else ["built in"]),
        ]
        used = _ago(model.installed.last_used) if model.installed else "-"
        out.hanging(
            f"{number:3}   {model.id:18} {size(model.size):>8}  {used:12} ", ", ".join(marks)
        )
    out.line()
    out.line(f"      {'Available':18} {'Download':>8}  Memory  Suitable here?", style=BOLD)
    for number, model in enumerate(shelf.there[:shown], len(shelf.here) + 1):
        _draw_available(desk, number, model)
    more = len(shelf.there) - shown
    if more > 0:
        out.line(f"      m  {more} more", style=DIM)
    desk.hint(
        "* recommended  + suits  - unsuitable. Number or id of a model, or hf:owner/name, and "
        "Enter; an empty line goes back."
    )


def _draw_available(desk: Desk, number: int, model: Model) -> None:
    entry, advice = model.entry, model.advice
    mark, style = "-", DIM
    if advice and advice.suits:
        mark, style = ("*" if advice.best_for else "+"), GREEN
    download = size(entry.download_bytes) if entry and entry.download_bytes else "?"
    memory = f"{entry.memory_gb:g} GB" if entry and entry.memory_gb else "?"
    why = model.why
    if model.unfinished:
        why = f"{size(model.unfinished)} here already; {why}"
    facts = f" {model.id:18} {download:>8}  {memory:>6}  "
    desk.out.hanging(f"{number:3} ", (mark, style), facts, (why, DIM if style is DIM else ""))


def _ago(moment: float | None) -> str:
    if moment is None:
        return "never"
    days = int(time.time() // _DAY) - int(moment // _DAY)
    if days <= 0:
        return "today"
    return "yesterday" if days == 1 else f"{days} days ago"
