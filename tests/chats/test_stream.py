"""An answer's tokens to events, through real and made vocabularies: cut at every token and byte."""

import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import pytest
from tokenizers import AddedToken

from convergio_mlx.chats.event_parser import EventParser, ParsedEvent
from convergio_mlx.chats.events import ReasoningEvent, TextEvent, ToolCallEvent
from convergio_mlx.chats.reasoning import KNOWN, Splitter
from convergio_mlx.chats.tool_format import ToolFormat
from convergio_mlx.chats.tool_parser import ToolParser
from convergio_mlx.text.tokenizer import Tokenizer

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
sys.path.insert(0, str(Path(__file__).parent))
from cases import BY_NAME, CASES, TOOLS, Case
from small_models import make_tokenizer

import vocabularies

THINK = KNOWN[0]
THOUGHT = "It rains </thin k> in é🌍 <think> [1]\n\nor not"
Said = list[tuple[str, ...]]


@cache
def byte_tokens(tool_format: str, special: bool) -> Tokenizer:
    """A vocabulary of single bytes, in which all marks are tokens."""
    backend = make_tokenizer()
    marks = [*BY_NAME[tool_format].spelled, THINK.begin, THINK.end]
    tokens = [AddedToken(mark, special=special) for mark in marks if len(mark) > 3]
    (backend.add_special_tokens if special else backend.add_tokens)(tokens)
    return Tokenizer(backend)


def parser(tool_format: ToolFormat, inside: bool) -> EventParser:
    return EventParser(Splitter(THINK, inside), ToolParser(tool_format, TOOLS))


def merged(events: Iterable[ParsedEvent]) -> Said:
    """Events with adjoining text put together."""
    out: Said = []
    for event in events:
        if isinstance(event, ToolCallEvent):
            out.append(("call", event.call.name, event.call.arguments, str(event.complete)))
        elif isinstance(event, TextEvent | ReasoningEvent):
            kind = "text" if isinstance(event, TextEvent) else "reasoning"
            if out and out[-1][0] == kind:
                out[-1] = (kind, out[-1][1] + event.text)
            else:
                out.append((kind, event.text))
    return out


def whole(tool_format: ToolFormat, text: str, inside: bool) -> Said:
    reader = parser(tool_format, inside)
    return merged([*reader.feed(text), *reader.finish(cut=False)])


def streamed(
    tokenizer: Tokenizer, tool_format: ToolFormat, ids: Sequence[int], inside: bool
) -> Said:
    stream = tokenizer.detokenizer(shown=(*tool_format.spelled, THINK.begin, THINK.end))
    reader = parser(tool_format, inside)
    events = [event for token in ids for event in reader.feed(stream.add(token))]
    return merged([*events, *reader.feed(stream.finish()), *reader.finish(cut=False)])


def answers(case: Case) -> list[tuple[str, bool]]:
    """The answer alone, after reasoning, and after reasoning that the prompt began."""
    return [
        (case.answer, False),
        (f"<think>\n{THOUGHT}\n</think>\n\n{case.answer}", False),
        (f"{THOUGHT}</think>{case.answer}", True),
    ]


cases = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.tool_format}: {case.name}")


@cases
@pytest.mark.parametrize("special", [True, False], ids=["special marks", "plain marks"])
def test_token_by_token(case: Case, special: bool) -> None:
    tokenizer, tool_format = byte_tokens(case.tool_format, special), BY_NAME[case.tool_format]
    for text, inside in answers(case):
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert streamed(tokenizer, tool_format, ids, inside) == whole(tool_format, text, inside)


@cases
def test_byte_by_byte(case: Case) -> None:
    tokenizer, tool_format = byte_tokens(case.tool_format, False), BY_NAME[case.tool_format]
    letters = {byte: letter for letter, byte in _letters().items()}
    for text, inside in answers(case):
        pieces = [tokenizer.token_to_id(letters[byte]) for byte in text.encode()]
        ids = [token for token in pieces if token is not None]
        assert len(ids) == len(text.encode())
        assert streamed(tokenizer, tool_format, ids, inside) == whole(tool_format, text, inside)


@pytest.mark.parametrize("name", vocabularies.real)
def test_with_a_real_vocabulary(name: str) -> None:
    tokenizer = vocabularies.tokenizer(name)
    for case in CASES:
        known = BY_NAME[case.tool_format]
        for text, inside in answers(case):
            ids = tokenizer.encode(text, add_special_tokens=False)
            at_once = tokenizer.decode(ids, skip_special_tokens=False)
            said = streamed(tokenizer, known, ids, inside)
            assert said == whole(known, at_once, inside), (case, inside)


@cases
def test_reasoning_is_told_apart(case: Case) -> None:
    tool_format = BY_NAME[case.tool_format]
    alone = whole(tool_format, case.answer, False)
    trimmed = whole(tool_format, case.answer.lstrip(), False)
    for text, inside in answers(case)[1:]:
        assert whole(tool_format, text, inside) == [("reasoning", THOUGHT), *trimmed]
    assert all(kind != "reasoning" for kind, *_ in alone)


def _letters() -> dict[str, int]:
    from convergio_mlx.text.detokenizer import ByteLevel

    return ByteLevel._BYTES
