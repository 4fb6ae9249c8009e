"""Log-probabilities in the shapes of OpenAI's completions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convergio_mlx.generation.stats import TokenLogprob
from convergio_mlx.text.tokenizer import Tokenizer

_LOWEST = -9999.0
"""OpenAI's stand-in for what JSON has no number of."""


def chat_logprobs(tokenizer: Tokenizer, tokens: Sequence[TokenLogprob]) -> list[dict[str, Any]]:
    """As chat completions have them: the bytes of each token, since a character may be several."""
    return [
        {
            **_entry(tokenizer, one.token_id, one.logprob),
            "top_logprobs": [_entry(tokenizer, *pair) for pair in one.top],
        }
        for one in tokens
    ]


def _entry(tokenizer: Tokenizer, token_id: int, logprob: float) -> dict[str, Any]:
    data = tokenizer.bytes_of(token_id)
    text = data.decode(errors="replace")
    return {"token": text, "logprob": max(logprob, _LOWEST), "bytes": [*data]}


def text_logprobs(
    tokenizer: Tokenizer, tokens: Sequence[TokenLogprob], offset: int
) -> dict[str, Any]:
    """As completions have them; offsets are of characters, the first of them `offset`."""
    texts = [tokenizer.bytes_of(one.token_id).decode(errors="replace") for one in tokens]
    offsets = [offset + sum(map(len, texts[:index])) for index in range(len(texts))]
    tops = [
        {
            tokenizer.bytes_of(token).decode(errors="replace"): max(logprob, _LOWEST)
            for token, logprob in reversed(one.top)  # of two with one text the likelier stays
        }
        for one in tokens
    ]
    return {
        "tokens": texts,
        "token_logprobs": [max(one.logprob, _LOWEST) for one in tokens],
        "top_logprobs": tops,
        "text_offset": offsets,
    }
