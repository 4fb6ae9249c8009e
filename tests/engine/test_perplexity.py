"""Perplexity is what the logits say."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from convergio_mlx.engine.engine import Engine
from convergio_mlx.errors import InvalidRequestError

TEXT = (Path(__file__).parents[1] / "guide" / "perplexity.txt").read_text()[:3000]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load("convergio-guide")


def expected(engine: Engine, window: int, limit: int) -> tuple[float, int]:
    start = engine.tokenizer.encode("a")[:1]
    start = start if start[0] == engine.tokenizer.bos_id else []
    tokens = engine.tokenizer.encode(TEXT, add_special_tokens=False)[:limit]
    losses: list[float] = []
    step = window - len(start)
    for first in range(0, len(tokens), step):
        ids = [*start, *tokens[first : first + step]]
        logits = np.asarray(engine.logits(ids)).astype(np.float64)[:-1]
        peak = logits.max(axis=1, keepdims=True)
        norms = np.log(np.exp(logits - peak).sum(axis=1)) + peak[:, 0]
        losses += list(norms - logits[np.arange(len(ids) - 1), ids[1:]])
    return math.exp(sum(losses) / len(losses)), len(losses)


@pytest.mark.parametrize(("window", "limit"), [(512, 4096), (33, 200), (2, 9)])
def test_it_is_what_the_logits_say(engine: Engine, window: int, limit: int) -> None:
    told: list[tuple[int, int]] = []
    found = engine.perplexity(
        TEXT, window=window, max_tokens=limit, on_progress=lambda *now: told.append(now)
    )
    value, count = expected(engine, window, limit)
    assert found.value == pytest.approx(value, rel=1e-4)
    assert (found.tokens, found.window) == (count, window)
    assert told[-1][0] == told[-1][1] <= limit
    assert told == sorted(told)


def test_what_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        engine.perplexity("")
    assert str(raised.value) == (
        "[perplexity] the text has 0 tokens, and at least 2 are needed; give a longer one."
    )
    with pytest.raises(InvalidRequestError) as raised:
        engine.perplexity(TEXT, window=1)
    assert str(raised.value) == (
        "[perplexity] window is 1 and max_tokens is 4096, which leaves no token to predict; give "
        "at least 2."
    )
    for options in ({"window": 0}, {"max_tokens": "x"}, {"window": 2.5}):
        with pytest.raises(InvalidRequestError, match="whole number of at least 1"):
            engine.perplexity(TEXT, **options)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError):
        engine.perplexity(3)  # type: ignore[arg-type]
