"""What a person chose once: `config.json` in the folder of this program's files."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convergio_mlx.errors import InvalidRequestError, StorageError
from convergio_mlx.platform.atomic import write_atomically
from convergio_mlx.platform.files import read_file
from convergio_mlx.platform.home import home

_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LARGEST = 1 << 20
"""Bytes that the file may have."""
_NUMBER = "a number"
_WHOLE = "a whole number"
OPTIONS: Mapping[str, str] = {
    "max_tokens": _WHOLE,
    "temperature": _NUMBER,
    "top_k": _WHOLE,
    "top_p": _NUMBER,
    "min_p": _NUMBER,
    "repetition_penalty": _NUMBER,
    "presence_penalty": _NUMBER,
    "frequency_penalty": _NUMBER,
    "seed": _WHOLE,
    "timeout": _NUMBER,
}
"""The options of answers that `options` may give, and what each is; `chat --help` tells what they
do."""


@dataclass(frozen=True)
class UserConfig:
    """The choices; what the file does not say is None, False or empty."""

    default_model: str | None = None
    """The model of commands that are given none."""
    offline: bool = False
    """Never use the network, as `--offline` does."""
    options: Mapping[str, float] = field(default_factory=dict)
    """What `chat` and `complete` take where their command line does not say."""
    problems: tuple[str, ...] = ()
    """What was ignored and why, a sentence each; safe to show."""


def config_file() -> Path:
    """Where the choices are kept."""
    return home() / "config.json"


def load_config() -> UserConfig:
    """Reads the file; what is damaged in it is reported in `problems` and ignored."""
    path = ascii(str(config_file()))
    try:
        raw = _read()
    except (OSError, ValueError) as error:
        return UserConfig(problems=(f"[config] {path} is ignored: it {_why(error)}.",))
    problems: list[str] = []

    def taken(name: str, value: object, check: Callable[[Any], bool], needs: str) -> Any:
        if value is None or check(value):
            return value
        problems.append(
            f"[config] {name} in {path} is ignored: it is {ascii(value)[:60]}, which must be "
            f"{needs}."
        )
        return None

    model = taken("default_model", raw.get("default_model"), _is_name, "a model's id or folder")
    offline = taken(
        "offline", raw.get("offline"), lambda one: isinstance(one, bool), "true or false"
    )
    given = taken("options", raw.get("options"), lambda one: isinstance(one, dict), "an object")
    options = {}
    for name, value in (given or {}).items():
        if name not in OPTIONS:
            problems.append(
                f"[config] the option {ascii(name)[:60]} in {path} is ignored; there are "
                f"{', '.join(OPTIONS)}."
            )
            continue
        needs = OPTIONS[name]
        number = taken(name, value, _is_whole if needs is _WHOLE else _is_number, needs)
        if number is not None:
            options[name] = number
    return UserConfig(model, bool(offline), options, tuple(problems))


def save(**changes: object) -> None:
    """Changes some of the choices; the others, and whatever else the file holds, stay. None takes
    a choice back.

    Args:
        changes: fields of `UserConfig` by name.

    Raises:
        InvalidRequestError: the file is damaged, and is left as it is.
        StorageError: it cannot be written.
    """
    try:
        with _alone():
            raw = _read() | changes
            kept = {name: value for name, value in raw.items() if value is not None}
            text = json.dumps(kept, indent=2, ensure_ascii=False) + "\n"
            write_atomically(config_file(), text.encode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise InvalidRequestError(
            f"[config] {str(config_file())!a} {_why(error)}, so it is left as it is; correct it or "
            "move it away."
        ) from error
    except OSError as error:
        raise StorageError(
            f"[config] {str(config_file())!a} cannot be written ({error.strerror}); make its "
            "folder writable, or set CONVERGIO_HOME to another."
        ) from error


def _read() -> dict[str, Any]:
    try:
        text = read_file(config_file(), _LARGEST).decode()
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise ValueError("is not UTF-8") from error
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON ({ascii(str(error))[1:-1][:100]})") from error
    if not isinstance(raw, dict):
        raise ValueError("is not a JSON object")
    return raw


@contextmanager
def _alone() -> Iterator[None]:
    """One process changes the file at a time, so that no choice is lost."""
    folder = home()
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / ".config.lock", _LOCK, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _why(error: OSError | ValueError) -> str:
    return f"cannot be read ({error.strerror})" if isinstance(error, OSError) else str(error)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
