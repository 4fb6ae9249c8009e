"""The registry as this machine has it: models.json, then the cached remote file, then the user's
own, each overriding by id what came before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convergio_mlx.errors import ConvergioError, ModelNotFoundError
from convergio_mlx.home import home
from convergio_mlx.registry.entry import RegistryEntry

SCHEMA = 1
LARGEST = 8 << 20
"""Bytes of a file that can be a registry."""
_RESERVED = "convergio-guide"
"""The embedded model's id, which nothing may take."""


@dataclass(frozen=True)
class Registry:
    """The models by id, in the order in which the files name them."""

    models: Mapping[str, RegistryEntry]
    problems: tuple[str, ...] = ()
    """What was ignored and why, a sentence each; the text is safe to show."""

    def __iter__(self) -> Iterator[RegistryEntry]:
        """The entries in order."""
        return iter(self.models.values())

    def __len__(self) -> int:
        """How many there are."""
        return len(self.models)

    def __contains__(self, model: object) -> bool:
        """Whether there is an entry of an id, a leading `mlx/` accepted."""
        return isinstance(model, str) and plain_id(model) in self.models

    def get(self, model: str) -> RegistryEntry | None:
        """The entry of an id, a leading `mlx/` accepted; None where there is none."""
        return self.models.get(plain_id(model))

    def require(self, model: str) -> RegistryEntry:
        """The entry of an id.

        Raises:
            ModelNotFoundError: the registry has no such id.
        """
        entry = self.get(model)
        if entry is None:
            raise ModelNotFoundError(
                f"[registry] there is no model {ascii(model)[:100]}; "
                "`convergio-mlx models list` shows those there are."
            )
        return entry


def plain_id(model: str) -> str:
    """An id without the `mlx/` that hosts put before it."""
    return model.removeprefix("mlx/")


def user_file() -> Path:
    """The user's own registry."""
    return home() / "models.json"


def load_registry() -> Registry:
    """Reads the registry anew; a file that is broken is reported in `problems` and ignored, and so
    is each broken entry alone. Uses no network.

    Raises:
        ConvergioError: the package's own models.json is damaged.
    """
    from convergio_mlx.registry.remote import cached

    problems: list[str] = []
    raw: dict[str, dict[str, Any]] = {}
    models: dict[str, RegistryEntry] = {}
    try:
        shipped = read(_shipped_file())
    except (OSError, ValueError) as error:
        raise ConvergioError(
            f"[registry] the package's own models.json {_why(error)}; install convergio-mlx again."
        ) from error
    _merge(shipped, "models.json", raw, models, problems)
    remote, problem = cached()
    problems += [problem] if problem else []
    _merge(remote, "the cached remote registry", raw, models, problems)
    path = user_file()
    try:
        own = read(path)
    except FileNotFoundError:
        own = []
    except (OSError, ValueError) as error:
        own = []
        problems.append(f"[registry] {str(path)!a} is ignored: it {_why(error)}.")
    _merge(own, ascii(str(path)), raw, models, problems)
    return Registry(models, tuple(problems))


def read(path: Path) -> list[Any]:
    """The entries of a registry's file, not looked at yet.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no registry; why, as the end of a sentence.
    """
    with path.open("rb") as file:
        return parse(file.read(LARGEST + 1))


def parse(data: bytes) -> list[Any]:
    """As `read`, of a file's bytes."""
    if len(data) > LARGEST:
        raise ValueError(f"is larger than {LARGEST >> 20} MiB")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON ({ascii(str(error))[1:-1][:100]})") from error
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    if value.get("schema") != SCHEMA:
        raise ValueError(
            f"has schema {ascii(value.get('schema'))[:20]}, and this version reads schema {SCHEMA}"
        )
    models = value.get("models")
    if not isinstance(models, list):
        raise ValueError("has no list 'models'")
    if unknown := set(value) - {"$schema", "schema", "models"}:
        raise ValueError(f"has the unknown field {ascii(min(unknown))[:60]}")
    return models


def _merge(
    entries: list[Any],
    source: str,
    raw: dict[str, dict[str, Any]],
    models: dict[str, RegistryEntry],
    problems: list[str],
) -> None:
    """Adds a file's entries: the fields that one gives replace those of its id so far."""
    for number, given in enumerate(entries, 1):
        try:
            entry = _entry(given, raw)
        except ValueError as error:
            problems.append(
                f"[registry] entry {number} of {source} is ignored: it {error}; "
                "docs/models.md tells what an entry holds."
            )
            continue
        raw[entry.id] = {**raw.get(entry.id, {}), **given}
        models[entry.id] = entry


def _entry(given: Any, raw: Mapping[str, dict[str, Any]]) -> RegistryEntry:
    if not isinstance(given, dict):
        raise ValueError("is not a JSON object")
    model = given.get("id")
    before = raw.get(model, {}) if isinstance(model, str) else {}
    # Sizes and a revision are of one repository, hashes of one revision: none outlives it.
    if given.get("repository", before.get("repository")) != before.get("repository"):
        before = {**before, "config": None, "revision": None, "sha256": None}
    elif given.get("revision", before.get("revision")) != before.get("revision"):
        before = {**before, "sha256": None}
    if model == _RESERVED:
        raise ValueError(f"takes the id {_RESERVED!r} of the embedded model")
    return RegistryEntry.parse({**before, **given})


def _shipped_file() -> Path:
    inside = Path(__file__).parents[1] / "models.json"
    return inside if inside.is_file() else Path(__file__).parents[3] / "models.json"


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror})"
    return str(error)
