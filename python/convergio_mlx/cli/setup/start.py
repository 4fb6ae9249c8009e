"""The first menu, and the settings."""

from __future__ import annotations

from functools import partial

from convergio_mlx import config
from convergio_mlx.cli.setup.desk import Choice, Desk
from convergio_mlx.cli.setup.local_models import local_models
from convergio_mlx.cli.setup.one_model import make_default
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.locate import GUIDE_ID
from convergio_mlx.offline import go_offline, offline_reason
from convergio_mlx.registry import load_registry
from convergio_mlx.store import installed


def start(desk: Desk) -> None:
    """The first menu, until it is left."""
    while desk.choose(lambda: desk.title("convergio-mlx setup"), _choices(desk)):
        pass


def _choices(desk: Desk) -> list[Choice]:
    here, known = len(installed()), load_registry()
    chosen = config.load_config()
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
        Choice("Doctor", "what works on this machine, and what does not", lambda: _doctor(desk)),
    ]


def _doctor(desk: Desk) -> None:
    from convergio_mlx.cli.doctor import show
    from convergio_mlx.doctor import examine

    desk.out.line()
    for finding in examine():
        show(finding, desk.out)


def _settings(desk: Desk) -> None:
    while desk.choose(lambda: desk.title("Settings", str(config.config_file())), _settable(desk)):
        pass


def _settable(desk: Desk) -> list[Choice]:
    chosen = config.load_config()
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
        Choice("Options", options or "none: what each model says itself", lambda: _options(desk)),
    ]


def _turn_network(desk: Desk, *, offline: bool) -> None:
    config.save(offline=offline)
    if offline:
        go_offline()
    desk.out.line("The network is never used." if offline else "Downloads may use the network.")
    if not offline and (reason := offline_reason()):
        desk.out.line(f"For this run {reason} still forbids it.")


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
    if name not in config.OPTIONS:
        raise InvalidRequestError(
            f"[setup] there is no option {name[:40]!r}; there are {', '.join(config.OPTIONS)}."
        )
    options = dict(config.load_config().options)
    options.pop(name, None)
    if value.strip():
        options[name] = _number(name, value.strip())
        _try_out({name: options[name]})
    config.save(options=options)
    desk.out.line(f"{name} is {options.get(name, 'what each model says itself')}.")


def _draw_options(desk: Desk) -> None:
    desk.title("Options", "what chat and complete take where they are not told")
    desk.out.line()
    known = config.load_config().options
    for name in config.OPTIONS:
        desk.out.line(f"  {name:20}  {known.get(name, '-')}")
    desk.hint("A name and its value, such as: temperature 0.7; a name alone takes it back.")


def _number(name: str, text: str) -> float:
    try:
        return int(text) if config.OPTIONS[name] == "a whole number" else float(text)
    except ValueError as error:
        raise InvalidRequestError(
            f"[setup] {name} is {text[:40]!r}, which must be {config.OPTIONS[name]}."
        ) from error


def _try_out(option: dict[str, float]) -> None:
    """Refuses a value that no answer could be made with: the embedded model makes a token with
    it."""
    from dataclasses import replace

    from convergio_mlx.cli.options import AnswerOptions
    from convergio_mlx.engine import Engine

    for name in {"max_tokens", "timeout"} & set(option):
        if not option[name] > 0:
            raise InvalidRequestError(f"[setup] {name} is {option[name]}, which must be above 0.")
    params = replace(AnswerOptions(**option).sampling(), max_tokens=1)  # type: ignore[arg-type]
    with Engine.load(GUIDE_ID) as engine:
        list(engine.generate("x", params))
