"""The model with Pydantic AI itself and the embedded model."""

import re
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, ToolOutput, capture_run_messages
from pydantic_ai.direct import model_request
from pydantic_ai.exceptions import ModelAPIError, UserError
from pydantic_ai.messages import (
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai_convergio_mlx import ConvergioMlxModel, openai_messages

import convergio_mlx as cm

ASKED = "What are you?"
LISBON = "How's the weather looking in Lisbon?"


@pytest.fixture
def model() -> ConvergioMlxModel:
    return ConvergioMlxModel(settings={"temperature": 0, "max_tokens": 60})


class Sky(BaseModel):
    city: Literal["Rome", "Oslo"]
    is_clear: bool


def get_weather(city: str) -> str:
    """The current weather of a city."""
    return f"It rains in {city}."


async def test_an_answer_is_that_of_the_library(model: ConvergioMlxModel) -> None:
    expected = await cm.achat("convergio-guide", ASKED, temperature=0, max_tokens=60)
    done = await Agent(model).run(ASKED)
    assert done.output == expected.text
    assert done.usage.output_tokens == expected.usage.output_tokens
    said = await model_request(model, [ModelRequest.user_text_prompt(ASKED)])
    assert (said.provider_name, said.finish_reason) == ("convergio-mlx", "stop")
    assert said.model_name == "convergio-guide"


async def test_and_so_it_is_streamed(model: ConvergioMlxModel) -> None:
    expected = await cm.achat("convergio-guide", ASKED, temperature=0, max_tokens=60)
    async with Agent(model).run_stream(ASKED) as run:
        pieces = [piece async for piece in run.stream_text(delta=True, debounce_by=None)]
        assert await run.get_output() == "".join(pieces) == expected.text
    assert len(pieces) > 1
    assert run.usage.output_tokens == expected.usage.output_tokens
    async with Agent(model).run_stream(ASKED) as left:
        async for _ in left.stream_text(delta=True, debounce_by=None):
            break


def test_instructions_and_settings_are_the_library_s(model: ConvergioMlxModel) -> None:
    given = {"temperature": 0.0, "max_tokens": 12}
    expected = cm.chat("convergio-guide", ASKED, system="Be brief.", **given)
    done = Agent(model, instructions="Be brief.").run_sync(ASKED, model_settings={"max_tokens": 12})
    assert done.output == expected.text
    told = Agent(model, system_prompt="Be brief.").run_sync(
        ASKED, model_settings={"max_tokens": 12}
    )
    assert told.output == expected.text
    word = str(Agent(model).run_sync(ASKED).output).split()[2]
    stopped = Agent(model).run_sync(ASKED, model_settings={"stop_sequences": [word]})
    assert word not in stopped.output
    one = Agent(model).run_sync(ASKED, model_settings={"extra_body": {"max_tokens": 2}})
    assert one.usage.output_tokens == 2


def test_thinking_switches_the_template(model: ConvergioMlxModel) -> None:
    asked = [ModelRequest.user_text_prompt(ASKED)]
    for thinking, variable in ((True, True), ("low", True), (False, False)):
        made = model._asked(asked, {"thinking": thinking}, ModelRequestParameters())
        assert made["chat_template_kwargs"] == {"enable_thinking": variable}
    assert "chat_template_kwargs" not in model._asked(asked, None, ModelRequestParameters())


def test_structured_output_always_fits(model: ConvergioMlxModel) -> None:
    for seed in range(3):
        settings = {"seed": seed, "temperature": 1.0}
        done = Agent(model, output_type=Sky).run_sync("Rome?", model_settings=settings)
        assert isinstance(done.output, Sky)
        assert done.usage.requests == 1
    called = Agent(model, output_type=ToolOutput(Sky)).run_sync("Rome?")
    assert isinstance(called.output, Sky)


def test_tools_are_called_and_their_results_read(model: ConvergioMlxModel) -> None:
    agent = Agent(model, tools=[get_weather])
    with capture_run_messages() as messages:
        done = agent.run_sync(LISBON)
    parts = [part for message in messages for part in message.parts]
    (call,) = [part for part in parts if isinstance(part, ToolCallPart)]
    (result,) = [part for part in parts if isinstance(part, ToolReturnPart)]
    assert call.tool_name == "get_weather"
    assert result.content == get_weather(**call.args_as_dict())
    assert result.tool_call_id == call.tool_call_id
    assert done.usage.requests == 2
    again = agent.run_sync("And now?", message_history=done.all_messages())
    assert isinstance(again.output, str)


async def test_calls_are_streamed(model: ConvergioMlxModel) -> None:
    async with Agent(model, output_type=ToolOutput(Sky)).run_stream("Rome?") as run:
        assert isinstance(await run.get_output(), Sky)


def test_a_model_that_cannot_answer_makes_room_for_the_next(model: ConvergioMlxModel) -> None:
    none = ConvergioMlxModel("no-such-model")
    with pytest.raises(ModelAPIError, match="no-such-model"):
        Agent(none).run_sync(ASKED)
    assert Agent(FallbackModel(none, model)).run_sync(ASKED).output
    with pytest.raises(ModelAPIError, match="context window"):
        Agent(model).run_sync("word " * 5000)


def test_messages_keep_their_reasoning_and_refuse_pictures(model: ConvergioMlxModel) -> None:
    (said,) = openai_messages([ModelResponse(parts=[ThinkingPart("hm"), TextPart("so")])])
    assert said == {"role": "assistant", "content": "so", "reasoning_content": "hm"}
    picture = BinaryContent(b"x", media_type="image/png")
    with pytest.raises(UserError):
        Agent(model).run_sync(["What is this?", picture])


README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.parametrize("code", re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S))
def test_the_programs_of_the_readme_run(code: str) -> None:
    exec(code, {"__name__": "__main__"})
