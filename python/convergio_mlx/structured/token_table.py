"""A tokenizer's vocabulary as llguidance needs it: the bytes of every token.

Made once a tokenizer and kept with it; the masks of all requests share it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from weakref import WeakKeyDictionary

from convergio_mlx.structured.llg import TokenTable
from convergio_mlx.structured.matcher import Matchers
from convergio_mlx.text.tokenizer import Tokenizer

_BEFORE = "\n"
"""What a text is encoded after where the tokenizer would begin it with a space."""


class _Made:
    """The matchers of one tokenizer, and who makes them."""

    def __init__(self) -> None:
        self.making = threading.Lock()
        self.matchers: Matchers | None = None


_MADE: WeakKeyDictionary[Tokenizer, _Made] = WeakKeyDictionary()
_LOOKING = threading.Lock()


def matchers_of(tokenizer: Tokenizer, marks: Collection[str]) -> Matchers:
    """What makes the matchers over a tokenizer's vocabulary. The first call makes the table, and
    others for the same tokenizer wait for it.

    Args:
        tokenizer: a model's.
        marks: tokens that no text has in it, special or not: the marks of calls and of reasoning,
            which grammars name by id. The same at every call.

    Raises:
        InvalidRequestError: its tokens have no bytes of their own.
    """
    with _LOOKING:
        made = _MADE.setdefault(tokenizer, _Made())
    with made.making:
        if made.matchers is None:
            tokens = tokenizer.token_bytes()
            special = frozenset({*tokenizer.special_ids, *tokenizer.added_ids(marks).values()})
            encode = _Encoder(tokens, special, tokenizer.encoder())
            # The end of an answer is no token of the table: which tokens end it, the request says.
            made.matchers = Matchers(TokenTable([*tokens, b""], special, encode))
        return made.matchers


class _Encoder:
    """Encodes texts that follow others. It may not hold the Tokenizer, whose matchers hold it."""

    def __init__(
        self, tokens: Sequence[bytes], special: frozenset[int], encode: Callable[[str], list[int]]
    ) -> None:
        self._tokens = tokens
        self._special = special
        self._encode = encode
        self._skipped = self._before()

    def __call__(self, text: str) -> list[int]:
        """The tokens of a text. Must not raise: llguidance cannot pass it on."""
        ids = self._encode(_BEFORE + text)[self._skipped :] if self._skipped else self._encode(text)
        if self._special.isdisjoint(ids) and self._bytes(ids) == text.encode():
            return ids
        return self._greedy(text.encode())

    def _before(self) -> int:
        """How many tokens to skip, encoding after `_BEFORE`; 0 where that is not needed."""
        alone = self._encode("a")
        return 0 if self._bytes(alone) == b"a" else len(self._encode(_BEFORE))

    def _bytes(self, ids: list[int]) -> bytes:
        return b"".join(self._tokens[token] for token in ids)

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
        tokens = enumerate(self._tokens)
        return {data: i for i, data in tokens if data and i not in self._special}
