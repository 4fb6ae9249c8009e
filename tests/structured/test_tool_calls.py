"""Random models with tools, in every format: calls parse and fit the tools' parameters."""

from collections.abc import Callable
from typing import Any

import pytest
from random_models import (
    BY_NAME,
    QUOTES,
    Speaker,
    answers,
    bias,
    channels_of,
    check,
    ends,
    params,
)
from schemas import TREE, WRITTEN

from convergio_mlx import ChatResponse, Engine, SamplingParams, ToolCall

pytestmark = pytest.mark.slow

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
MESSAGES = [{"role": "user", "content": "?"}]
ENDS = tuple({end for known in BY_NAME.values() for end in (*ends(known), *QUOTES)})
NAMED = {"type": "function", "function": {"name": "plant"}}
every_format = pytest.mark.parametrize("tool_format", BY_NAME)


def checked(calls: tuple[ToolCall, ...]) -> None:
    for call in calls:
        check(PARAMETERS[call.name], call.arguments)


MOST = 300
"""Seeds that are tried. What a random model says, and when it ends, depends on its vocabulary and
on the machine's kernels: a test that is to see something draws until it has."""


def anything(_: list[ChatResponse]) -> bool:
    return True


def ask(
    engine: Engine,
    count: int,
    towards: tuple[str, ...] = (),
    until: Callable[[list[ChatResponse]], bool] = anything,
    **options: Any,
) -> list[ChatResponse]:
    """Answers that ended by themselves: `count` of them, and more until `until` is true of them."""
    towards = (*towards, *ENDS)
    requests = (
        {"params": params(engine, seed, *towards), "tools": TOOLS, **options}
        for seed in range(MOST)
    )
    given: list[ChatResponse] = []
    for answer in answers(engine, requests):
        if answer.finish_reason != "length":
            given.append(answer)
        if len(given) >= count and until(given):
            return given
    raise AssertionError(f"not seen in {len(given)} answers, of {MOST} seeds")


def with_text_and_call(given: list[ChatResponse]) -> bool:
    return any(answer.tool_calls and answer.text for answer in given)


def of_several_tools(given: list[ChatResponse]) -> bool:
    several = any(len(answer.tool_calls) > 1 for answer in given)
    return several and len({call.name for answer in given for call in answer.tool_calls}) > 1


def with_reasoning(given: list[ChatResponse]) -> bool:
    return any(answer.reasoning for answer in given)


@every_format
def test_auto_is_text_until_a_call_begins(speaker: Speaker, tool_format: str) -> None:
    mark = BY_NAME[tool_format].marks[0]
    end = BY_NAME[tool_format].around[1]
    has_channels = channels_of(BY_NAME[tool_format]) is not None  # text is a message of its own
    until = anything if has_channels else with_text_and_call
    given = ask(speaker(tool_format), 8, (mark, end), until, tool_choice="auto")
    for answer in given:
        assert answer.finish_reason in ("stop", "tool_calls")
        assert (answer.finish_reason == "tool_calls") == bool(answer.tool_calls)
        assert mark not in answer.text
        checked(answer.tool_calls)


@pytest.mark.slow
@every_format
def test_required_is_a_call_or_several(speaker: Speaker, tool_format: str) -> None:
    mark = BY_NAME[tool_format].marks[0]
    begins = (mark, BY_NAME[tool_format].around[1], *BY_NAME[tool_format].bare)
    towards = (",", "Ċ", ";", *begins)
    until = anything if BY_NAME[tool_format].single else of_several_tools
    given = ask(speaker(tool_format), 8, towards, until, tool_choice="required")
    for answer in given:
        assert (answer.text, answer.finish_reason) == ("", "tool_calls")
        checked(answer.tool_calls)


@every_format
@pytest.mark.parametrize("name", PARAMETERS)
def test_named_is_one_call_of_that_tool(speaker: Speaker, tool_format: str, name: str) -> None:
    named = {"type": "function", "function": {"name": name}}
    for answer in ask(speaker(tool_format), 3, tool_choice=named):
        assert answer.text == ""
        assert [call.name for call in answer.tool_calls] == [name]
        checked(answer.tool_calls)


@every_format
def test_none_is_no_call(speaker: Speaker, tool_format: str) -> None:
    mark = BY_NAME[tool_format].marks[0]
    for answer in ask(speaker(tool_format), 6, (mark, "{"), tool_choice="none"):
        assert not answer.tool_calls
        assert mark not in answer.text


@every_format
def test_a_form_holds_for_what_is_no_call(speaker: Speaker, tool_format: str) -> None:
    form = {"type": "json_schema", "json_schema": {"schema": WRITTEN["array"]}}
    mark = BY_NAME[tool_format].marks[0]
    given = ask(speaker(tool_format), 8, (mark,), tool_choice="auto", response_format=form)
    for answer in given:
        checked(answer.tool_calls)
        if not answer.tool_calls:
            check(WRITTEN["array"], answer.text)


def short_call(engine: Engine) -> tuple[int, ChatResponse]:
    """A call of two hundred tokens at most, and the seed that gives it."""
    for seed in range(MOST):
        stream = engine.stream(
            MESSAGES, params(engine, seed, *ENDS), tools=TOOLS, tool_choice=NAMED
        )
        whole = stream.response()
        if whole.tool_calls and len(whole.token_ids) <= 200:
            return seed, whole
    raise AssertionError(f"no such call, of {MOST} seeds")


@every_format
def test_a_call_cut_by_max_tokens_is_told_as_such(speaker: Speaker, tool_format: str) -> None:
    engine = speaker(tool_format)
    seed, whole = short_call(engine)
    (call,) = whole.tool_calls
    tokens = len(whole.token_ids)
    seen = set()
    has_channels = channels_of(BY_NAME[tool_format]) is not None
    for limit in range(1, tokens):
        options = SamplingParams(
            temperature=1.0,
            seed=seed,
            max_tokens=limit,
            logit_bias=bias(engine, [*'"]})', "</s>", *ENDS]),
        )
        cut = engine.stream(MESSAGES, options, tools=TOOLS, tool_choice=NAMED).response()
        assert cut.finish_reason == "length"
        assert not cut.text or (has_channels and "plant\n".startswith(cut.text))
        if not has_channels:  # else it may be cut before its header ends
            assert (cut.incomplete_tool_call is None) == bool(cut.tool_calls)
        if cut.incomplete_tool_call is not None:
            assert "plant".startswith(cut.incomplete_tool_call.name)
            seen.add(bool(cut.incomplete_tool_call.arguments))
    assert seen == {True, False}
    check(PARAMETERS["plant"], call.arguments)


@pytest.mark.slow
@every_format
@pytest.mark.parametrize("opening", ["", "<think>\n"], ids=["may think", "begins inside"])
def test_calls_after_reasoning(speaker: Speaker, tool_format: str, opening: str) -> None:
    mark = BY_NAME[tool_format].marks[0]
    if channels_of(BY_NAME[tool_format]) is not None:
        pytest.skip("reasoning is a message of its own")
    engine = speaker(tool_format, True)
    towards = ("<think>", "</think>", mark)
    for choice in ("required", "auto"):
        given = ask(
            engine,
            8,
            towards,
            with_reasoning if choice == "required" or opening else anything,
            tool_choice=choice,
            chat_template_kwargs={"opening": opening},
        )
        for answer in given:
            assert answer.finish_reason in ("stop", "tool_calls")
            assert mark not in answer.text
            assert "think>" not in answer.reasoning + answer.text
            checked(answer.tool_calls)
            if choice == "required":
                assert answer.tool_calls
