"""The registry as this machine has it: models.json, then the cached remote file, then the user's
own, each overriding by id what came before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convergio_mlx.errors import ConvergioError, ModelNotFoundError
from convergio_mlx.platform.home import home
from convergio_mlx.registry.checks import plain_id
from convergio_mlx.registry.entry import HubEntry, RegistryEntry
from convergio_mlx.registry.hub_name import PREFIX, HubName
from convergio_mlx.registry.parsing import read
from convergio_mlx.registry.remote import cached

_RESERVED = "convergio-guide"
"""The embedded model's id, which nothing may take."""

_OF_THE_SOURCE = ("repository", "package", "config", "revision", "sha256")
"""What is true of a model from one source alone."""


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
        """Whether the files have a model of an id, a leading `mlx/` accepted."""
        return isinstance(model, str) and plain_id(model) in self.models

    def get(self, model: str) -> RegistryEntry | None:
        """The entry of an id, a leading `mlx/` accepted; None where there is none. A name of the
        hub (`hf:owner/name`) always has one: that of its repository, or one made for it.

        Raises:
            ModelNotFoundError: it begins as a name of the hub, and is none.
        """
        if not isinstance(model, str):
            return None
        name = HubName.parse(model)
        if name is None:
            return self.models.get(plain_id(model))
        return self._of_repository(name) or HubEntry.of(name)

    def id_of(self, model: str) -> str:
        """The id that a name stands for: without `mlx/`, or that of a repository of the hub.

        Raises:
            ModelNotFoundError: as `get`.
        """
        entry = self.get(model) if model.startswith(PREFIX) else None
        return plain_id(model) if entry is None else entry.id

    def _of_repository(self, name: HubName) -> RegistryEntry | None:
        """The files' entry of a repository, where no revision of it is asked for."""
        wanted = name.repository.lower()
        found = (one for one in self if one.repository and one.repository.lower() == wanted)
        return None if name.revision else next(found, None)

    def require(self, model: str) -> RegistryEntry:
        """The entry of an id.

        Raises:
            ModelNotFoundError: the registry has no such id.
        """
        entry = self.get(model)
        if entry is None:
            raise ModelNotFoundError(
                f"[registry] there is no model {ascii(model)[:100]}; "
                "`convergio-mlx models list` shows those there are, and hf:owner/name takes any "
                "repository of the hub."
            )
        return entry


def user_file() -> Path:
    """The user's own registry."""
    return home() / "models.json"


def load_registry() -> Registry:
    """Reads the registry anew; a file that is broken is reported in `problems` and ignored, and so
    is each broken entry alone. Uses no network.

    Raises:
        ConvergioError: the package's own models.json is damaged.
    """
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
            whole = _whole(given, raw)
            entry = RegistryEntry.parse(whole)
        except ValueError as error:
            problems.append(
                f"[registry] entry {number} of {source} is ignored: it {error}; "
                "docs/models.md tells what an entry holds."
            )
            continue
        raw[entry.id] = whole
        models[entry.id] = entry


def _whole(given: Any, raw: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """A file's entry with the fields that it leaves to the files before it."""
    if not isinstance(given, dict):
        raise ValueError("is not a JSON object")
    model = given.get("id")
    before = raw.get(model, {}) if isinstance(model, str) else {}
    # Sizes and a revision are of one source, hashes of one revision: none outlives it.
    if any(given.get(one, before.get(one)) != before.get(one) for one in ("repository", "package")):
        before = {**before, **dict.fromkeys(_OF_THE_SOURCE)}
    elif given.get("revision", before.get("revision")) != before.get("revision"):
        before = {**before, "sha256": None}
    if model == _RESERVED:
        raise ValueError(f"takes the id {_RESERVED!r} of the embedded model")
    return {**before, **given}


def _shipped_file() -> Path:
    inside = Path(__file__).parents[1] / "models.json"
    return inside if inside.is_file() else Path(__file__).parents[3] / "models.json"


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror})"
    return str(error)
