"""OpenAI's own client against a server of the embedded model."""

import asyncio
import json
import math
import re
import time
from collections.abc import Iterator
from typing import Any, Literal

import httpx
import openai
import pydantic
import pytest

from convergio_mlx.chats.events import FinishEvent
from convergio_mlx.chats.response import ChatResponse, TokenUsage
from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.providers.openai_provider import OpenAIProvider
from convergio_mlx.server import ModelServer
from convergio_mlx.server.openai_chat import ChatWriter

GUIDE = "convergio-guide"
ASKED: Any = [{"role": "user", "content": "What are you?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The current weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
LISBON: Any = [{"role": "user", "content": "How's the weather looking in Lisbon?"}]


class Sky(pydantic.BaseModel):
    city: Literal["Rome", "Oslo"]
    is_clear: bool


def get_weather(city: str) -> str:
    """The current weather of a city."""
    return f"It rains in {city}."


@pytest.fixture(scope="module")
def client(server: ModelServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as made:
        yield made


def test_an_answer_is_that_of_the_library(client: openai.OpenAI, provider: MlxProvider) -> None:
    expected = provider.chat(GUIDE, None, ASKED, temperature=0, max_tokens=20)
    made = client.chat.completions.create(
        model=GUIDE, messages=ASKED, temperature=0, max_completion_tokens=20, user="me"
    )
    (choice,) = made.choices
    assert choice.message.content == expected.text
    assert choice.message.role == "assistant"
    assert choice.finish_reason == expected.finish_reason
    assert made.usage is not None
    assert made.usage.prompt_tokens == expected.usage.input_tokens
    assert made.usage.completion_tokens == expected.usage.output_tokens
    assert made.object == "chat.completion"
    assert made.model == GUIDE
    assert abs(made.created - time.time()) < 60


def test_a_streamed_answer_is_the_same(client: openai.OpenAI) -> None:
    options: Any = {"model": GUIDE, "messages": ASKED, "temperature": 0, "max_tokens": 20}
    whole = client.chat.completions.create(**options)
    chunks = [*client.chat.completions.create(**options, stream=True)]
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == (
        whole.choices[0].message.content
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["length"]
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)


def test_usage_ends_a_stream_that_asks_for_it(client: openai.OpenAI) -> None:
    chunks = [
        *client.chat.completions.create(
            model=GUIDE,
            messages=ASKED,
            max_tokens=3,
            stream=True,
            stream_options={"include_usage": True},
        )
    ]
    assert [chunk.usage is not None for chunk in chunks] == [*[False] * (len(chunks) - 1), True]
    last = chunks[-1]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == 3
    assert last.usage.total_tokens == 3 + last.usage.prompt_tokens


def test_tools_are_called_and_their_results_read(client: openai.OpenAI) -> None:
    options: Any = {"model": GUIDE, "tools": [WEATHER], "temperature": 0}
    made = client.chat.completions.create(messages=LISBON, tool_choice="required", **options)
    message = made.choices[0].message
    assert made.choices[0].finish_reason == "tool_calls"
    assert message.tool_calls is not None
    (call,) = message.tool_calls
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert "city" in json.loads(call.function.arguments)
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
    history = [*LISBON, message.model_dump(exclude_none=True), result]
    after = client.chat.completions.create(messages=history, max_tokens=5, **options)
    assert after.choices[0].finish_reason in ("stop", "length", "tool_calls")


def test_streamed_calls_are_put_together_by_the_client(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model=GUIDE, messages=LISBON, tools=[WEATHER], tool_choice="required", temperature=0
    ) as stream:
        stream.until_done()
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.name == "get_weather"
    assert "city" in json.loads(message.tool_calls[0].function.arguments)


def test_the_client_parses_what_fits_its_schema(client: openai.OpenAI) -> None:
    for seed in range(2):
        made = client.chat.completions.parse(
            model=GUIDE, messages=ASKED, response_format=Sky, temperature=1, seed=seed
        )
        assert isinstance(made.choices[0].message.parsed, Sky)


def test_log_probabilities_are_of_the_tokens_of_the_text(client: openai.OpenAI) -> None:
    options: Any = {"model": GUIDE, "messages": ASKED, "temperature": 0, "max_tokens": 12}
    made = client.chat.completions.create(**options, logprobs=True, top_logprobs=2)
    logprobs = made.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    data = b"".join(bytes(one.bytes or ()) for one in logprobs.content)
    assert data.decode().strip() == (made.choices[0].message.content or "").strip()
    for one in logprobs.content:
        assert one.logprob <= 0
        assert [len(one.top_logprobs), one.top_logprobs[0].token] == [2, one.token]
    pieces = client.chat.completions.create(**options, logprobs=True, top_logprobs=2, stream=True)
    streamed = [
        one
        for piece in pieces
        if piece.choices[0].logprobs
        for one in piece.choices[0].logprobs.content or ()
    ]
    assert [one.token for one in streamed] == [one.token for one in logprobs.content]


def test_several_answers_have_seeds_of_their_own(client: openai.OpenAI) -> None:
    options: Any = {"model": GUIDE, "messages": ASKED, "temperature": 3, "max_tokens": 12}
    made = client.chat.completions.create(**options, n=3, seed=1)
    texts = [choice.message.content for choice in made.choices]
    assert [choice.index for choice in made.choices] == [0, 1, 2]
    assert len({*texts}) == 3
    assert made.usage is not None
    assert made.usage.completion_tokens <= 36
    alone = client.chat.completions.create(**options, seed=2)
    assert alone.choices[0].message.content == texts[1]
    assert alone.usage is not None
    assert alone.usage.prompt_tokens == made.usage.prompt_tokens
    parts = ["", "", ""]
    for piece in client.chat.completions.create(**options, n=3, seed=1, stream=True):
        parts[piece.choices[0].index] += piece.choices[0].delta.content or ""
    assert parts == texts
    last = client.chat.completions.create(**options, n=2, seed=2**64 - 1).choices[1]
    first = client.chat.completions.create(**options, seed=0).choices[0]
    assert last.message.content == first.message.content
    for n in (1, 2):
        with pytest.raises(openai.BadRequestError, match="seed"):
            client.chat.completions.create(**options, n=n, seed=True)


def test_a_prompt_beside_others_has_the_answers_that_it_has_alone(client: openai.OpenAI) -> None:
    given: Any = {"model": GUIDE, "temperature": 3, "max_tokens": 12, "seed": 1, "n": 2}
    both = client.completions.create(prompt=["The model", "A key"], **given).choices
    alone = client.completions.create(prompt="A key", **given).choices
    assert [one.text for one in both[2:]] == [one.text for one in alone]


def test_cached_tokens_of_a_stream_are_those_of_its_first_answer() -> None:
    writer = ChatWriter("m", True, 2, None)
    for index, cached in ((1, 7), (0, 3)):
        response = ChatResponse("", "stop", usage=TokenUsage(9, 1, cached))
        list(writer.event(index, FinishEvent(response)))
    assert b'"cached_tokens":3' in b"".join(writer.end())


def test_texts_and_tokens_are_continued(client: openai.OpenAI, provider: MlxProvider) -> None:
    tokens = provider.tokenizer(GUIDE).encode("The model")
    options: Any = {"model": GUIDE, "temperature": 0, "max_tokens": 6}
    made = client.completions.create(prompt=["The model", "The model"], logprobs=1, **options)
    first, second = made.choices
    assert first.text == second.text != ""
    assert (first.finish_reason, made.object) == ("length", "text_completion")
    assert first.logprobs is not None
    assert "".join(first.logprobs.tokens or ()) == first.text
    assert (first.logprobs.text_offset or [])[0] == 0
    assert all(value <= 0 and math.isfinite(value) for value in first.logprobs.token_logprobs or ())
    assert client.completions.create(prompt=tokens, **options).choices[0].text == first.text
    pieces = client.completions.create(prompt="The model", stream=True, **options)
    assert "".join(piece.choices[0].text for piece in pieces) == first.text
    by_default = client.completions.create(model=GUIDE, prompt="The model", temperature=0)
    assert by_default.usage is not None
    assert by_default.usage.completion_tokens <= 16


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert GUIDE in [model.id for model in client.models.list()]
    assert client.models.retrieve(GUIDE).id == GUIDE
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


@pytest.mark.parametrize(
    ("options", "kind", "told"),
    [
        ({"model": "no-such"}, openai.NotFoundError, ("model_not_found", "model")),
        ({"model": "../etc"}, openai.NotFoundError, ("model_not_found", "model")),
        ({"max_tokens": 10**6}, openai.BadRequestError, ("context_length_exceeded", None)),
        ({"temperature": -1}, openai.BadRequestError, (None, None)),
        ({"n": 99}, openai.BadRequestError, ("invalid_type", "n")),
        ({"messages": []}, openai.BadRequestError, (None, None)),
        ({"tools": [{"type": "web"}]}, openai.BadRequestError, (None, None)),
        ({"extra_body": {"foo": 1}}, openai.BadRequestError, ("unknown_parameter", "foo")),
        ({"top_logprobs": 2}, openai.BadRequestError, (None, "top_logprobs")),
        (
            {"max_tokens": 3, "max_completion_tokens": 4},
            openai.BadRequestError,
            (None, "max_tokens"),
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_wrong_is_told_before_an_answer_begins(
    client: openai.OpenAI,
    options: dict[str, Any],
    kind: type[openai.APIStatusError],
    told: tuple[str | None, str | None],
    stream: bool,
) -> None:
    given: Any = {"model": GUIDE, "messages": ASKED, "stream": stream, **options}
    with pytest.raises(kind) as caught:
        client.chat.completions.create(**given)
    assert (caught.value.code, caught.value.param) == told
    assert caught.value.type == "invalid_request_error"
    assert str(caught.value.body["message"]).startswith("[")  # type: ignore[index]
    assert caught.value.response.headers["x-should-retry"] == "false"


LONG: Any = {"model": GUIDE, "messages": ASKED, "max_tokens": 450, "n": 16}
"""Seconds of work on any machine."""


def test_streamed_answers_end_when_their_client_leaves(
    server: ModelServer, http: httpx.Client
) -> None:
    before = left(http)

    async def leave() -> None:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any") as client:
            stream = await client.chat.completions.create(
                **LONG, stream=True, extra_body={"ignore_eos": True}
            )
            async for _ in stream:
                break
            await stream.close()

    asyncio.run(leave())
    wait_until_idle(http)
    assert left(http) == before + 1


def test_whole_answers_end_when_their_client_leaves(http: httpx.Client) -> None:
    before = left(http)
    with pytest.raises(httpx.ReadTimeout):
        http.post("/v1/chat/completions", json={**LONG, "ignore_eos": True}, timeout=0.02)
    wait_until_idle(http)
    assert left(http) == before + 1


def left(http: httpx.Client) -> int:
    """Requests whose clients left before their answers were whole."""
    (line,) = re.findall(r"^convergio_clients_left_total (\d+)$", http.get("/metrics").text, re.M)
    return int(line)


def wait_until_idle(http: httpx.Client) -> None:
    deadline = time.monotonic() + 60
    while "convergio_answers_under_way 0\n" not in http.get("/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_our_own_provider_of_such_services_understands_it(server: ModelServer) -> None:
    with OpenAIProvider(base_url=f"{server.url}/v1", api_key="any") as there:
        answer = there.chat(GUIDE, None, "What are you?", temperature=0, max_tokens=9)
        assert answer.usage.output_tokens == 9
        assert GUIDE in [model.id for model in there.list_models()]
        sky = there.chat(GUIDE, None, "Rome?", response_format=Sky, max_tokens=40)
        assert isinstance(sky.parsed, Sky)
        ran = there.chat(
            GUIDE,
            None,
            LISBON,
            tools=[get_weather],
            tool_choice="required",
            run_tools=True,
            max_tokens=40,
        )
        assert ran.tool_messages[1]["content"].startswith("It rains in ")


@pytest.fixture
def responses(client: openai.OpenAI) -> Any:
    return client.responses


def test_a_response_is_the_same_answer(client: openai.OpenAI, responses: Any) -> None:
    chat = client.chat.completions.create(model=GUIDE, messages=ASKED, temperature=0, max_tokens=20)
    made = responses.create(model=GUIDE, input="What are you?", temperature=0, max_output_tokens=20)
    assert made.output_text == chat.choices[0].message.content
    assert (made.status, made.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert made.usage.output_tokens == 20
    assert made.usage.input_tokens == chat.usage.prompt_tokens  # type: ignore[union-attr]


def test_a_streamed_response_is_put_together_by_the_client(responses: Any) -> None:
    options: Any = {"model": GUIDE, "input": "What are you?", "temperature": 0}
    whole = responses.create(**options, max_output_tokens=200)
    with responses.stream(**options, max_output_tokens=200) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert (final.output_text, final.status) == (whole.output_text, "completed")
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_responses_call_tools_and_read_their_results(responses: Any) -> None:
    tool = {"type": "function", **WEATHER["function"]}
    options: Any = {"model": GUIDE, "tools": [tool], "temperature": 0}
    made = responses.create(input=LISBON, tool_choice="required", **options)
    (call,) = [item for item in made.output if item.type == "function_call"]
    assert (call.name, call.status) == ("get_weather", "completed")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    items = [*LISBON, *[item.model_dump(exclude_none=True) for item in made.output], result]
    after = responses.create(input=items, max_output_tokens=5, **options)
    assert after.status in ("completed", "incomplete")
    with responses.stream(input=LISBON, tool_choice="required", **options) as stream:
        stream.until_done()
        streamed = stream.get_final_response()
    arguments = [item.arguments for item in streamed.output if item.type == "function_call"]
    assert arguments == [call.arguments]


@pytest.mark.parametrize(
    "choice", ["auto", "none", "required", {"type": "function", "name": "get_weather"}]
)
def test_responses_repeat_the_tools_and_their_choice(responses: Any, choice: Any) -> None:
    tool = {"type": "function", **WEATHER["function"]}
    asked: Any = {"model": GUIDE, "tools": [tool], "temperature": 0, "tool_choice": choice}
    asked |= {"input": LISBON, "max_output_tokens": 5}
    events = [*responses.create(**asked, stream=True)]
    told = [event.response for event in events if hasattr(event, "response")]
    assert len(told) == 3
    for one in (responses.create(**asked), *told):
        given = one.model_dump(exclude_unset=True)
        assert (given["tool_choice"], given["tools"]) == (choice, [tool])


def test_responses_have_log_probabilities_where_asked(responses: Any) -> None:
    options: Any = {"model": GUIDE, "input": "What are you?", "max_output_tokens": 6}
    made = responses.create(**options, include=["message.output_text.logprobs"], top_logprobs=1)
    (part,) = made.output[0].content
    assert b"".join(bytes(one.bytes) for one in part.logprobs).decode().strip() == part.text.strip()
    assert responses.create(**options).output[0].content[0].logprobs == []


def test_responses_fit_a_schema(responses: Any) -> None:
    made = responses.parse(model=GUIDE, input="Rome?", text_format=Sky, instructions="Be brief.")
    assert isinstance(made.output_parsed, Sky)


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"input": [{"type": "computer_call"}]}, "input[0].type"),
        ({"input": 3}, "input"),
    ],
)
def test_what_responses_cannot_have_is_told(
    responses: Any, options: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        responses.create(**{"model": GUIDE, "input": "x", **options})
    assert caught.value.param == param


def test_a_call_that_was_cut_before_its_name_is_none(client: openai.OpenAI) -> None:
    given: Any = {"model": GUIDE, "messages": LISBON, "tools": [WEATHER], "temperature": 0}
    given |= {"tool_choice": "required"}
    whole = client.chat.completions.create(**given).usage
    assert whole is not None
    for tokens in range(1, whole.completion_tokens):
        made = client.chat.completions.create(**given, max_tokens=tokens).choices[0].message
        assert all(call.function.name for call in made.tool_calls or ())  # type: ignore[union-attr]
        pieces = client.chat.completions.create(**given, max_tokens=tokens, stream=True)
        calls = [call for one in pieces for call in one.choices[0].delta.tool_calls or ()]
        assert len(calls) == len(made.tool_calls or ())
