"""The plugin in LLM itself, with the embedded model."""

import json
from pathlib import Path
from typing import Any

import llm
import pydantic
import pytest
from click.testing import CliRunner
from llm.cli import cli
from llm_convergio_mlx import openai_messages

import convergio_mlx as cm

GUIDE = "mlx/convergio-guide"
ASKED = "What are you?"
LISBON = "How's the weather looking in Lisbon?"
COLD: Any = {"temperature": 0, "max_tokens": 20}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))


@pytest.fixture
def model() -> llm.Model:
    return llm.get_model(GUIDE)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_program_lists_the_model_and_its_options() -> None:
    listed = run("models", "list", "--options", "--query", GUIDE)
    assert f"convergio-mlx: {GUIDE}" in listed
    for word in ("temperature", "reasoning_budget", "streaming", "schemas", "tools", "async"):
        assert word in listed


def test_the_program_answers_logs_and_continues() -> None:
    options = ["-m", GUIDE, "-o", "temperature", "0", "-o", "max_tokens", "12"]
    expected = cm.chat("convergio-guide", ASKED, temperature=0, max_tokens=12)
    assert run(*options, ASKED).strip() == expected.text.strip()
    run("-c", *options, "And offline?")
    first, second = json.loads(run("logs", "--json"))
    assert first["input_tokens"] == expected.usage.input_tokens
    assert first["output_tokens"] == expected.usage.output_tokens
    assert second["conversation_id"] == first["conversation_id"]
    assert second["input_tokens"] > first["input_tokens"]  # it had the first turn before it


def test_an_error_is_a_sentence() -> None:
    result = CliRunner().invoke(cli, ["-m", GUIDE, "-o", "temperature", "-1", ASKED])
    assert result.exit_code == 1
    assert "Error: [" in result.output
    assert "Traceback" not in result.output


def test_an_answer_is_that_of_the_library(model: llm.Model) -> None:
    response = model.prompt(ASKED, system="Be brief.", **COLD)
    expected = cm.chat("convergio-guide", ASKED, system="Be brief.", **COLD)
    assert response.text() == expected.text
    usage = response.usage()
    assert (usage.input, usage.output) == (
        expected.usage.input_tokens,
        expected.usage.output_tokens,
    )
    assert response.response_json == {"finish_reason": expected.finish_reason}
    assert "".join(model.prompt(ASKED, stream=False, system="Be brief.", **COLD)) == expected.text


def test_a_conversation_is_remembered(model: llm.Model) -> None:
    conversation = model.conversation()
    conversation.prompt(ASKED, **COLD).text()
    second = conversation.prompt("And offline?", **COLD)
    second.text()
    roles = [message.role for message in second.prompt.messages]
    assert roles == ["user", "assistant", "user"]


class Sky(pydantic.BaseModel):
    degrees: int = pydantic.Field(ge=-99, le=99)
    is_clear: bool


def test_an_answer_fits_its_schema(model: llm.Model) -> None:
    for seed in range(3):
        response = model.prompt("Weather?", schema=Sky, temperature=1, seed=seed)
        Sky.model_validate_json(response.text())


def get_weather(city: str) -> str:
    """The current weather of a city."""
    return f"It rains in {city}."


def test_tools_are_called_and_their_results_read(model: llm.Model) -> None:
    chain = model.chain(LISBON, tools=[get_weather], options=COLD | {"max_tokens": 60})
    chain.text()
    first = next(iter(chain.responses()))
    (call,) = first.tool_calls()
    assert (call.name, [*call.arguments]) == ("get_weather", ["city"])
    results = [r for response in chain.responses() for r in response.prompt.tool_results]
    assert results[0].output == f"It rains in {call.arguments['city']}."


async def test_asyncio_gets_the_same_answer(model: llm.Model) -> None:
    there = llm.get_async_model(GUIDE)
    assert await there.prompt(ASKED, **COLD).text() == model.prompt(ASKED, **COLD).text()
    chain = there.chain(LISBON, tools=[get_weather], options=COLD | {"max_tokens": 60})
    await chain.text()


def test_messages_have_their_parts() -> None:
    parts = [
        llm.parts.ReasoningPart("hm"),
        llm.parts.TextPart("Let me see"),
        llm.parts.ToolCallPart("f", {"a": 1}, "id1"),
    ]
    (message,) = openai_messages(llm.parts.Message("assistant", parts))
    assert message["content"] == "Let me see"
    assert message["reasoning_content"] == "hm"
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"a": 1}
    result = llm.parts.ToolResultPart("f", "2", "id1")
    assert openai_messages(llm.parts.Message("tool", [result])) == [
        {"role": "tool", "tool_call_id": "id1", "name": "f", "content": "2"}
    ]
    picture = llm.parts.AttachmentPart(llm.Attachment(type="image/png", content=b"x"))
    with pytest.raises(llm.ModelError):
        openai_messages(llm.parts.Message("user", [picture]))
