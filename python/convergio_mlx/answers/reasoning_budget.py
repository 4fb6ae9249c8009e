"""A budget of reasoning: when it is spent, the model is made to end it and to answer."""

from __future__ import annotations

from convergio_mlx.answers.reasoning import Splitter
from convergio_mlx.constraint import Mask
from convergio_mlx.structured.matcher import GrammarConstraint
from convergio_mlx.text.detokenizer import Detokenizer


class ReasoningBudget:
    """A constraint that forces the end mark after so many tokens of reasoning. Serves one
    answer."""

    def __init__(
        self,
        budget: int,
        *,
        end: list[int],
        splitter: Splitter,
        detokenizer: Detokenizer,
        vocab_size: int,
        within: GrammarConstraint | None = None,
    ) -> None:
        """Begins an answer.

        Args:
            budget: tokens of reasoning at most, marks not counted.
            end: what ends it.
            splitter: tells reasoning from the answer; this one's own.
            detokenizer: which shows the marks; this one's own.
            vocab_size: number of logits of the model.
            within: a constraint that holds as well.
        """
        self._left = budget
        self._end = end
        self._splitter = splitter
        self._detokenizer = detokenizer
        self._within = within
        self._anything = b"\xff" * ((vocab_size + 31) // 32 * 4)

    def __call__(self, accepted: list[int]) -> Mask | list[int] | None:
        """See `constraint.Constraint`."""
        for token in accepted:
            was_thinking = self._splitter.is_thinking
            self._splitter.feed(self._detokenizer.add(token))
            self._left -= was_thinking and self._splitter.is_thinking
        allowed = self._anything if self._within is None else self._within(accepted)
        if not self._splitter.is_thinking or self._left > 0:
            return allowed
        # A grammar wants whole characters: one that is incomplete is waited for.
        can_end = self._within is None or self._within.allows(self._end)
        return self._end if can_end else allowed
