"""What of many cases alike the everyday run has: a share of them. The others are slow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import pytest
from _pytest.mark import ParameterSet

T = TypeVar("T")


def one_in(
    count: int, cases: Iterable[T], *, always: Callable[[T], bool] = lambda _: False
) -> list[ParameterSet]:
    """Parameters, of which every `count`-th is an everyday one, and each that is `always`."""
    return [
        pytest.param(case, marks=() if index % count == 0 or always(case) else pytest.mark.slow)
        for index, case in enumerate(cases)
    ]
