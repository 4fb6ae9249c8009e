"""How well a model predicts a text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from convergio_mlx.engine.request import whole_number
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.text.tokenizer import Tokenizer

WINDOW = 512
"""Tokens that are read at once and know of each other."""
MAX_TOKENS = 4096
"""Tokens of a text that are read."""

OnTokens = Callable[[int, int], None]
"""Told how many tokens are done, and of how many."""


@dataclass(frozen=True)
class Perplexity:
    """What `Engine.perplexity` found."""

    value: float
    """exp of the mean negative log probability of a token: among as many the model chooses."""
    tokens: int
    """Tokens that were predicted."""
    window: int
    """Tokens of a window."""


def perplexity(
    model: Any,
    tokenizer: Tokenizer,
    text: str,
    *,
    window: int = WINDOW,
    max_tokens: int = MAX_TOKENS,
    on_progress: OnTokens | None = None,
) -> Perplexity:
    """See `Engine.perplexity`."""
    window = min(whole_number("window", window), int(model.context_window))
    limit = whole_number("max_tokens", max_tokens)
    if window < 2 or limit < 2:
        raise InvalidRequestError(
            f"[perplexity] window is {window} and max_tokens is {limit}, which leaves no token to "
            "predict; give at least 2."
        )
    first = tokenizer.encode("a")[:1]
    start = first if first and first[0] == tokenizer.bos_id else []
    tokens = tokenizer.encode(text, add_special_tokens=False)[:limit]
    if len(tokens) < 2:
        raise InvalidRequestError(
            f"[perplexity] the text has {len(tokens)} tokens, and at least 2 are needed; give a "
            "longer one."
        )
    total, count = 0.0, 0
    for done, piece in _pieces(tokens, window - len(start)):
        found = model.token_logprobs([*start, *piece])
        total += math.fsum(found)
        count += len(found)
        if on_progress is not None:
            on_progress(done, len(tokens))
    return Perplexity(_exp(-total / count), count, window)


def _pieces(tokens: list[int], size: int) -> Iterator[tuple[int, list[int]]]:
    """Runs of `size` tokens, each with the number of tokens up to its end."""
    for first in range(0, len(tokens), size):
        piece = tokens[first : first + size]
        yield first + len(piece), piece


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf
