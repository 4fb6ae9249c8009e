"""The LLM with LlamaIndex itself and the embedded model."""

import re
from pathlib import Path
from typing import Any, Literal

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.base.llms.types import ImageBlock, ThinkingBlock
from llama_index.core.llms import ChatMessage, MessageRole, TextBlock
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.convergio_mlx import ConvergioMlx
from llama_index.llms.convergio_mlx.base import openai_messages
from pydantic import BaseModel

import convergio_mlx as cm

ASKED = "What are you?"
LISBON = "How's the weather looking in Lisbon?"


@pytest.fixture
def llm() -> ConvergioMlx:
    return ConvergioMlx(temperature=0, max_tokens=60)


class Sky(BaseModel):
    city: Literal["Rome", "Oslo"]
    is_clear: bool


def get_weather(city: str) -> str:
    """The current weather of a city."""
    return f"It rains in {city}."


WEATHER = FunctionTool.from_defaults(get_weather)


def test_class() -> None:
    """As LlamaIndex' own integrations are tested."""
    names = [base.__name__ for base in ConvergioMlx.__mro__]
    assert BaseLLM.__name__ in names
    assert FunctionCallingLLM.__name__ in names


def test_an_answer_is_that_of_the_library(llm: ConvergioMlx) -> None:
    expected = cm.chat("convergio-guide", ASKED, temperature=0, max_tokens=60)
    assert llm.complete(ASKED).text == expected.text
    whole = llm.chat([ChatMessage(ASKED)])
    assert whole.message.content == expected.text
    assert whole.raw["usage"]["completion_tokens"] == expected.usage.output_tokens
    pieces = [*llm.stream_chat([ChatMessage(ASKED)])]
    assert "".join(piece.delta or "" for piece in pieces) == expected.text
    assert pieces[-1].message.content == expected.text
    assert pieces[-1].raw["finish_reason"] == expected.finish_reason
    assert [*llm.stream_complete(ASKED)][-1].text == expected.text


async def test_and_so_it_is_for_asyncio(llm: ConvergioMlx) -> None:
    expected = cm.chat("convergio-guide", ASKED, temperature=0, max_tokens=60).text
    assert (await llm.acomplete(ASKED)).text == expected
    assert (await llm.achat([ChatMessage(ASKED)])).message.content == expected
    pieces = [piece async for piece in await llm.astream_chat([ChatMessage(ASKED)])]
    assert "".join(piece.delta or "" for piece in pieces) == expected
    assert [one async for one in await llm.astream_complete(ASKED)][-1].text == expected


def test_options_of_a_call_go_before_those_of_the_model(llm: ConvergioMlx) -> None:
    whole = llm.chat([ChatMessage(ASKED)], max_tokens=3)
    assert whole.raw["usage"]["completion_tokens"] == 3
    word = (llm.complete(ASKED).text).split()[2]
    assert word not in llm.complete(ASKED, stop=[word]).text
    with pytest.raises(TypeError):
        llm.complete(ASKED, max_token=3)


def test_tools_are_called_and_their_results_read(llm: ConvergioMlx) -> None:
    answer = llm.chat_with_tools([WEATHER], LISBON, tool_required=True)
    (call,) = llm.get_tool_calls_from_response(answer)
    assert (call.tool_name, [*call.tool_kwargs]) == ("get_weather", ["city"])
    result = ChatMessage(
        role=MessageRole.TOOL,
        content=get_weather(**call.tool_kwargs),
        additional_kwargs={"tool_call_id": call.tool_id},
    )
    assert llm.chat([ChatMessage(LISBON), answer.message, result]).raw["usage"]
    streamed = [*llm.stream_chat_with_tools([WEATHER], LISBON, tool_required=True)][-1]
    assert llm.get_tool_calls_from_response(streamed)[0].tool_kwargs == call.tool_kwargs
    said = llm.predict_and_call([WEATHER], LISBON)
    assert said.response.startswith("It rains in ")
    plain = llm.chat([ChatMessage(ASKED)])
    assert llm.get_tool_calls_from_response(plain, error_on_no_tool_call=False) == []
    with pytest.raises(ValueError, match="calls no tool"):
        llm.get_tool_calls_from_response(plain)


def test_structured_answers_always_fit(llm: ConvergioMlx) -> None:
    prompt = PromptTemplate("How is the sky of {city}?")
    for seed in range(3):
        llm.temperature, llm.seed = 1, seed
        assert isinstance(llm.structured_predict(Sky, prompt, city="Rome"), Sky)
    made = llm.as_structured_llm(Sky).complete("How is the sky of Oslo?")
    assert isinstance(made.raw, Sky)


async def test_an_agent_runs_its_tools(llm: ConvergioMlx) -> None:
    agent = FunctionAgent(tools=[WEATHER], llm=llm)
    done = await agent.run(user_msg=LISBON, max_iterations=4, early_stopping_method="generate")
    assert done.response.role == MessageRole.ASSISTANT


def test_messages_keep_their_reasoning_and_calls() -> None:
    blocks: list[Any] = [ThinkingBlock(content="hm"), TextBlock(text="Let me see")]
    (said,) = openai_messages([ChatMessage(role=MessageRole.CHATBOT, blocks=blocks)])
    assert said == {"role": "assistant", "content": "Let me see", "reasoning_content": "hm"}
    with pytest.raises(ValueError, match="ImageBlock is no text"):
        openai_messages([ChatMessage(role=MessageRole.USER, blocks=[ImageBlock(image=b"x")])])


def test_a_model_is_looked_at_once(llm: ConvergioMlx, monkeypatch: pytest.MonkeyPatch) -> None:
    window = llm.metadata.context_window
    monkeypatch.setattr(cm.MlxProvider, "usable_window", lambda *_: 1)
    assert ConvergioMlx().metadata.context_window == window


def test_what_it_is_can_be_kept_and_made_again(llm: ConvergioMlx) -> None:
    assert llm.metadata.is_function_calling_model
    assert llm.metadata.context_window > 0
    assert ConvergioMlx.from_dict(llm.to_dict()).temperature == 0
    with pytest.raises(cm.ModelNotFoundError):
        ConvergioMlx(model="no-such-model").complete("x")


README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.parametrize("code", re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S))
def test_the_programs_of_the_readme_run(code: str) -> None:
    exec(code, {"__name__": "__main__"})
