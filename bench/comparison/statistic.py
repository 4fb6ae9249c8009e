"""Several samples as one figure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """The median of some samples, and how far they lie apart."""

    median: float
    low: float
    high: float
    samples: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """Of at least one value."""
        if not values:
            raise ValueError("[bench] there is no sample to take a median of; measure one.")
        return cls(statistics.median(values), min(values), max(values), len(values))

    def inverse(self, of: float = 1.0) -> Figure:
        """`of` divided by it: seconds become a speed."""
        return Figure(of / self.median, of / self.high, of / self.low, self.samples)
