"""The grammars of a tokenizer's vocabulary: made once per tokenizer, shared by all requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.platform.native import native
from convergio_mlx.structured.library import library
from convergio_mlx.text.tokenizer import Tokenizer

_BEFORE = "\n"
"""What a text is encoded after where the tokenizer would begin it with a space."""
LONGEST = 8 << 20
"""Bytes of a grammar at most: llguidance's own bounds end at a few megabytes of JSON."""


class Grammars:
    """Constraints of one vocabulary. Safe to share by threads."""

    def __init__(
        self, tokens: Sequence[bytes], special: Collection[int], encode: Callable[[str], list[int]]
    ) -> None:
        """Reads a vocabulary.

        Args:
            tokens: what each id stands for.
            special: ids of tokens that no text spells; a grammar names them by id.
            encode: the tokens of a text that follows others; called by any thread.

        Raises:
            UnavailableError: llguidance is missing, or another version.
        """
        self._native = native().Grammars(library(), list(tokens), sorted(special), encode)

    def prepare(self) -> None:
        """Makes now what the first constraint would make: a table of the vocabulary, without the
        GIL."""
        self._native.prepare()

    def constraint(
        self,
        grammar: str,
        own: str | None = None,
        *,
        vocab_size: int,
        stop_tokens: Sequence[int] = (),
    ) -> Any:
        """What holds one answer to a grammar: a native `GrammarConstraint`, which is a
        `Constraint`. The grammar is compiled on another thread; `wait` waits for it.

        Args:
            grammar: Lark.
            own: the grammar that it names `@answer`.
            vocab_size: number of logits of the model.
            stop_tokens: tokens that end the answer; they are let through where it may end, and
                nowhere else.

        Raises:
            InvalidRequestError: the grammar is longer than any that is compiled.
        """
        grammars = [{"lark_grammar": grammar}]
        if own is not None:
            grammars.append({"name": "answer", "lark_grammar": own})
        text = json.dumps({"grammars": grammars})
        if len(text) > LONGEST:
            raise InvalidRequestError(
                f"[structured] the answer's form takes {len(text) / 1e6:.1f} MB as a grammar, and "
                f"at most {LONGEST / 1e6:.1f} MB are compiled; give a smaller form."
            )
        return self._native.constraint(text, vocab_size, list(stop_tokens))


class _Made:
    """The grammars of one tokenizer, and who makes them."""

    def __init__(self) -> None:
        self.making = threading.Lock()
        self.grammars: Grammars | None = None


_MADE: WeakKeyDictionary[Tokenizer, _Made] = WeakKeyDictionary()
_LOOKING = threading.Lock()


def grammars_of(tokenizer: Tokenizer, marks: Collection[str]) -> Grammars:
    """The grammars over a tokenizer's vocabulary. The first call reads it, and others for the same
    tokenizer wait for that.

    Args:
        tokenizer: a model's.
        marks: tokens that no text has in it, special or not: the marks of calls and of reasoning,
            which grammars name by id. The same at every call.

    Raises:
        InvalidRequestError: its tokens have no bytes of their own.
        UnavailableError: llguidance is missing, or another version.
    """
    with _LOOKING:
        made = _MADE.setdefault(tokenizer, _Made())
    with made.making:
        if made.grammars is None:
            tokens = tokenizer.token_bytes()
            special = frozenset({*tokenizer.special_ids, *tokenizer.added_ids(marks).values()})
            made.grammars = Grammars(tokens, special, _encoder(tokens, tokenizer.encoder()))
        return made.grammars


def _encoder(
    tokens: Sequence[bytes], encode: Callable[[str], list[int]]
) -> Callable[[str], list[int]]:
    """Encodes texts that follow others. It may not hold the Tokenizer, which its grammars hold."""
    alone = encode("a")
    if all(0 <= token < len(tokens) for token in alone) and (
        b"".join(tokens[token] for token in alone) == b"a"
    ):
        return encode
    skipped = len(encode(_BEFORE))
    return lambda text: encode(_BEFORE + text)[skipped:]
