"""Energy from what the system says."""

from pathlib import Path

import pytest

from comparison.energy import Meter, joules_of

SAID = """
*** Sampled system activity (Wed Nov 25 12:00:00 2026 +0000) (203.47ms elapsed) ***

**** Processor usage ****

CPU Power: 4512 mW
GPU Power: 488 mW
ANE Power: 0 mW
Combined Power (CPU + GPU + ANE): 5000 mW

*** Sampled system activity (Wed Nov 25 12:00:00 2026 +0000) (201.12ms elapsed) ***

CPU Power: 6000 mW
GPU Power: 1000 mW
ANE Power: 0 mW
Combined Power (CPU + GPU + ANE): 7000 mW
"""


def test_the_mean_power_times_the_seconds() -> None:
    assert joules_of(SAID, 2.5) == pytest.approx(6.0 * 2.5)


def test_no_power_is_no_energy() -> None:
    assert joules_of("powermetrics must be invoked as the superuser\n", 2.5) is None


def test_a_counter_that_wraps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("comparison.energy.RAPL", tmp_path)
    (tmp_path / "max_energy_range_uj").write_text("10000000\n")
    (tmp_path / "energy_uj").write_text("9000000\n")
    with Meter() as meter:
        (tmp_path / "energy_uj").write_text("1500000\n")
    assert meter.joules == pytest.approx(2.5)


def test_a_system_that_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("comparison.energy.RAPL", tmp_path / "missing")
    with Meter() as meter:
        pass
    assert meter.joules is None
