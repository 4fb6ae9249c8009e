"""The built-in model's demonstration tool calls: always valid, and which tool it takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from convergio_mlx import ChatResponse, Engine, SamplingParams
from guide.judge import load_items

DEFINITIONS = json.loads((Path(__file__).parent / "tools.json").read_text("utf-8"))
AIM = 0.9
"""Right tools among the held-out phrasings."""
ITEMS = [item for item in load_items() if "call" in item]


def ask(engine: Engine, item: dict[str, Any], **options: Any) -> ChatResponse:
    greedy = SamplingParams(temperature=0, max_tokens=220)
    return engine.stream(item["messages"], greedy, tools=item["tools"], **options).response()


@pytest.fixture(scope="module")
def answers(engine: Engine) -> list[ChatResponse]:
    return [ask(engine, item) for item in ITEMS]


def faults(answer: ChatResponse) -> list[str]:
    """What is invalid in an answer. A call that max_tokens cut is told as such and is none."""
    found = []
    if (answer.finish_reason == "length") == (answer.incomplete_tool_call is None):
        found.append(f"{answer.finish_reason}, {answer.incomplete_tool_call}")
    for call in answer.tool_calls:
        parameters = DEFINITIONS[call.name]["function"]["parameters"]
        errors = jsonschema.Draft202012Validator(parameters).iter_errors(json.loads(call.arguments))
        found += [f"{call.name}: {error.message}" for error in errors]
    return found


def test_every_call_is_valid(answers: list[ChatResponse]) -> None:
    assert [fault for answer in answers for fault in faults(answer)] == []
    assert sum(bool(answer.tool_calls) for answer in answers) >= AIM * len(ITEMS)


def test_required_calls_are_valid_whatever_is_asked(engine: Engine) -> None:
    for item in [one for one in load_items() if "call" not in one][::12]:
        asked = {**item, "tools": list(DEFINITIONS.values())}
        answer = ask(engine, asked, tool_choice="required")
        assert answer.tool_calls or answer.incomplete_tool_call
        assert faults(answer) == []


def test_the_right_tool_is_called(answers: list[ChatResponse]) -> None:
    wrong = [
        (item["messages"][-1]["content"], item["call"], answer.tool_calls or answer.text)
        for item, answer in zip(ITEMS, answers, strict=True)
        if [call.name for call in answer.tool_calls] != [item["call"]["name"]]
    ]
    report = "\n".join(map(str, wrong))
    assert len(wrong) <= (1 - AIM) * len(ITEMS), f"{len(wrong)} of {len(ITEMS)} wrong:\n{report}"
