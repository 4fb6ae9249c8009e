"""A tokenizer's vocabulary as llguidance needs it: the bytes of every token.

Made once a tokenizer and kept with it; the masks of all requests share it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from convergio_mlx.structured.matcher import Matchers
from convergio_mlx.text.tokenizer import Tokenizer

_MADE: WeakKeyDictionary[Tokenizer, Matchers] = WeakKeyDictionary()
_MAKING = threading.Lock()
_BEFORE = "\n"
"""What a text is encoded after where the tokenizer would begin it with a space."""


class _Vocabulary:
    """What llguidance asks of a tokenizer. It may not hold the Tokenizer, which holds it."""

    is_tokenizer_wrapper = True
    bos_token_id = None

    def __init__(self, tokenizer: Tokenizer, marks: Collection[str]) -> None:
        self.tokens = tokenizer.token_bytes()
        added = tokenizer.added_ids(marks).values()
        self.special_token_ids = sorted({*tokenizer.special_ids, *added})
        self._special = frozenset(self.special_token_ids)
        # The end of an answer is no token of the table: which tokens end it, the request says.
        self.eos_token_id = len(self.tokens)
        self.tokens.append(b"")
        self._encode: Callable[[str], list[int]] = tokenizer.encoder()
        self._skipped = self._before()

    def __call__(self, text: str) -> list[int]:
        """The tokens of a text that follows others. Must not raise: llguidance would panic."""
        ids = self._encode(_BEFORE + text)[self._skipped :] if self._skipped else self._encode(text)
        if self._special.isdisjoint(ids) and self._bytes(ids) == text.encode():
            return ids
        return self._greedy(text.encode())

    def _before(self) -> int:
        """How many tokens to skip, encoding after `_BEFORE`; 0 where that is not needed."""
        alone = self._encode("a")
        return 0 if self._bytes(alone) == b"a" else len(self._encode(_BEFORE))

    def _bytes(self, ids: list[int]) -> bytes:
        return b"".join(self.tokens[token] for token in ids)

    def _greedy(self, text: bytes) -> list[int]:
        """Longest tokens first: for a text that spells a special token out."""
        ids = []
        while text:
            size = next(n for n in range(min(len(text), 64), 0, -1) if text[:n] in self._by_bytes)
            ids.append(self._by_bytes[text[:size]])
            text = text[size:]
        return ids

    @cached_property
    def _by_bytes(self) -> dict[bytes, int]:
        tokens = enumerate(self.tokens)
        return {data: i for i, data in tokens if data and i not in self._special}


def matchers_of(tokenizer: Tokenizer, marks: Collection[str]) -> Matchers:
    """What makes the matchers over a tokenizer's vocabulary.

    Args:
        tokenizer: a model's.
        marks: tokens that no text has in it, special or not: the marks of calls and of reasoning,
            which grammars name by id. The same at every call.

    Raises:
        InvalidRequestError: its tokens have no bytes of their own.
    """
    with _MAKING:
        matchers = _MADE.get(tokenizer)
        if matchers is None:
            from llguidance import LLTokenizer

            vocabulary: Any = _Vocabulary(tokenizer, marks)
            matchers = _MADE[tokenizer] = Matchers(LLTokenizer(vocabulary))
        return matchers
