"""The energy that a process takes, where the system tells: on macOS powermetrics, which only root
may run; on Linux the processor's own counter, which only root may read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

RAPL = Path("/sys/class/powercap/intel-rapl:0")
INTERVAL_MS = 200
_POWER = re.compile(r"^Combined Power \(.*\): (\d+) mW$", re.MULTILINE)


class Meter:
    """Measures from the beginning of its block to the end: the whole machine's processor and GPU,
    so nothing else should run."""

    def __init__(self) -> None:
        self.joules: float | None = None
        """Known after the block; None where the system does not tell."""
        self._powermetrics: subprocess.Popen[str] | None = None
        self._counter: int | None = None
        self._start = 0.0

    def __enter__(self) -> Self:
        self._start = time.monotonic()
        if sys.platform == "darwin" and os.geteuid() == 0:
            command = ["powermetrics", "--samplers", "cpu_power,gpu_power", "-i", str(INTERVAL_MS)]
            self._powermetrics = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        else:
            self._counter = _microjoules(RAPL / "energy_uj")
        return self

    def __exit__(self, *_: object) -> None:
        seconds = time.monotonic() - self._start
        if self._powermetrics is not None:
            self._powermetrics.terminate()
            self.joules = joules_of(self._powermetrics.communicate()[0], seconds)
        elif self._counter is not None:
            end, size = _microjoules(RAPL / "energy_uj"), _microjoules(RAPL / "max_energy_range_uj")
            if end is not None and size is not None:
                self.joules = (end - self._counter) % size / 1e6


def joules_of(powermetrics: str, seconds: float) -> float | None:
    """From what powermetrics printed over `seconds`; None where it printed no power."""
    milliwatts = [int(found) for found in _POWER.findall(powermetrics)]
    return sum(milliwatts) / len(milliwatts) / 1e3 * seconds if milliwatts else None


def _microjoules(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
