"""Which tokens events are made of: marks, white space and what is held back told apart."""

import random

import pytest

from convergio_mlx.chats.event_parser import EventParser
from convergio_mlx.chats.events import ReasoningEvent, SourceEvent, TextEvent, ToolCallEvent
from convergio_mlx.chats.reasoning import KNOWN, Splitter
from convergio_mlx.chats.token_spans import TokenSpans
from convergio_mlx.chats.tool_formats import FORMATS
from convergio_mlx.chats.tool_parser import ToolParser

HERMES = next(one for one in FORMATS if one.name == "hermes")


def parser() -> EventParser:
    return EventParser(Splitter(KNOWN[0], False), ToolParser(HERMES, {"f": True}))


def placed(pieces: list[str]) -> list[tuple[SourceEvent, list[int]]]:
    spans, reads = TokenSpans(), parser()
    found: list[tuple[SourceEvent, list[int]]] = []
    for number, piece in enumerate(pieces):
        spans.add(number, piece)
        events = reads.feed(piece)
        found += zip(events, spans.take(events), strict=True)
    events = reads.finish(False)
    return [*found, *zip(events, spans.take(events), strict=True)]


def tokens(found: list[tuple[SourceEvent, list[int]]], kind: type) -> list[int]:
    return [token for event, numbers in found if isinstance(event, kind) for token in numbers]


@pytest.mark.parametrize(
    ("pieces", "thought", "said"),
    [
        (["a", "b"], [], [0, 1]),
        (["<think>", "t", "ink", "</think>", "\n\n", "a"], [1, 2], [5]),
        (["<think>", "x <", "b", "</think>", "t"], [1, 2], [4]),
        (["<thi", "nk>x</think>y"], [1], []),  # a token of both is of the first
        (["", "é", "", "", "🌍"], [], [0, 1, 2, 3, 4]),
        (["a <", "tool", "x"], [], [0, 1, 2]),
        (["a", "<tool_call>", '{"name": "f", "arguments": {}}', "</tool_call>", "b"], [], [0, 4]),
        (["<think>", "a", "</think>", "a"], [1], [3]),
    ],
)
def test_tokens_are_of_the_text_that_they_made(
    pieces: list[str], thought: list[int], said: list[int]
) -> None:
    found = placed(pieces)
    assert tokens(found, ReasoningEvent) == thought
    assert tokens(found, TextEvent) == said
    assert tokens(found, ToolCallEvent) == []


def test_every_token_counts_once_and_in_order() -> None:
    rng = random.Random(7)
    marks = ["<think>", "</think>", "<tool_call>", "<", "</", "think", "{", "}"]
    for _ in range(500):
        pieces = [rng.choice([*marks, "a", " ", "\n", "é"]) for _ in range(rng.randrange(1, 12))]
        numbers = [token for _, given in placed(pieces) for token in given]
        assert numbers == sorted({*numbers}), pieces
