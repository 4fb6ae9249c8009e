"""Conversations that continue from the prefix cache, and the same with an empty one: in the
precision that is the default, the built-in model's greedy texts are the same."""

from __future__ import annotations

from typing import Any

import pytest

import convergio_mlx as cm
from guide.judge import load_items

pytestmark = pytest.mark.slow


PARAMS = cm.SamplingParams(temperature=0, max_tokens=120)
CONVERSATIONS = 80
TURNS = 3


def conversation(engine: Any, questions: list[str]) -> tuple[list[str], int]:
    """The answers, and how many tokens of the prompts were not computed again."""
    messages: list[dict[str, str]] = []
    answers, cached = [], 0
    for question in questions:
        messages.append({"role": "user", "content": question})
        generation = engine.generate(messages, PARAMS)
        answers.append("".join(chunk.text for chunk in generation))
        cached += generation.stats.cached_tokens
        messages.append({"role": "assistant", "content": answers[-1]})
    return answers, cached


def test_no_answer_changes_by_going_on_from_what_is_kept(engine: Any) -> None:
    asked = [item["messages"][-1]["content"] for item in load_items()]
    served = 0
    with cm.Engine.load("convergio-guide", prefix_cache_bytes=0) as forgetful:
        for first in range(CONVERSATIONS):
            questions = asked[first :: len(asked) // TURNS][:TURNS]
            answers, cached = conversation(engine, questions)
            assert (answers, 0) == conversation(forgetful, questions), questions
            served += cached
    assert served > CONVERSATIONS * 50
