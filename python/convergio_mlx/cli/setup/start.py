"""The first menu, and the settings."""

from __future__ import annotations

from argparse import ArgumentTypeError
from functools import partial

from convergio_mlx.cli.numbers import number, whole
from convergio_mlx.cli.setup.desk import Choice, Desk
from convergio_mlx.cli.setup.local_models import local_models
from convergio_mlx.cli.setup.one_model import download, make_default, try_out
from convergio_mlx.errors import ConvergioError, InvalidRequestError
from convergio_mlx.platform import user_config
from convergio_mlx.platform.offline import go_offline, offline_reason
from convergio_mlx.registry import RegistryEntry, load_registry
from convergio_mlx.sizing.fit import size
from convergio_mlx.sizing.recommend import recommend
from convergio_mlx.store import installed
from convergio_mlx.store.locate import GUIDE_ID


def start(desk: Desk) -> None:
    """The first menu, until it is left."""
    while desk.choose(lambda: desk.title("convergio-mlx setup"), _choices(desk)):
        pass


def _choices(desk: Desk) -> list[Choice]:
    here, known = len(installed()), load_registry()
    chosen = user_config.load_config()
    first = None if here else _first()
    return [
        Choice(
            "Local Models",
            f"{here} downloaded, {len(known)} in the registry",
            lambda: local_models(desk),
        ),
        Choice(
            "Settings",
            f"default model {chosen.default_model or GUIDE_ID}, network "
            f"{'not used' if offline_reason() or chosen.offline else 'used for downloads'}",
            lambda: _settings(desk),
        ),
        Choice("Doctor", "checks what works on this machine", lambda: _doctor(desk)),
        *([_first_try(desk, first)] if first else ()),
    ]


def _first() -> RegistryEntry | None:
    """The model with the least to download of those that suit; None where none does."""
    try:
        found = recommend("smallest")
    except ConvergioError:  # the menu of models says why
        return None
    return found.entry if found else None


def _first_try(desk: Desk, entry: RegistryEntry) -> Choice:
    amount = size(entry.download_bytes or 0)
    about = f"downloads {entry.id}, a real small model ({amount}), and chats with it"

    def act() -> None:
        if download(desk, entry.id):
            try_out(desk, entry.id)
            if desk.agrees(f"Make {entry.id} the default model?"):
                make_default(desk, entry.id)

    return Choice("First try", about, act)


def _doctor(desk: Desk) -> None:
    from convergio_mlx.cli.doctor import show
    from convergio_mlx.cli.doctor.checks import examine

    desk.out.line()
    for finding in examine():
        show(finding, desk.out)
    desk.pause()


def _settings(desk: Desk) -> None:
    while desk.choose(
        lambda: desk.title("Settings", str(user_config.config_file())), _settable(desk)
    ):
        pass


def _settable(desk: Desk) -> list[Choice]:
    chosen = user_config.load_config()
    options = ", ".join(f"{name} {value}" for name, value in chosen.options.items())
    return [
        Choice("Default model", chosen.default_model or GUIDE_ID, lambda: _default_model(desk)),
        Choice(
            "Network",
            "never used; choose to allow it"
            if chosen.offline
            else "used for downloads; choose to forbid it",
            lambda: _turn_network(desk, offline=not chosen.offline),
        ),
        Choice("Options", options or "none: each model's own defaults", lambda: _options(desk)),
    ]


def _turn_network(desk: Desk, *, offline: bool) -> None:
    user_config.save(offline=offline)
    if offline:
        go_offline()
    desk.tell("The network is never used." if offline else "Downloads may use the network.")
    if not offline and (reason := offline_reason()):
        desk.tell(f"For this run {reason} still forbids it.")


def _default_model(desk: Desk) -> None:
    models = [GUIDE_ID, *(one.model for one in installed())]
    desk.choose(
        lambda: desk.title("Default model"),
        [Choice(model, "", partial(make_default, desk, model)) for model in models],
    )


def _options(desk: Desk) -> None:
    typed = desk.ask(lambda: _draw_options(desk))
    if not typed:
        return
    name, _, value = typed.replace("=", " ").partition(" ")
    if name not in user_config.OPTIONS:
        raise InvalidRequestError(
            f"[setup] there is no option {name[:40]!r}; there are {', '.join(user_config.OPTIONS)}."
        )
    options = dict(user_config.load_config().options)
    options.pop(name, None)
    if value.strip():
        options[name] = _number(name, value.strip())
        _try_out({name: options[name]})
    user_config.save(options=options)
    desk.tell(f"{name} is {options.get(name, 'left to each model')}.")


def _draw_options(desk: Desk) -> None:
    desk.title("Options", "defaults of chat and complete")
    desk.out.line()
    known = user_config.load_config().options
    for name in user_config.OPTIONS:
        desk.out.line(f"  {name:20}  {known.get(name, '-')}")
    desk.hint("A name and its value, such as: temperature 0.7; a name alone removes it.")


def _number(name: str, text: str) -> float:
    try:
        return whole(text) if user_config.OPTIONS[name] == "a whole number" else number(text)
    except ArgumentTypeError as error:
        raise InvalidRequestError(
            f"[setup] {name} is {text[:40]!r}, which must be {user_config.OPTIONS[name]}."
        ) from error


def _try_out(option: dict[str, float]) -> None:
    """Refuses a value that no answer could be made with: the embedded model makes a token with
    it."""
    from dataclasses import replace

    from convergio_mlx.cli.options import AnswerOptions
    from convergio_mlx.engine.engine import Engine

    for name in {"max_tokens", "timeout"} & set(option):
        if not option[name] > 0:
            raise InvalidRequestError(f"[setup] {name} is {option[name]}, which must be above 0.")
    params = replace(AnswerOptions(**option).sampling(), max_tokens=1)  # type: ignore[arg-type]
    with Engine.load(GUIDE_ID) as engine:
        list(engine.generate("x", params))
