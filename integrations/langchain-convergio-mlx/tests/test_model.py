"""What LangChain's standard tests do not look at."""

import asyncio
import re
from pathlib import Path
from typing import Any, Literal

import pytest
from langchain_convergio_mlx import ChatConvergioMlx, openai_messages
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumpd, load
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel, ValidationError

import convergio_mlx as cm

ASKED = "What are you?"
LISBON = "How's the weather looking in Lisbon?"


@pytest.fixture
def model() -> ChatConvergioMlx:
    return ChatConvergioMlx(temperature=0, max_tokens=60)


class Sky(BaseModel):
    city: Literal["Rome", "Oslo"]
    is_clear: bool


@tool
def get_weather(city: str) -> str:
    """The current weather of a city."""
    return f"It rains in {city}."


def test_an_answer_is_that_of_the_library(model: ChatConvergioMlx) -> None:
    expected = cm.chat("convergio-guide", ASKED, temperature=0, max_tokens=60)
    given = model.invoke(ASKED)
    assert given.content == expected.text
    assert given.usage_metadata is not None
    assert given.usage_metadata["output_tokens"] == expected.usage.output_tokens
    assert given.response_metadata["finish_reason"] == expected.finish_reason
    pieces = [*model.stream(ASKED)]
    assert "".join(str(piece.content) for piece in pieces) == expected.text
    assert asyncio.run(model.ainvoke(ASKED)).content == expected.text


def test_it_is_written_down_and_made_again(model: ChatConvergioMlx) -> None:
    written = dumpd(model)
    assert written["kwargs"] == {"model": "convergio-guide", "temperature": 0, "max_tokens": 60}
    again = load(
        written,
        valid_namespaces=["langchain_convergio_mlx"],
        allowed_objects=[ChatConvergioMlx],
    )
    assert again == model


def test_a_field_that_it_has_not_is_refused() -> None:
    with pytest.raises(ValidationError, match="temprature"):
        ChatConvergioMlx(temprature=1)  # type: ignore[call-arg]


def test_options_that_it_has_not_are_refused(model: ChatConvergioMlx) -> None:
    for option in ({"logprobs": True}, {"temprature": 1}):
        with pytest.raises((cm.InvalidRequestError, TypeError)):
            model.bind(**option).invoke(ASKED)


def test_invoke_streams_where_so_asked() -> None:
    class Pieces(BaseCallbackHandler):
        count = 0

        def on_llm_new_token(self, token: str, **_: Any) -> None:
            Pieces.count += 1

    given: Any = {"temperature": 0, "max_tokens": 20, "callbacks": [Pieces()]}
    ChatConvergioMlx(**given).invoke(ASKED)
    assert Pieces.count == 0
    ChatConvergioMlx(streaming=True, **given).invoke(ASKED)
    assert Pieces.count > 2


def test_one_call_at_most_where_so_asked() -> None:
    given: Any = {"temperature": 1, "seed": 3, "max_tokens": 200}
    model = ChatConvergioMlx(parallel_tool_calls=False, **given)
    bound = model.bind_tools([get_weather], tool_choice="any")
    assert len(bound.invoke(LISBON).tool_calls) == 1


def test_structured_answers_always_fit(model: ChatConvergioMlx) -> None:
    for seed in range(3):
        made: Any = model.with_structured_output(Sky, seed=seed, temperature=1).invoke("Rome?")
        assert isinstance(made, Sky)
    raw: Any = model.with_structured_output(Sky, include_raw=True).invoke("Rome?")
    assert isinstance(raw["parsed"], Sky)
    assert raw["parsing_error"] is None
    cut: Any = model.with_structured_output(Sky, include_raw=True, max_tokens=2).invoke("Rome?")
    assert cut["parsed"] is None
    assert cut["parsing_error"] is not None


def test_tools_are_called_and_their_results_read(model: ChatConvergioMlx) -> None:
    bound = model.bind_tools([get_weather], tool_choice="any")
    called = bound.invoke(LISBON)
    (call,) = called.tool_calls
    assert (call["name"], [*call["args"]]) == ("get_weather", ["city"])
    result = get_weather.invoke(call)
    history = [HumanMessage(LISBON), called, result]
    assert model.bind_tools([get_weather]).invoke(history).usage_metadata
    streamed: Any = None
    for piece in bound.stream(LISBON):
        streamed = piece if streamed is None else streamed + piece
    assert streamed.tool_calls[0]["args"] == call["args"]
    named = model.bind_tools([get_weather], tool_choice="get_weather").invoke("hi")
    assert named.tool_calls[0]["name"] == "get_weather"


def test_stop_texts_end_an_answer(model: ChatConvergioMlx) -> None:
    word = str(model.invoke(ASKED).content).split()[2]
    assert word not in str(model.invoke(ASKED, stop=[word]).content)


def test_messages_keep_their_reasoning_and_calls() -> None:
    answer = AIMessage(
        "Let me see",
        additional_kwargs={"reasoning_content": "hm"},
        tool_calls=[{"name": "f", "args": {"a": 1}, "id": "id1", "type": "tool_call"}],
    )
    said, result = openai_messages([answer, ToolMessage("2", tool_call_id="id1")])
    assert said["content"] == "Let me see"
    assert said["reasoning_content"] == "hm"
    assert said["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a": 1}'}
    assert result == {"role": "tool", "tool_call_id": "id1", "content": "2"}


def test_errors_are_the_library_s(model: ChatConvergioMlx) -> None:
    with pytest.raises(cm.ModelNotFoundError):
        ChatConvergioMlx(model="no-such-model").invoke("x")


README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.parametrize("code", re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S))
def test_the_programs_of_the_readme_run(code: str) -> None:
    exec(code, {"__name__": "__main__"})
