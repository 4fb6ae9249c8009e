"""One model of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any

from convergio_mlx.registry import checks
from convergio_mlx.registry.hub_name import HubName


def _field(check: checks.Check, needs: str, default: Any = None, *, null: bool = True) -> Any:
    """A field that an entry may leave out; null says the same where it may stand."""
    return field(default=default, metadata={"check": check, "needs": needs, "null": null})


def _required(check: checks.Check, needs: str) -> Any:
    return field(metadata={"check": check, "needs": needs, "null": False})


@dataclass(frozen=True)
class Package:
    """A GGUF file inside a wheel of a package index such as PyPI."""

    name: str
    version: str
    file: str
    """Its path in the wheel."""
    sha256: str
    """Of the wheel; the wheel's own RECORD has that of the file."""

    def __str__(self) -> str:
        """As people read it."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True, kw_only=True)
class RegistryEntry:
    """What is known of a model before it is downloaded. None is what is not known."""

    id: str = _required(
        checks.is_id, "small letters, digits, dots, dashes and underscores, at most 64"
    )
    repository: str | None = _field(checks.is_repository, "a hub repository such as owner/name")
    package: Package | None = _field(  # noqa: RUF009 (it makes a field)
        checks.is_package, "an object of name, version, file (a path ending in .gguf) and sha256"
    )
    """In place of a repository: the model is converted from a file of a package index."""
    display_name: str = _field(checks.is_text, "a line of text", "", null=False)
    """As people read it; the id where none is given."""
    family: str | None = _field(checks.is_text, "a line of text")
    model_type: str | None = _field(checks.is_model_type, "a model_type of config.json")
    parameters: int | None = _field(checks.is_count, "a whole number above 0")
    active_parameters: int | None = _field(checks.is_count, "a whole number above 0")
    """Those that making a token reads, where they are fewer: of a mixture the experts that it goes
    to; of tables of which it reads a row, none."""
    download_bytes: int | None = _field(checks.is_count, "a whole number above 0")
    """About; the hub says it exactly."""
    memory_gb: float | None = _field(checks.is_amount, "a number above 0")
    """Memory of a machine that runs it in comfort, in GB."""
    context_window: int | None = _field(checks.is_count, "a whole number above 0")
    """Tokens of prompt and answer together."""
    config: Mapping[str, Any] | None = _field(
        checks.is_config, f"an object with {', '.join(checks.REQUIRED_SIZES)}"
    )
    """The fields of its config.json, or of the `text_config` in it, that say how much memory it
    takes."""
    max_output: int | None = _field(checks.is_count, "a whole number above 0")
    """Tokens of an answer at most, as its makers advise."""
    tools: bool = _field(checks.is_flag, "true or false", False, null=False)
    reasoning: bool = _field(checks.is_flag, "true or false", False, null=False)
    languages: tuple[str, ...] | None = _field(checks.is_languages, "a list of codes such as en")
    """ISO 639 codes; None where its makers do not list them."""
    use_case: str | None = _field(checks.is_text, "a line of text")
    purpose: str = _field(
        checks.is_purpose, f"one of {', '.join(checks.PURPOSES)}", "general", null=False
    )
    licence: str | None = _field(checks.is_text, "a line of text")
    release_date: str | None = _field(checks.is_date, "a day such as 2025-01-20")
    deprecated: bool = _field(checks.is_flag, "true or false", False, null=False)
    replaced_by: str | None = _field(checks.is_id, "the id of a model")
    revision: str | None = _field(checks.is_revision, "a commit in 40 hexadecimal digits")
    """The commit to download; None takes what is newest."""
    sha256: Mapping[str, str] | None = _field(
        checks.is_hashes, "an object of file names and their SHA-256"
    )
    """The files that are wanted and their SHA-256; None takes the hub's word."""

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> RegistryEntry:
        """An entry of a models.json.

        Raises:
            ValueError: a field is missing, unknown, or holds what it must not; what and why, as
                the end of a sentence.
        """
        if not isinstance(given, Mapping):
            raise ValueError("is not a JSON object")
        known = {one.name: one for one in fields(cls)}
        if unknown := [name for name in given if name not in known]:
            raise ValueError(f"has the unknown field {_shown(unknown[0])}")
        values: dict[str, Any] = {}
        for name, one in known.items():
            if name not in given:
                if one.default is not MISSING:
                    continue
                raise ValueError(f"lacks {name!r}")
            value = given[name]
            if value is None and one.metadata["null"]:
                continue
            if not one.metadata["check"](value):
                raise ValueError(
                    f"has {name} {_shown(value)}, which must be {one.metadata['needs']}"
                )
            values[name] = value
        _check_source(values)
        values.setdefault("display_name", values["id"])
        if "languages" in values:
            values["languages"] = tuple(values["languages"])
        for name in ("config", "sha256"):
            if name in values:
                values[name] = MappingProxyType(dict(values[name]))
        if "package" in values:
            values["package"] = Package(**values["package"])
        return cls(**values)

    @property
    def reference(self) -> str:
        """What `download` is given for it."""
        return self.id

    @property
    def wanted_revision(self) -> str | None:
        """What the hub is asked for: a commit, a branch or a tag; None for what is newest."""
        return self.revision

    @property
    def source(self) -> str:
        """Where it is downloaded from, as people read it."""
        return self.repository or f"{self.package} on the package index"

    def as_json(self) -> dict[str, Any]:
        """The entry as models.json has it, every field in order."""
        values = {one.name: getattr(self, one.name) for one in fields(RegistryEntry)}
        if self.languages is not None:
            values["languages"] = list(self.languages)
        for name in ("config", "sha256"):
            if values[name] is not None:
                values[name] = dict(values[name])
        if self.package is not None:
            values["package"] = asdict(self.package)
        return values


@dataclass(frozen=True, kw_only=True)
class HubEntry(RegistryEntry):
    """A repository that no registry has, asked for by its name."""

    branch: str | None = None
    """A branch or tag whose newest commit is wanted, where no commit is."""

    @classmethod
    def of(cls, name: HubName) -> HubEntry:
        """The entry of a name of the hub."""
        is_commit = checks.is_revision(name.revision)
        return cls(
            id=name.id,
            repository=name.repository,
            display_name=name.repository,
            revision=name.revision if is_commit else None,
            branch=None if is_commit else name.revision,
        )

    @property
    def reference(self) -> str:
        """What `download` is given for it."""
        return str(HubName(self.repository or "", self.wanted_revision))

    @property
    def wanted_revision(self) -> str | None:
        """As in `RegistryEntry`."""
        return self.revision or self.branch


def _check_source(values: Mapping[str, Any]) -> None:
    """Refuses an entry without one source, or with what its source does not have."""
    if "repository" not in values and "package" not in values:
        raise ValueError("lacks 'repository' or 'package'")
    if "package" in values and "repository" in values:
        raise ValueError("has both 'repository' and 'package', which must be one of them")
    for name in ("revision", "sha256"):
        if "package" in values and name in values:
            raise ValueError(f"has {name}, which a package does not have beside its own")
    if values.get("sha256") and not values.get("revision"):
        raise ValueError("has sha256 without the revision that it is of")


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
