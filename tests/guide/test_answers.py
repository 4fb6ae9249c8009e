"""What the built-in model answers: held-out questions, golden texts, a fixed perplexity."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guide.judge import evaluate, load_items, table
from model.exact_process import engine_logits

HERE = Path(__file__).resolve().parent
Greedy = Callable[..., tuple[str, list[int]]]
GOLDEN = json.loads((HERE / "golden.json").read_text("utf-8"))


AIM = 0.9
"""Of the held-out questions, and of the tool calls among them: docs/guide-model.md."""
REACHED = {"questions": 0.885, "tools": 0.84, "valid": 0.92}
"""What this checkpoint reaches by itself; a stream with tools is constrained, and all are valid."""


def test_held_out_questions_are_answered_as_well_as_ever(greedy: Greedy) -> None:
    by_topic, _ = evaluate(load_items(), lambda item: greedy(item["messages"], item["tools"])[0])
    right = [r for topic, results in by_topic.items() if topic[0] != "(" for r in results]
    valid = by_topic["(valid JSON)"]
    assert sum(right) >= REACHED["questions"] * len(right), table(by_topic)
    assert sum(by_topic["tools"]) >= REACHED["tools"] * len(by_topic["tools"]), table(by_topic)
    assert sum(valid) >= REACHED["valid"] * len(valid), table(by_topic)


@pytest.mark.xfail(reason="88.8 %: the corpus needs more ways of asking", strict=True)
def test_nine_of_ten_held_out_questions_are_answered_right(greedy: Greedy) -> None:
    by_topic, _ = evaluate(load_items(), lambda item: greedy(item["messages"], item["tools"])[0])
    right = [r for topic, results in by_topic.items() if topic[0] != "(" for r in results]
    assert sum(right) >= AIM * len(right), table(by_topic)


@pytest.mark.parametrize("case", GOLDEN["answers"], ids=lambda c: c["messages"][-1]["content"][:40])
def test_greedy_answer_is_the_golden_one(case: dict[str, Any], greedy: Greedy) -> None:
    text, tokens = greedy(case["messages"], case["tools"])
    stop = GOLDEN["stop_tokens"]
    assert [t for t in tokens if t not in stop] == case["token_ids"]
    assert text == case["text"]


def perplexity(ids: list[int], logits: np.ndarray[Any, Any]) -> float:
    scores = logits.astype(np.float64)
    scores -= scores.max(-1, keepdims=True)
    scores -= np.log(np.exp(scores).sum(-1, keepdims=True))
    return math.exp(-scores[np.arange(len(ids) - 1), ids[1:]].mean())


def test_perplexity_of_the_fixed_text(engine: Any, tokenizer: Any) -> None:
    """In float32 as torch has it; the default precision stays near (docs/kernels.md)."""
    ids = tokenizer.encode((HERE / "perplexity.txt").read_text("utf-8")).ids
    exact = engine_logits(engine.folder, tuple(ids), 512)
    assert exact.shape == (len(ids), 2048)
    assert perplexity(ids, exact) == pytest.approx(GOLDEN["perplexity"], rel=1e-4)
    rounded = perplexity(ids, np.asarray(engine.logits(ids)))
    assert rounded == pytest.approx(GOLDEN["perplexity"], rel=5e-4)
