"""Keeps the held-out questions, and questions nearly the same, out of the corpus."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

NEAR = 0.75
"""More than this part of the words of two questions shared (of all that either has): too near."""


def normalized(text: str) -> str:
    """Text without case, punctuation and spacing."""
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()


class HeldOut:
    """Questions that no training conversation may ask."""

    def __init__(self, questions: Iterable[str]) -> None:
        self.words = [frozenset(normalized(q).split()) for q in questions]
        self.having: dict[str, list[int]] = defaultdict(list)
        for at, words in enumerate(self.words):
            for word in words:
                self.having[word].append(at)

    def meets(self, question: str) -> bool:
        """Whether a question is held out, or shares nearly all its words with one that is,
        whatever their order."""
        words = frozenset(normalized(question).split())
        shared = Counter(at for word in words for at in self.having.get(word, ()))
        return any(n > NEAR * len(words | self.words[at]) for at, n in shared.items())
