"""One call: answers, values of types and tools of the embedded model, without making a provider."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Literal

import pydantic
import pytest

import convergio_mlx as cm
from convergio_mlx.errors import InferenceError, InvalidRequestError, ModelNotFoundError

GUIDE = "convergio-guide"


class Weather(pydantic.BaseModel):
    city: str = pydantic.Field(max_length=12)
    degrees: int = pydantic.Field(ge=-99, le=99)
    sky: Literal["clear", "clouds"]


@dataclass
class Place:
    city: Literal["Rome", "Oslo"]
    people: Literal[1, 2]


class Picky(pydantic.BaseModel):
    sky: Literal["clear"]

    @pydantic.field_validator("sky")
    @classmethod
    def refuse(cls, value: str) -> str:
        raise ValueError(f"{value} is not to my liking")


def get_weather(city: str) -> str:
    """The current weather of a city."""
    return f"It rains in {city}."


def test_a_question_is_answered_the_same_by_each_call() -> None:
    options = {"temperature": 0, "max_tokens": 12}
    answer = cm.chat(GUIDE, "What are you?", **options)  # type: ignore[arg-type]
    streamed = cm.stream(GUIDE, "What are you?", **options).response()  # type: ignore[arg-type]

    async def both() -> list[str]:
        one = await cm.achat(GUIDE, "What are you?", **options)  # type: ignore[arg-type]
        two = cm.astream(GUIDE, "What are you?", **options)  # type: ignore[arg-type]
        return [one.text, (await two.response()).text]

    assert answer.text
    assert [streamed.text, *asyncio.run(both())] == [answer.text] * 3
    assert answer.usage.output_tokens == len(answer.token_ids) <= 12


def test_keywords_go_before_params() -> None:
    params = cm.SamplingParams(temperature=0, max_tokens=3)
    assert cm.chat(GUIDE, "What are you?", params=params).usage.output_tokens == 3
    assert cm.chat(GUIDE, "What are you?", params=params, max_tokens=2).usage.output_tokens == 2
    with pytest.raises(TypeError, match=r"chat\(\) got an unexpected keyword argument 'max_token'"):
        cm.chat(GUIDE, "x", max_token=2)  # type: ignore[call-arg]


def test_the_system_text_and_messages_are_as_with_a_provider() -> None:
    messages = [{"role": "user", "content": "What are you?"}]
    one = cm.chat(GUIDE, messages, system="Be brief.", temperature=0, max_tokens=8)
    two = cm.chat(GUIDE, "What are you?", system="Be brief.", temperature=0, max_tokens=8)
    assert one.text == two.text


def test_an_answer_is_a_value_of_a_type() -> None:
    for seed in range(3):
        answer = cm.chat(
            GUIDE, "Weather in Rome?", response_format=Weather, temperature=1, seed=seed
        )
        assert isinstance(answer.parsed, Weather)
        assert answer.parsed == Weather.model_validate_json(answer.text)
    assert isinstance(cm.chat(GUIDE, "Where?", response_format=Place).parsed, Place)
    numbers = cm.chat(GUIDE, "Count.", response_format=tuple[Literal[1], Literal[2]])
    assert numbers.parsed == (1, 2)
    assert cm.chat(GUIDE, "What are you?", max_tokens=2).parsed is None


def test_many_answers_are_values_of_a_type() -> None:
    with cm.MlxProvider() as provider:
        done = provider.chat_many(GUIDE, None, ["Where?"] * 3, response_format=Place)
        made = [one.response.parsed for one in done if one.response is not None]
    assert [type(one) for one in made] == [Place] * 3


def test_an_answer_that_is_no_value_says_why_and_keeps_its_text() -> None:
    cut = cm.chat(GUIDE, "Weather in Rome?", response_format=Weather, max_tokens=2)
    with pytest.raises(InferenceError, match=r"no Weather \(it ended with 'length'\); allow more"):
        _ = cut.parsed
    assert cut.text
    refused = cm.chat(GUIDE, "Weather in Rome?", response_format=Picky)
    with pytest.raises(InferenceError, match=r"no Picky \(.*not to my liking"):
        _ = refused.parsed
    assert json.loads(refused.text) == {"sky": "clear"}
    with pytest.raises(InvalidRequestError, match=r"^\[types\] response_format has the type"):
        cm.chat(GUIDE, "x", response_format=bytes)


def test_tools_are_run_and_the_model_goes_on() -> None:
    asked = "How's the weather looking in Lisbon?"
    options = {"temperature": 0, "max_tokens": 60, "tool_choice": "required"}
    only = cm.chat(GUIDE, asked, tools=[get_weather], **options)  # type: ignore[arg-type]
    assert only.tool_calls[0].name == "get_weather"
    ran = cm.chat(GUIDE, asked, tools=[get_weather], run_tools=True, **options)  # type: ignore[arg-type]
    called, result = ran.tool_messages[:2]
    assert called["tool_calls"][0]["function"]["name"] == "get_weather"
    city = json.loads(called["tool_calls"][0]["function"]["arguments"])["city"]
    assert result["content"] == f"It rains in {city}."
    again = [{"role": "user", "content": asked}, *ran.tool_messages, ran.message()]
    again += [{"role": "user", "content": "Thanks."}]
    assert cm.chat(GUIDE, again, tools=[get_weather], max_tokens=5).text  # a whole conversation

    async def in_loop() -> list[str]:
        async def get_weather(city: str) -> str:
            """The current weather of a city."""
            return f"It rains in {city}."

        answer = await cm.achat(GUIDE, asked, tools=[get_weather], run_tools=True, **options)  # type: ignore[arg-type]
        return [message["content"] for message in answer.tool_messages]

    assert asyncio.run(in_loop())[1] == result["content"]


def test_a_provider_continues_texts() -> None:
    options: dict[str, Any] = {"temperature": 0, "max_tokens": 6}
    with cm.Engine.load(GUIDE) as engine:
        expected = engine.generate("The model", **options).text()
        tokens = engine.tokenizer.encode("The model")
    with cm.MlxProvider() as provider:
        assert provider.complete(GUIDE, "The model", **options).response().text == expected
        assert provider.complete(GUIDE, tokens, **options).response().text == expected
        stream = provider.acomplete(GUIDE, "The model", **options)
        assert asyncio.run(stream.response()).text == expected
        with pytest.raises(InvalidRequestError):
            provider.complete(GUIDE, "x", temperature=-1)
        assert provider.last_error.code == "invalid_request"
        assert [model.uses for model in provider.loaded()] == [0]


def test_engines_and_handlers_have_the_same() -> None:
    asked = [{"role": "user", "content": "How's the weather looking in Lisbon?"}]
    results: list[str] = []
    handler = cm.StreamHandler(
        on_chunk=lambda _: None, on_tool_result=lambda call, content: results.append(content)
    )
    runs: dict[str, Any] = {"tools": [get_weather], "run_tools": True, "tool_choice": "required"}
    with cm.MlxProvider() as provider:
        provider.stream_chat(GUIDE, None, asked, handler, max_tokens=40, **runs)
    assert results
    assert results[0].startswith("It rains in ")
    with cm.Engine.load(GUIDE) as engine:
        assert engine.stream(asked, max_tokens=40, **runs).response().tool_messages
        assert isinstance(engine.stream(asked, response_format=Place).response().parsed, Place)


def test_a_conversation_keeps_what_its_tools_gave() -> None:
    with cm.MlxProvider() as provider:
        talk = cm.Conversation(provider, GUIDE, tools=[get_weather])
        question = "How's the weather looking in Lisbon?"
        talk.ask(question, run_tools=True, tool_choice="required", max_tokens=40)
        roles = [message["role"] for message in talk.messages]
        assert roles[:4] == ["user", "assistant", "tool", "assistant"]
        exported = json.loads(json.dumps(talk.export()))
        assert exported["tools"][0]["function"]["name"] == "get_weather"
        assert cm.Conversation.restore(provider, exported).messages == talk.messages


def test_log_probabilities_of_the_text_are_with_its_pieces() -> None:
    events = [*cm.stream(GUIDE, "What are you?", temperature=0, max_tokens=9, logprobs=1)]
    last = events[-1]
    assert isinstance(last, cm.FinishEvent)
    response = last.response
    given = [
        one for event in events[:-1] if isinstance(event, cm.TextEvent) for one in event.logprobs
    ]
    assert tuple(given) == response.text_logprobs == response.logprobs
    assert [one.token_id for one in given] == [*response.token_ids]


def test_the_text_that_ended_an_answer_is_told() -> None:
    whole = cm.chat(GUIDE, "What are you?", temperature=0, max_tokens=20).text
    word = whole.split()[2]
    cut = cm.chat(GUIDE, "What are you?", temperature=0, max_tokens=20, stop=["@@", word])
    assert (cut.finish_reason, cut.stop_text) == ("stop", word)
    assert cm.chat(GUIDE, "What are you?", temperature=0, max_tokens=2).stop_text is None


def test_a_model_that_is_not_there_is_told() -> None:
    with pytest.raises(ModelNotFoundError):
        cm.chat("no-such-model", "x")


def test_the_function_is_the_package_s_name_whatever_was_imported() -> None:
    import convergio_mlx.chats.request  # noqa: F401

    assert callable(cm.chat)
    assert cm.chat.__module__ == "convergio_mlx.providers.one_call"
