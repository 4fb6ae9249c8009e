"""Tool calls found in a stream, in every notation, however the answer is cut into pieces."""

import itertools
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convergio_mlx.answers.events import TextEvent, ToolCallEvent
from convergio_mlx.answers.tool_parser import ToolParser

sys.path.insert(0, str(Path(__file__).parent))
from cases import BY_NAME, CASES, NAMES, Case

Said = tuple[str, list[tuple[str, str, bool]]]


def read(case_notation: str, pieces: Iterable[str], cut: bool = False) -> Said:
    """The text, and the calls as (name, arguments, complete)."""
    parser = ToolParser(BY_NAME[case_notation], NAMES)
    events = [event for piece in pieces for event in parser.feed(piece)]
    events += parser.finish(cut)
    calls = [event for event in events if isinstance(event, ToolCallEvent)]
    return (
        "".join(event.text for event in events if isinstance(event, TextEvent)),
        [(event.call.name, event.call.arguments, event.complete) for event in calls],
    )


def wanted(case: Case) -> Said:
    return case.text, [(*call, True) for call in case.calls]


def name(case: Case) -> str:
    return f"{case.notation}: {case.name}"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_whole(case: Case) -> None:
    assert read(case.notation, [case.answer]) == wanted(case)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_cut_into_characters(case: Case) -> None:
    assert read(case.notation, case.answer) == wanted(case)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_cut_at_every_place(case: Case) -> None:
    for at in range(len(case.answer) + 1):
        assert read(case.notation, [case.answer[:at], case.answer[at:]]) == wanted(case), at


@pytest.mark.parametrize("case", CASES, ids=name)
def test_an_answer_cut_short_is_read_alike_in_pieces_and_loses_nothing(case: Case) -> None:
    for end in range(len(case.answer) + 1):
        answer = case.answer[:end]
        text, calls = read(case.notation, [answer], cut=True)
        assert read(case.notation, answer, cut=True) == (text, calls)
        assert sum(not complete for *_, complete in calls) <= 1
        if not calls:
            assert text == answer


@pytest.mark.parametrize("case", [case for case in CASES if case.cut], ids=name)
def test_a_call_cut_by_max_tokens_is_told_as_such(case: Case) -> None:
    assert case.cut is not None
    calls = read(case.notation, case.answer, cut=True)[1]
    assert calls == [*((*call, True) for call in case.calls), (*case.cut, False)]


@pytest.mark.parametrize("case", [c for c in CASES if c.calls and not c.text], ids=name)
def test_text_before_a_call_streams(case: Case) -> None:
    if BY_NAME[case.notation].bare and case.answer.startswith("{"):
        pytest.skip("without a mark a call is the whole answer")
    parser = ToolParser(BY_NAME[case.notation], NAMES)
    shown = "".join(
        event.text
        for letter in "Let me look that up."
        for event in parser.feed(letter)
        if isinstance(event, TextEvent)
    )
    assert shown == "Let me look that up."
    events = parser.feed(case.answer)
    assert len([event for event in events if isinstance(event, ToolCallEvent)]) == len(case.calls)


PARTS = sorted(
    {
        *itertools.chain.from_iterable(
            (*known.marks, *known.closers, *known.around) for known in BY_NAME.values()
        ),
        *'{}[]",: \n<xé🌍\\',
        '{"name": "add", "arguments": {"a": 1}}',
        '{"name": "add", "parameters": {}}',
        "function<｜tool▁sep｜>add\n```json\n",
        "add<｜tool▁sep｜>",
        "functools",
    }
)


@pytest.mark.parametrize("notation", BY_NAME)
@settings(max_examples=150, deadline=None)
@given(parts=st.lists(st.sampled_from(PARTS), max_size=12), cut=st.booleans())
def test_any_answer_is_read_alike_whole_and_in_characters(
    notation: str, parts: list[str], cut: bool
) -> None:
    answer = "".join(parts)
    assert (
        read(notation, answer, cut) == read(notation, [answer], cut) == read(notation, parts, cut)
    )


@pytest.mark.parametrize("notation", BY_NAME)
@settings(max_examples=50, deadline=None)
@given(text=st.text(alphabet="ab <{[é🌍\n"))
def test_text_without_a_mark_is_unchanged(notation: str, text: str) -> None:
    assert read(notation, text) == (text, [])


def test_a_long_malformed_answer_is_read_in_linear_time() -> None:
    answer = '<tool_call>{"a' * 10_000
    start = time.perf_counter()
    pieces = [answer[at : at + 5] for at in range(0, len(answer), 5)]
    assert read("hermes", pieces) == (answer, [])
    assert time.perf_counter() - start < 5  # quadratic would take minutes
