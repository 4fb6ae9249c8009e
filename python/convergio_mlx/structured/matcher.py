"""The constraint that a grammar puts on an answer, as llguidance's masks."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence

from convergio_mlx.constraint import Mask
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.structured.llg import Matcher, TokenTable

_KEPT = 32
"""Grammars whose compiled form is kept, of each tokenizer."""


class GrammarConstraint:
    """Lets through the tokens that go on within a grammar, and lets the answer end where the
    grammar does. Serves one answer."""

    def __init__(self, matcher: Matcher, vocab_size: int, stop_tokens: Sequence[int]) -> None:
        """Takes a fresh matcher.

        Args:
            matcher: at the answer's beginning.
            vocab_size: number of logits of the model.
            stop_tokens: tokens that end the answer; they are let through where it may end, and
                nowhere else.
        """
        self._matcher = matcher
        self._bytes = (vocab_size + 31) // 32 * 4
        self._stop_tokens = [token for token in stop_tokens if token < vocab_size]

    def __call__(self, accepted: list[int]) -> Mask | list[int] | None:
        """See `constraint.Constraint`.

        Raises:
            RuntimeError: the grammar is too complex to go on with.
        """
        matcher = self._matcher
        if accepted:
            matcher.consume(accepted)
        if fault := matcher.error():
            raise RuntimeError(sentence(fault))
        if matcher.is_stopped():
            return None
        if forced := matcher.forced():
            return forced
        mask = matcher.mask()[: self._bytes]
        if fault := matcher.error():
            raise RuntimeError(sentence(fault))
        may_end = matcher.is_accepting()
        mask.extend(bytes(max(0, max(self._stop_tokens, default=0) // 32 * 4 + 4 - len(mask))))
        for token in self._stop_tokens:
            if may_end:
                mask[token // 8] |= 1 << token % 8
            else:
                mask[token // 8] &= ~(1 << token % 8)
        return mask

    def allows(self, tokens: list[int]) -> bool:
        """Whether these may come next, all of them."""
        return self._matcher.allowed(tokens) == len(tokens)


class Matchers:
    """Matchers of grammars over one vocabulary; those used last are kept compiled."""

    def __init__(self, table: TokenTable) -> None:
        """Takes the vocabulary."""
        self._table = table
        self._looking = threading.Lock()
        self._compiled: OrderedDict[tuple[str, str | None], Matcher] = OrderedDict()

    def fresh(self, grammar: str, own: str | None = None) -> Matcher:
        """A matcher at the beginning of a grammar.

        Args:
            grammar: Lark.
            own: the grammar that it names `@answer`.

        Raises:
            InvalidRequestError: llguidance refuses the grammar; its sentence says why.
        """
        key = (grammar, own)
        with self._looking:
            compiled = self._compiled.get(key)
            if compiled is not None:
                self._compiled.move_to_end(key)
        if compiled is None:  # outside of the lock: a large one takes a good part of a second
            compiled = self._compile(grammar, own)
            with self._looking:
                self._compiled[key] = compiled
                if len(self._compiled) > _KEPT:
                    self._compiled.popitem(last=False)
        return compiled.copy()

    def _compile(self, grammar: str, own: str | None) -> Matcher:
        grammars = [{"lark_grammar": grammar}]
        if own is not None:
            grammars.append({"name": "answer", "lark_grammar": own})
        try:
            return self._table.matcher(grammars)
        except ValueError as error:
            raise InvalidRequestError(
                f"[structured] the answer's form cannot be enforced ({sentence(str(error))}); "
                "change the schema, pattern or grammar."
            ) from None


def sentence(message: str) -> str:
    """llguidance's own sentence, without the place in our grammar and the state it appends."""
    first, _, rest = message.strip().partition("\n")
    if first.endswith(":"):  # a regular expression's fault is told in the last of several lines
        first += next((f" {line[7:]}" for line in rest.splitlines() if line[:7] == "error: "), "")
    return re.sub(r"^at \d+\(\d+\): |failed to compile JSON schema: ", "", first)
