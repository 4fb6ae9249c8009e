"""What is measured, in which order."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from comparison.contender import Contender, suits
from comparison.geometry import GEOMETRIES
from comparison.recurrent import RECURRENT


@dataclass(frozen=True)
class Case:
    """A conversation; see subjects.process.Job for its fields."""

    name: str
    prompt: int
    answer: int
    second_turn: int = 0
    warm_up: bool = True
    rounds: int = 3
    cold: bool = False
    """The checkpoint is dropped from the page cache first."""
    wide: bool = True
    """Contenders of all bit widths; else those of the fewest alone."""
    constrained: int = 0
    """Tokens of an answer that must be JSON, and of one that need not; ours alone is asked."""
    on_slow: bool = False
    """Also for an engine that takes seconds a token."""


START = Case("start", 16, 2, warm_up=False)
COLD = Case("cold start", 16, 2, warm_up=False, cold=True)
FEW = Case("few", 4, 3, warm_up=False, rounds=1, wide=False, on_slow=True)
SHORT = Case("short", 16, 64, second_turn=16, constrained=32)
MIDDLE = Case("512", 512, 16, second_turn=16)
LONG = Case("4096", 4096, 32, second_turn=16, wide=False)
LONGEST = Case("16384", 16384, 32, rounds=1, wide=False)
THIN = Case("thin", 16, 64, wide=False, on_slow=True)

QUICK: dict[str, tuple[Case, ...]] = {
    "thin-16": (THIN,),
    "llama-3.2-1b": (
        FEW,
        START,
        SHORT,
        MIDDLE,
        replace(LONG, rounds=1),
    ),
}
FULL: dict[str, tuple[Case, ...]] = {
    "thin-16": (THIN,),
    "llama-3.2-1b": (FEW, START, COLD, SHORT, MIDDLE, LONG, LONGEST),
    "qwen2.5-1.5b": (START, SHORT, MIDDLE, replace(LONG, rounds=1)),
    "llama-3.2-3b": (START, SHORT, replace(MIDDLE, rounds=2), replace(LONG, rounds=1)),
    "llama-3.1-8b": (
        replace(START, wide=False),
        replace(SHORT, wide=False),
        replace(MIDDLE, rounds=2, wide=False),
        replace(LONG, rounds=1),
    ),
    "gpt-oss-20b-8": (SHORT, MIDDLE),
    "gemma-4-e4b": (replace(SHORT, wide=False), replace(MIDDLE, wide=False)),
    "qwen3-30b-a3b-5": (replace(SHORT, wide=False), replace(MIDDLE, wide=False)),
    **dict.fromkeys(
        RECURRENT,
        (replace(SHORT, wide=False), replace(MIDDLE, wide=False), replace(LONG, rounds=2), LONGEST),
    ),
}


@dataclass(frozen=True)
class Sample:
    """One process."""

    geometry: str
    case: Case
    contender: Contender
    round: int

    def __str__(self) -> str:
        return f"{self.geometry} {self.case.name} {self.contender.name} {self.round}"

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """Tells it from the others of a run."""
        one = self.contender
        return self.geometry, self.case.name, one.engine, one.format, self.round


def samples(
    plan: Mapping[str, Sequence[Case]], contenders: Sequence[Contender], slow: Container[str]
) -> Iterator[Sample]:
    """Every contender once, then all of them again: what else the machine does meets them alike.

    Args:
        plan: cases of each geometry.
        contenders: who takes part, where the geometry suits.
        slow: engines that get the cases for slow ones alone.
    """
    for geometry, cases in plan.items():
        suitable = [one for one in contenders if suits(one, GEOMETRIES[geometry])]
        fewest = min(one.bits_per_weight for one in suitable)
        for case in cases:
            for number in range(case.rounds):
                for contender in suitable:
                    if contender.engine in slow and not case.on_slow:
                        continue
                    if case.wide or contender.bits_per_weight == fewest:
                        yield Sample(geometry, case, contender, number)
