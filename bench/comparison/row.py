"""One sample as it is kept, and which samples may be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

MACHINE = ("processor", "cores", "memory_bytes", "system", "gpu")


class UnlikeRowsError(ValueError):
    """Rows that no ratio may be made of."""


@dataclass(frozen=True)
class Row:
    """What one process measured, with all that the figures depend on."""

    engine: str
    format: str
    bits_per_weight: float
    geometry: str
    case: str
    round: int
    job: Mapping[str, Any]
    """What was asked, but for the path of the model."""
    machine: Mapping[str, Any]
    device: str
    """cpu, metal or cuda."""
    versions: Mapping[str, str]
    commit: str
    environment: Mapping[str, str]
    """Variables that change what the engines do."""
    at: str
    """When it began, in UTC."""
    found: Mapping[str, Any]
    """What subjects.process measured, and `process_to_first_token_seconds`."""
    expert_bits_per_weight: float | None = None
    """As a contender's."""

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)

    @classmethod
    def of_json(cls, fields: Mapping[str, Any]) -> Row:
        """From `as_json`."""
        return cls(**fields)


def check_alike(one: Row, other: Row) -> None:
    """Refuses a ratio of two rows that differ in more than the engine.

    Raises:
        UnlikeRowsError: they differ; says in what.
    """
    pairs: list[tuple[str, Any, Any]] = [
        (name, one.machine.get(name), other.machine.get(name)) for name in MACHINE
    ]
    pairs += [
        (name, getattr(one, name), getattr(other, name))
        for name in ("device", "geometry", "bits_per_weight", "expert_bits_per_weight", "case")
    ]
    pairs += [
        (name, one.job.get(name), other.job.get(name)) for name in sorted({**one.job, **other.job})
    ]
    if one.engine == other.engine:
        pairs += [(n, getattr(one, n), getattr(other, n)) for n in ("commit", "versions")]
    pairs.append(("environment", one.environment, other.environment))
    for name, left, right in pairs:
        if left != right:
            raise UnlikeRowsError(
                f"[bench] a row of {one.engine} and one of {other.engine} differ in {name}, "
                f"{left!r} and {right!r}; compare rows of one run of bench/compare.py."
            )


def check_same_run(
    rows: Iterable[Row], machine: Mapping[str, Any], versions: Mapping[str, str], commit: str
) -> None:
    """Refuses to add to rows that were measured elsewhere or of something else.

    Raises:
        UnlikeRowsError: says in what they differ.
    """
    for row in rows:
        for name, kept, here in (
            ("machine", row.machine, machine),
            ("versions", row.versions, versions),
            ("commit", row.commit, commit),
        ):
            if kept != here:
                raise UnlikeRowsError(
                    f"[bench] the file has rows of the {name} {kept!r}, and this is {here!r}; "
                    "give another file by --rows, or --show what it has."
                )
