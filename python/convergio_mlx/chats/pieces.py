"""What an answer is split into, and where a mark may be beginning."""

from __future__ import annotations

from typing import Literal, Protocol

Piece = tuple[Literal["reasoning", "text"], str]


class AnySplitter(Protocol):
    """Splits an answer into its reasoning and the rest."""

    @property
    def is_thinking(self) -> bool:
        """Whether the text so far ends within reasoning."""

    @property
    def may_think(self) -> bool:
        """Whether reasoning continues, or may still begin."""

    def feed(self, text: str) -> list[Piece]:
        """Takes the next piece; returns what is certain now."""

    def finish(self) -> list[Piece]:
        """Returns what was held back, now that no more will come."""


def overlap(text: str, mark: str) -> int:
    """The length of the longest end of `text` that begins `mark`, and is not all of it."""
    for size in range(min(len(text), len(mark) - 1), 0, -1):
        if text.endswith(mark[:size]):
            return size
    return 0
