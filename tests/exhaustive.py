"""How far the slow tests go: a sample in each run of the suite, all of it where
CONVERGIO_EXHAUSTIVE=1 asks for that (hours)."""

from __future__ import annotations

import os

EXHAUSTIVE = os.environ.get("CONVERGIO_EXHAUSTIVE") == "1"


def either(sample: int, everything: int) -> int:
    """The first in a run of the suite, the second where everything is asked for."""
    return everything if EXHAUSTIVE else sample
