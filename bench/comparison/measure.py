"""A sample measured: the checkpoint, the process, the row."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from comparison import provenance
from comparison.checkpoint import Checkpoints
from comparison.crowd import Crowd
from comparison.energy import Meter
from comparison.geometry import GEOMETRIES
from comparison.launch import launch
from comparison.plan import Sample
from comparison.row import Row
from fabricate import forget


def job_of(sample: Sample, threads: int) -> dict[str, object]:
    """What the process is asked, but for the model."""
    case = sample.case
    return {
        "vocab_size": GEOMETRIES[sample.geometry]["vocab_size"],
        "prompt": case.prompt,
        "answer": case.answer,
        "second_turn": case.second_turn,
        "warm_up": case.warm_up,
        "constrained": case.constrained,
        "threads": threads,
    }


def measure(sample: Sample, checkpoints: Checkpoints, threads: int) -> Row:
    """Runs one process. The checkpoint is read into the page cache first, or out of it."""
    path = checkpoints.path(sample.geometry, sample.contender)
    if sample.case.cold:
        forget(path)
    else:
        _read(path)
    job = job_of(sample, threads)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    with Crowd() as crowd, Meter() as meter:
        found = launch(sample.contender.engine, {"model": str(path), **job})
    found["energy_joules"] = meter.joules
    found["others_share"] = crowd.share
    found["checkpoint_bytes"] = sum(part.stat().st_size for part in _parts(path))
    return Row(
        engine=sample.contender.engine,
        format=sample.contender.format,
        bits_per_weight=sample.contender.bits_per_weight,
        expert_bits_per_weight=sample.contender.expert_bits_per_weight,
        geometry=sample.geometry,
        case=sample.case.name,
        round=sample.round,
        job=job,
        machine=provenance.machine(),
        device=found["detail"].pop("device"),
        versions=provenance.versions(),
        commit=provenance.commit(),
        environment=provenance.environment(),
        at=at,
        found=found,
    )


@dataclass
class Patience:
    """What a run may give for samples that nobody disturbs."""

    share: float
    """Of the cores that others may take."""
    seconds: float
    """Left for measuring again."""
    tries: int = 3
    """Of one sample, at most."""


def measure_alone(
    sample: Sample, checkpoints: Checkpoints, threads: int, patience: Patience
) -> Row:
    """As `measure`, again where others took more than their share of the cores meanwhile, while
    there is patience left; then the least disturbed try."""
    rows: list[Row] = []
    while True:
        start = time.monotonic()
        rows.append(measure(sample, checkpoints, threads))
        if (rows[-1].found["others_share"] or 0.0) <= patience.share:
            return rows[-1]
        if len(rows) == patience.tries or patience.seconds <= 0:
            return min(rows, key=lambda row: row.found["others_share"])
        patience.seconds -= time.monotonic() - start


def _parts(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.glob("*.safetensors"))


def _read(path: Path) -> None:
    for part in _parts(path):
        with part.open("rb", buffering=0) as file:
            while file.read(1 << 24):
                pass
