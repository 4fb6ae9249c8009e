"""Every tool-call format: what it writes it reads back, wherever an answer is cut."""

import codecs
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convergio_mlx.chats.tool_format import ToolFormat
from convergio_mlx.chats.tool_formats import FORMATS
from convergio_mlx.chats.tools import ToolCall

sys.path.insert(0, str(Path(__file__).parent))
from cases import TOOLS
from reading import read

ANSWERS = 20
WORDS = ("Oslo", "São Paulo 🌍", 'he said "hi"', "it's", "a\nb", "3", "null", "{x}", "[1, 2]", "")
ODD_WORDS = ("</parameter> x", "</arg_value>", "\\d+\\n", "<b>&amp;</b>", "a, b: c}")
every_format = pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)


def random_call(rng: random.Random) -> ToolCall:
    name = rng.choice([*TOOLS])
    words = WORDS if rng.random() < 0.8 else ODD_WORDS
    values: dict[str, Any] = {
        "city": rng.choice(words),
        "days": rng.choice([2, -17, 10**12]),
        "a": rng.choice([1, -2.5e3, 0.125]),
        "b": rng.choice([0, 7]),
        "sure": rng.random() < 0.5,
        "note": rng.choice([None, "none", "a\nb"]),
        "tags": rng.sample(WORDS, rng.randrange(3)),
        "where": {"k": rng.choice(WORDS), "n": [1, None, True]},
    }
    properties = TOOLS[name]["properties"]
    chosen = [key for key in properties if rng.random() < 0.7]
    arguments = {key: values[key] for key in chosen}
    return ToolCall("functions.x:0", name, json.dumps(arguments, ensure_ascii=False))


def answers(known: ToolFormat, many: int) -> Iterator[tuple[str, str, list[ToolCall]]]:
    """Answers, with the text before the calls, and the calls."""
    rng = random.Random(known.name)
    for _ in range(many):
        said = "" if known.bare else rng.choice(["", "", "Let me see: é.\n\n", "1 < 2, [x] {y}. "])
        count = 1 if known.single else rng.choice([1, 1, 2, 3])
        calls = [random_call(rng) for _ in range(count)]
        yield said + known.write(calls), said.rstrip(), calls


def cut_at(answer: str, place: int) -> list[str]:
    """An answer cut at a byte, as a stream of bytes is decoded."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    whole = answer.encode()
    return [decoder.decode(whole[:place]), decoder.decode(whole[place:], True)]


def holds(known: ToolFormat, sample: int | None) -> None:
    rng = random.Random(known.name)
    for answer, said, calls in answers(known, ANSWERS):
        text, found = read(known, [answer])
        assert text.rstrip() == said, answer
        assert [(name, json.loads(args), whole) for name, args, whole in found] == [
            (call.name, json.loads(call.arguments), True) for call in calls
        ], answer
        size = len(answer.encode())
        places = range(size + 1) if sample is None else rng.sample(range(size + 1), sample)
        for place in places:
            assert read(known, cut_at(answer, place)) == (text, found), (answer, place)
        assert read(known, answer) == (text, found)
        for end in places:
            part = answer[:end]
            assert read(known, part, cut=True) == read(known, [part], cut=True)


@every_format
def test_what_a_format_writes_it_reads_back_wherever_it_is_cut(known: ToolFormat) -> None:
    holds(known, 6)


@pytest.mark.slow
@every_format
def test_answers_are_read_alike_cut_at_every_byte(known: ToolFormat) -> None:
    holds(known, None)
