"""A budget of reasoning: when it is spent, the model is made to end it and to answer."""

from __future__ import annotations

from typing import Any

from convergio_mlx.chats.pieces import AnySplitter
from convergio_mlx.structured.constraint import Mask
from convergio_mlx.text.detokenizer import Detokenizer


class ReasoningBudget:
    """A constraint that forces the end mark after so many tokens of reasoning. Serves one
    answer."""

    def __init__(
        self,
        budget: int,
        *,
        end: list[int],
        splitter: AnySplitter,
        detokenizer: Detokenizer,
        vocab_size: int,
        within: Any = None,
    ) -> None:
        """Begins an answer.

        Args:
            budget: tokens of reasoning at most, marks not counted.
            end: what ends it.
            splitter: tells reasoning from the answer; this one's own.
            detokenizer: which shows the marks; this one's own.
            vocab_size: number of logits of the model.
            within: a native GrammarConstraint that holds as well.
        """
        self._left = budget
        self._end = end
        self._splitter = splitter
        self._detokenizer = detokenizer
        self.within = within
        self._anything = b"\xff" * ((vocab_size + 31) // 32 * 4)

    def __call__(self, accepted: list[int]) -> Mask | list[int] | None:
        """See `constraint.Constraint`."""
        for token in accepted:
            was_thinking = self._splitter.is_thinking
            self._splitter.feed(self._detokenizer.add(token))
            self._left -= was_thinking and self._splitter.is_thinking
        allowed = self._anything if self.within is None else self.within(accepted)
        if not self._splitter.is_thinking or self._left > 0:
            return allowed
        # A grammar wants whole characters: one that is incomplete is waited for.
        can_end = self.within is None or self.within.allows(self._end)
        return self._end if can_end else allowed
