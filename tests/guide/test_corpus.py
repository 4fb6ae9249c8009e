"""The training corpus: apart from the held-out questions, and true to the registry."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from guide.corpus import asked, conversations
from guide.facts import BY_ID, LARGEST, MODELS, REGISTERED, REGISTRY, SMALLEST
from guide.held_out import NEAR, HeldOut, normalized
from guide.judge import SETS, load_items

# Id: size, memory in GB, use case, context window, as decided for the project.
RECORD = {
    "llama-3.2-1b": ("800 MB", 4, "Fast, lightweight", 131072),
    "llama-3.2-3b": ("1.8 GB", 8, "Balanced", 131072),
    "deepseek-r1-1.5b": ("1 GB", 4, "Reasoning, coding", 131072),
    "deepseek-r1-7b": ("4.5 GB", 8, "Better reasoning", 131072),
    "deepseek-r1-14b": ("8.5 GB", 16, "Best reasoning", 131072),
    "qwen2.5-coder-7b": ("4.2 GB", 8, "Code generation", 32768),
    "phi-3-mini": ("2.2 GB", 6, "Fast, efficient", 4096),
    "mistral-7b-q4": ("4.1 GB", 8, "Multilingual", 32768),
    "llama-3.1-8b-q4": ("4.6 GB", 8, "Best quality", 131072),
}


@pytest.mark.slow
def test_no_held_out_question_is_in_the_corpus() -> None:
    """Nor one that shares nearly all its words with one; unlike the generator's own check, this one
    compares every pair."""
    questions = [asked(item["messages"])[-1] for name in SETS for item in load_items(name)]
    held = [set(normalized(q).split()) for q in questions]
    for made in itertools.islice(conversations(3, HeldOut(questions)), 1500):
        for question in asked(made["messages"]):
            words = set(normalized(question).split())
            assert not any(len(words & h) > NEAR * len(words | h) for h in held), question


def test_nearly_the_same_question_is_held_out_too() -> None:
    held = HeldOut(["How many gigs of RAM will it need?"])
    assert held.meets("how many gigs of ram will it need")
    assert held.meets("it will need: how many gigs of RAM, please")
    assert not held.meets("how many gigs of disk will it need then")


def test_held_out_set_is_large_enough() -> None:
    items = load_items()
    tools = [i for i in items if i["topic"] in ("tools", "tool_result")]
    off_topic = [i for i in items if i["topic"] == "offtopic"]
    assert len(tools) >= 40
    assert len(off_topic) >= 40
    assert len(items) - len(tools) - len(off_topic) >= 150


@pytest.mark.parametrize("model", sorted(RECORD))
def test_corpus_tells_the_record(model: str) -> None:
    m = BY_ID[model]
    assert (m.size, m.memory_gb, m.use_case, m.context_window) == RECORD[model]


def test_registry_has_these_models_first() -> None:
    entries = json.loads(Path(REGISTRY).read_text("utf-8"))["models"]
    assert [e["id"] for e in entries][: len(RECORD)] == list(RECORD)
    assert [m.id for m in MODELS] == list(RECORD)


def test_smallest_and_largest_are_those_that_the_model_tells() -> None:
    """Where the registry gets another, the shipped model needs new training."""
    assert (SMALLEST.id, SMALLEST.size) == ("qwen3-0.6b", "350 MB")
    assert (LARGEST.id, LARGEST.size, LARGEST.memory_gb) == ("mistral-small-24b", "13.3 GB", 24)
    assert min(m.memory_gb for m in REGISTERED) == 4
