"""Tool calls found in a stream, in every format, however the answer is cut into pieces."""

import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convergio_mlx.chats.events import TextEvent, ToolCallEvent
from convergio_mlx.chats.tool_parser import ToolParser
from convergio_mlx.chats.tools import ToolCall

sys.path.insert(0, str(Path(__file__).parent))
from cases import BY_NAME, CASES, TOOLS, Case
from reading import Said
from reading import read as read_format

from exhaustive import either


def read(format_name: str, pieces: Iterable[str], cut: bool = False) -> Said:
    return read_format(BY_NAME[format_name], pieces, cut)


def wanted(case: Case) -> Said:
    return case.text, [(*call, True) for call in case.calls]


def name(case: Case) -> str:
    return f"{case.tool_format}: {case.name}"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_whole(case: Case) -> None:
    assert read(case.tool_format, [case.answer]) == wanted(case)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_cut_into_characters(case: Case) -> None:
    assert read(case.tool_format, case.answer) == wanted(case)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_cut_at_every_place(case: Case) -> None:
    for at in range(len(case.answer) + 1):
        assert read(case.tool_format, [case.answer[:at], case.answer[at:]]) == wanted(case), at


@pytest.mark.parametrize("case", CASES, ids=name)
def test_an_answer_cut_short_is_read_alike_in_pieces_and_loses_nothing(case: Case) -> None:
    for end in range(len(case.answer) + 1):
        answer = case.answer[:end]
        text, calls = read(case.tool_format, [answer], cut=True)
        assert read(case.tool_format, answer, cut=True) == (text, calls)
        assert sum(not complete for *_, complete in calls) <= 1
        if not calls:
            assert text == answer


@pytest.mark.parametrize("case", [case for case in CASES if case.cut], ids=name)
def test_a_call_cut_by_max_tokens_is_told_as_such(case: Case) -> None:
    assert case.cut is not None
    calls = read(case.tool_format, case.answer, cut=True)[1]
    assert calls == [*((*call, True) for call in case.calls), (*case.cut, False)]


@pytest.mark.parametrize("case", [c for c in CASES if c.calls and not c.text], ids=name)
def test_text_before_a_call_streams(case: Case) -> None:
    if case.answer[0] in BY_NAME[case.tool_format].bare:
        pytest.skip("without a mark a call is the whole answer")
    parser = ToolParser(BY_NAME[case.tool_format], TOOLS)
    shown = "".join(
        event.text
        for letter in "Let me look that up."
        for event in parser.feed(letter)
        if isinstance(event, TextEvent)
    )
    assert shown == "Let me look that up."
    events = [*parser.feed(case.answer), *parser.finish(cut=False)]
    assert len([event for event in events if isinstance(event, ToolCallEvent)]) == len(case.calls)


PARTS = (
    *'{}[]",: \n<xé🌍\\',
    '{"name": "add", "arguments": {"a": 1}}',
    '{"name": "add", "parameters": {}}',
    "function<｜tool▁sep｜>add\n```json\n",
    "functools",
)
CALLS = [
    ToolCall("a1", "add", '{"a": 1, "b": null}'),
    ToolCall("a2", "get_weather", '{"city": "é"}'),
]


def parts_of(name: str) -> list[str]:
    """Marks and words of a format's calls, and halves of them."""
    known = BY_NAME[name]
    written = known.write(CALLS)
    words = re.findall(r"\w+|\W", written)
    halves = [written[: len(written) // 2], written[len(written) // 2 :], known.write(CALLS[:1])]
    return sorted({*PARTS, *known.spelled, *words, *halves})


answers = st.sampled_from([*BY_NAME]).flatmap(
    lambda name: st.tuples(st.just(name), st.lists(st.sampled_from(parts_of(name)), max_size=14))
)


@settings(max_examples=either(200, 20_000), deadline=None)
@given(answer=answers, cut=st.booleans())
def test_any_answer_is_read_alike_whole_and_in_characters(
    answer: tuple[str, list[str]], cut: bool
) -> None:
    tool_format, parts = answer
    text = "".join(parts)
    assert (
        read(tool_format, text, cut)
        == read(tool_format, [text], cut)
        == read(tool_format, parts, cut)
    )


@settings(max_examples=either(200, 20_000), deadline=None)
@given(tool_format=st.sampled_from([*BY_NAME]), text=st.text(alphabet="ab <{[é🌍\n"))
def test_text_without_a_mark_is_unchanged(tool_format: str, text: str) -> None:
    assert read(tool_format, text) == (text, [])


def test_a_long_malformed_answer_is_read_in_linear_time() -> None:
    answer = '<tool_call>{"a' * 10_000
    start = time.perf_counter()
    pieces = [answer[at : at + 5] for at in range(0, len(answer), 5)]
    assert read("hermes", pieces) == (answer, [])
    assert time.perf_counter() - start < 5  # quadratic would take minutes
