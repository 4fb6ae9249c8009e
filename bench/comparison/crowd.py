"""How much of the machine other processes took while a sample was measured."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Self

STAT = Path("/proc/stat")


class Crowd:
    """Looks from the beginning of its block to the end; this process's own children are not the
    others. Linux tells; elsewhere it is not known."""

    def __init__(self) -> None:
        self.share: float | None = None
        """Of all cores, 0 to 1; known after the block."""

    def __enter__(self) -> Self:
        self._start = time.monotonic()
        self._busy, self._own = _busy_seconds(), _own_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        busy = _busy_seconds()
        if busy is None or self._busy is None:
            return
        others = busy - self._busy - (_own_seconds() - self._own)
        cores = os.cpu_count() or 1
        self.share = min(max(others / (cores * (time.monotonic() - self._start)), 0.0), 1.0)


def _busy_seconds() -> float | None:
    """Of all cores since the machine started: whatever is not idle or waiting for a disk."""
    try:
        fields = [int(one) for one in STAT.read_text().splitlines()[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    user, nice, system, _idle, _wait, irq, soft_irq, steal = fields
    return (user + nice + system + irq + soft_irq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
