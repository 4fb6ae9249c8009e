"""Samples that others disturbed are noticed, and taken again."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.made_rows import row
from comparison import crowd, measure
from comparison.checkpoint import Checkpoints
from comparison.contender import CONTENDERS
from comparison.plan import SHORT, Sample
from comparison.row import Row

SAMPLE = Sample("thin-16", SHORT, CONTENDERS[0], 0)


def stat(busy: int) -> str:
    return f"cpu  {busy} 10 20 5000 7 3 2 1 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"


def test_what_others_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "stat"
    file.write_text(stat(100))
    monkeypatch.setattr(crowd, "STAT", file)
    clock = iter([50.0, 60.0])
    system = SimpleNamespace(cpu_count=lambda: 2, sysconf=lambda _name: 100)
    monkeypatch.setattr(crowd, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(crowd, "os", system)
    own = iter([1.0, 6.0])
    monkeypatch.setattr(crowd, "_own_seconds", lambda: next(own))
    with crowd.Crowd() as looked:
        file.write_text(stat(1100))  # 10 s more, 5 of them our own, in 10 s of two cores
    assert looked.share == pytest.approx(0.25)


def test_a_system_that_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "STAT", tmp_path / "missing")
    with crowd.Crowd() as looked:
        pass
    assert looked.share is None


@pytest.mark.parametrize(
    ("shares", "seconds", "kept", "taken"),
    [
        ([0.05, 0.0], 60.0, 0.05, 1),
        ([0.5, 0.08], 60.0, 0.08, 2),
        ([0.5, 0.2, 0.3], 60.0, 0.2, 3),
        ([0.5, 0.2], 0.0, 0.5, 1),
        ([None], 60.0, None, 1),
    ],
)
def test_a_disturbed_sample_is_taken_again(
    shares: list[float | None],
    seconds: float,
    kept: float | None,
    taken: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured: list[Row] = []

    def take(*_: object) -> Row:
        found = dict(row().found) | {"others_share": shares[len(measured)]}
        measured.append(row(found=found))
        return measured[-1]

    monkeypatch.setattr(measure, "measure", take)
    patience = measure.Patience(share=0.1, seconds=seconds)
    best = measure.measure_alone(SAMPLE, Checkpoints(Path("unused")), 1, patience)
    assert best.found["others_share"] == kept
    assert len(measured) == taken
