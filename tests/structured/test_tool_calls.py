"""Random models with tools, in every notation: calls parse and fit the tools' parameters."""

from typing import Any

import pytest
from random_models import BY_NAME, Speaker, answers, bias, check, params
from schemas import TREE, WRITTEN

from convergio_mlx import Answer, Engine, SamplingParams, ToolCall

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "maxLength": 9}, "in": {"enum": [1, 2]}},
                "required": ["city"],
            },
        },
    },
    {"type": "function", "function": {"name": "plant", "parameters": WRITTEN["nested"]}},
    {
        "type": "function",
        "function": {
            "name": "größe-x",
            "parameters": {
                "type": "object",
                "properties": {"tree": {"$ref": "#/$defs/tree"}},
                "required": ["tree"],
                "$defs": TREE["$defs"],
            },
        },
    },
    {"type": "function", "function": {"name": "now"}},
]  # fmt: skip
PARAMETERS = {
    tool["function"]["name"]: tool["function"].get("parameters", {"type": "object"})
    for tool in TOOLS
}
NAMED = {"type": "function", "function": {"name": "plant"}}
notations = pytest.mark.parametrize("notation", BY_NAME)


def checked(calls: tuple[ToolCall, ...]) -> None:
    for call in calls:
        check(PARAMETERS[call.name], call.arguments)


def ask(engine: Engine, count: int, towards: tuple[str, ...] = (), **options: Any) -> list[Answer]:
    requests = (
        {"params": params(engine, seed, *towards), "tools": TOOLS, **options}
        for seed in range(count)
    )
    return list(answers(engine, requests))


@notations
def test_auto_is_text_until_a_call_begins(speaker: Speaker, notation: str) -> None:
    mark = BY_NAME[notation].marks[0]
    given = ask(speaker(notation), 16, (mark,), tool_choice="auto")
    for answer in given:
        assert answer.finish.reason in ("stop", "tool_calls")
        assert (answer.finish.reason == "tool_calls") == bool(answer.tool_calls)
        assert mark not in answer.text
        checked(answer.tool_calls)
    assert any(answer.tool_calls and answer.text for answer in given)


@notations
def test_required_is_a_call_or_several(speaker: Speaker, notation: str) -> None:
    given = ask(speaker(notation), 16, (",", "Ċ", ";"), tool_choice="required")
    for answer in given:
        assert (answer.text, answer.finish.reason) == ("", "tool_calls")
        checked(answer.tool_calls)
    assert len({call.name for answer in given for call in answer.tool_calls}) > 1
    assert any(len(answer.tool_calls) > 1 for answer in given)


@notations
@pytest.mark.parametrize("name", PARAMETERS)
def test_named_is_one_call_of_that_tool(speaker: Speaker, notation: str, name: str) -> None:
    named = {"type": "function", "function": {"name": name}}
    for answer in ask(speaker(notation), 3, tool_choice=named):
        assert answer.text == ""
        assert [call.name for call in answer.tool_calls] == [name]
        checked(answer.tool_calls)


@notations
def test_none_is_no_call(speaker: Speaker, notation: str) -> None:
    mark = BY_NAME[notation].marks[0]
    for answer in ask(speaker(notation), 6, (mark, "{"), tool_choice="none"):
        assert (answer.finish.reason, answer.tool_calls) == ("stop", ())
        assert mark not in answer.text


@notations
def test_a_form_holds_for_what_is_no_call(speaker: Speaker, notation: str) -> None:
    form = {"type": "json_schema", "json_schema": {"schema": WRITTEN["array"]}}
    mark = BY_NAME[notation].marks[0]
    given = ask(speaker(notation), 8, (mark,), tool_choice="auto", response_format=form)
    for answer in given:
        checked(answer.tool_calls)
        if not answer.tool_calls:
            check(WRITTEN["array"], answer.text)


@notations
def test_a_call_cut_by_max_tokens_is_told_as_such(speaker: Speaker, notation: str) -> None:
    engine = speaker(notation)
    messages = [{"role": "user", "content": "?"}]
    whole = engine.stream(messages, params(engine, 3), tools=TOOLS, tool_choice=NAMED).answer()
    (call,) = whole.tool_calls
    tokens = len(whole.finish.token_ids)
    seen = set()
    for limit in range(1, tokens):
        options = SamplingParams(
            temperature=1.0, seed=3, max_tokens=limit, logit_bias=bias(engine, '"]}')
        )
        cut = engine.stream(messages, options, tools=TOOLS, tool_choice=NAMED).answer()
        assert (cut.finish.reason, cut.text) == ("length", "")
        assert (cut.cut_call is None) == bool(cut.tool_calls)
        if cut.cut_call is not None:
            assert "plant".startswith(cut.cut_call.name)
            seen.add(bool(cut.cut_call.arguments))
    assert seen == {True, False}
    check(PARAMETERS["plant"], call.arguments)


@notations
@pytest.mark.parametrize("opening", ["", "<think>\n"], ids=["may think", "begins inside"])
def test_calls_after_reasoning(speaker: Speaker, notation: str, opening: str) -> None:
    mark = BY_NAME[notation].marks[0]
    engine = speaker(notation, True)
    towards = ("<think>", "</think>", mark)
    for choice in ("required", "auto"):
        given = ask(engine, 8, towards, tool_choice=choice, template={"opening": opening})
        for answer in given:
            assert answer.finish.reason in ("stop", "tool_calls")
            assert mark not in answer.text
            assert "think>" not in answer.reasoning + answer.text
            checked(answer.tool_calls)
            if choice == "required":
                assert answer.tool_calls
        if choice == "required" or opening:
            assert any(answer.reasoning for answer in given)
