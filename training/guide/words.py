# ruff: noqa: E501 (templates are data, one a line)
"""Parts that many templates share, and the forms of a question with its answer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

Topics = tuple[tuple[str, tuple[str, ...]], ...]
"""Each an answer, and templates of the questions that it answers."""

HOW = "(how (do|can|would|could|should) (i|we|one)|how to|what is the (command|way) to|i (want|need|would like) to|(which|what) command (can i use to|lets me|do i need to)|help me|can i|is it possible to|i'd like to|i want to know how to)"
GB = "(GB|gb|GB of RAM|gb ram|gigs|gig|GB of memory|gigabytes|GB RAM|gigs of ram|gigabytes of memory|g)"
MACHINE = "(machine|mac|macbook|laptop|computer|pc|MacBook Air|Mac mini|notebook|box|desktop|system|imac|device)"
CHIP = "(M1|M2|M3|M4|M2 Pro|M1 Air|m4 mini|m1 macbook|m2 macbook air|m3 max|linux pc|linux laptop|ubuntu box|gaming pc|ryzen|thinkpad|mac studio|imac m1|mac mini m2|workstation|16 core server)"
TOOL = "(convergio-mlx|convergio|this tool|this program|it|this|this thing|the tool|this app|this software|the program|the app)"


@dataclass(frozen=True)
class QA:
    """A question with its answer; `model` is what a following "it" means."""

    question: str
    answer: str
    model: str | None = None


def glued(rng: random.Random, templates: Sequence[str]) -> Sequence[str]:
    """`templates`, at times with a number and its unit in one word, as in 8GB."""
    if rng.random() < 0.75:
        return templates
    return [t.replace("{n} {gb}", "{n}{gb}") for t in templates]
