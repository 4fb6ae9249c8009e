"""A sample measured: the checkpoint, the process, the row."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from comparison import provenance
from comparison.checkpoint import Checkpoints
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
    with Meter() as meter:
        found = launch(sample.contender.engine, {"model": str(path), **job})
    found["energy_joules"] = meter.joules
    found["checkpoint_bytes"] = sum(part.stat().st_size for part in _parts(path))
    return Row(
        engine=sample.contender.engine,
        format=sample.contender.format,
        bits_per_weight=sample.contender.bits_per_weight,
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


def _parts(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.glob("*.safetensors"))


def _read(path: Path) -> None:
    for part in _parts(path):
        with part.open("rb", buffering=0) as file:
            while file.read(1 << 24):
                pass
