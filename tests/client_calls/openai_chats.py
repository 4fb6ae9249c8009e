"""OpenAI's client at chat completions."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any, Literal

import openai
import pydantic

from client_calls import GREEDY, Calls

CALLS = Calls("openai")
CAPITAL: Any = [{"role": "user", "content": "What is the capital of France?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The current weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
TIME: Any = {"type": "function", "function": {"name": "get_time", "parameters": {}}}
ROME: Any = [{"role": "user", "content": "What is the weather in Rome?"}]
NAMED: Any = {"type": "function", "function": {"name": "get_weather"}}
PICTURE: Any = [
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;x"}}]}
]
SOUND: Any = [
    {
        "role": "user",
        "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}],
    }
]


class Film(pydantic.BaseModel):
    """A film."""

    title: str = pydantic.Field(max_length=30)
    year: int
    kind: Literal["drama", "war"]


def ask(client: Any, messages: Any = CAPITAL, **given: Any) -> Any:
    """A chat completion, short where nothing is said of its length."""
    limit = {} if "max_completion_tokens" in given else {"max_tokens": 40}
    return client.chat.completions.create(messages=messages, **{**GREEDY, **limit, **given})


def said(answer: Any) -> str:
    """The text of the first choice."""
    return answer.choices[0].message.content or ""


@CALLS.works('chat.completions.create(model=…, messages=[{"role": "user", …}])')
def _(client: Any) -> None:
    """It answers, ends by itself, and counts its tokens."""
    answer = ask(client)
    assert "Paris" in said(answer)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@CALLS.works("AsyncOpenAI: … create(…), create(…, stream=True)")
def _(client: Any) -> None:
    """Several at once have the answers that they have alone, whole and streamed."""
    alone = said(ask(client))

    async def both() -> list[str]:
        async with openai.AsyncOpenAI(base_url=client.base_url, api_key="any") as there:
            whole, stream = await asyncio.gather(
                ask(there), ask(there, stream=True), return_exceptions=False
            )
            pieces = [piece.choices[0].delta.content or "" async for piece in stream]
            return [said(whole), "".join(pieces)]

    assert asyncio.run(both()) == [alone, alone]


@CALLS.works("… create(messages=[system, developer, user, assistant, …])")
def _(client: Any) -> None:
    """A developer's message is a system's."""
    texts = []
    for role in ("system", "developer"):
        first = {"role": role, "content": "Answer in one word."}
        texts.append(said(ask(client, [first, *CAPITAL])))
    assert texts[0] == texts[1] != ""
    history = [*CAPITAL, {"role": "assistant", "content": texts[0]}, *CAPITAL]
    assert said(ask(client, history))


@CALLS.works('… create(messages=[{"role": "critic", …}])')
def _(client: Any) -> None:
    """A role that OpenAI has not goes to the chat template as it is."""
    assert said(ask(client, [{"role": "critic", "content": "Be kind."}, *CAPITAL]))


@CALLS.works('… create(messages=[{"content": [{"type": "text", "text": …}, …]}])')
def _(client: Any) -> None:
    """Parts are the text that they make up."""
    parts = [{"type": "text", "text": text} for text in ("What is the capital ", "of France?")]
    assert said(ask(client, [{"role": "user", "content": parts}])) == said(ask(client))


@CALLS.works("… create(stream=True)")
def _(client: Any) -> None:
    """The pieces are the whole answer."""
    pieces = [*ask(client, stream=True)]
    assert "".join(one.choices[0].delta.content or "" for one in pieces) == said(ask(client))
    assert len(pieces) > 3
    assert pieces[-1].choices[0].finish_reason == "stop"


@CALLS.works('… create(stream=True, stream_options={"include_usage": True})')
def _(client: Any) -> None:
    """The last chunk has the usage of the whole answer."""
    *_, last = ask(client, stream=True, stream_options={"include_usage": True})
    assert last.choices == []
    assert last.usage.completion_tokens == ask(client).usage.completion_tokens


@CALLS.works("chat.completions.stream(…)")
def _(client: Any) -> None:
    """The client puts the whole answer together."""
    with client.chat.completions.stream(messages=CAPITAL, max_tokens=40, **GREEDY) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert said(final) == said(ask(client))


@CALLS.works("leaving a stream: stream.close()")
def _(client: Any) -> None:
    """The next request is answered."""
    stream = ask(client, stream=True, max_tokens=2000, extra_body={"ignore_eos": True})
    next(iter(stream))
    stream.close()
    assert "Paris" in said(ask(client))


@CALLS.works('… create(tools=[…], tool_choice="auto")')
def _(client: Any) -> None:
    """It answers or calls; a call's arguments fit their schema."""
    choice = ask(client, ROME, tools=[WEATHER], tool_choice="auto").choices[0]
    for call in choice.message.tool_calls or ():
        assert isinstance(json.loads(call.function.arguments)["city"], str)
    assert choice.message.tool_calls or choice.message.content


@CALLS.works('… create(tools=[…], tool_choice="required")')
def _(client: Any) -> None:
    """At any temperature it calls, and the arguments fit their schema."""
    for seed in range(3):
        given: Any = {"tools": [WEATHER], "tool_choice": "required", "max_tokens": 100}
        choice = ask(client, ROME, temperature=1.2, seed=seed, **given).choices[0]
        for call in choice.message.tool_calls:
            assert call.function.name == "get_weather"
            if choice.finish_reason == "tool_calls":
                assert [*json.loads(call.function.arguments)] == ["city"]


@CALLS.works('… create(tools=[…], tool_choice={"type": "function", …})')
def _(client: Any) -> None:
    """It calls that one."""
    given: Any = {"tools": [TIME, WEATHER], "tool_choice": NAMED}
    (call,) = ask(client, ROME, **given).choices[0].message.tool_calls
    assert call.function.name == "get_weather"


@CALLS.works('… create(tools=[…], tool_choice={"type": "allowed_tools", …})')
def _(client: Any) -> None:
    """It calls none but those."""
    allowed = {"mode": "required", "tools": [NAMED]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    given: Any = {"tools": [TIME, WEATHER], "tool_choice": choice, "max_tokens": 60}
    answer = ask(client, ROME, **given)
    assert {one.function.name for one in answer.choices[0].message.tool_calls} == {"get_weather"}


@CALLS.works('… create(tools=[…], tool_choice="none")')
def _(client: Any) -> None:
    """It answers with text."""
    message = ask(client, ROME, tools=[WEATHER], tool_choice="none").choices[0].message
    assert not message.tool_calls
    assert message.content


@CALLS.works("… create(tools=[…], parallel_tool_calls=False)")
def _(client: Any) -> None:
    """There is one call at most."""
    given: Any = {"tools": [WEATHER], "tool_choice": "required", "parallel_tool_calls": False}
    assert len(ask(client, ROME, **given).choices[0].message.tool_calls) == 1


@CALLS.works("… create(stream=True, tools=[…])")
def _(client: Any) -> None:
    """The client puts the calls together, as they are in a whole answer."""
    given: Any = {"tools": [WEATHER], "tool_choice": NAMED, "max_tokens": 40}
    whole = ask(client, ROME, **given).choices[0].message.tool_calls
    with client.chat.completions.stream(messages=ROME, **given, **GREEDY) as stream:
        streamed = stream.get_final_completion().choices[0].message.tool_calls
    assert [one.function.arguments for one in streamed] == [one.function.arguments for one in whole]


@CALLS.works('… create(messages=[…, {"role": "tool", "tool_call_id": …}])')
def _(client: Any) -> None:
    """The result of a call is read."""
    message = ask(client, ROME, tools=[WEATHER], tool_choice=NAMED).choices[0].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "It rains."}
    assert said(ask(client, [*ROME, message, result], tools=[WEATHER], tool_choice="none"))


@CALLS.works('… create(response_format={"type": "json_object"})')
def _(client: Any) -> None:
    """The answer is an object."""
    answer = ask(client, response_format={"type": "json_object"}, max_tokens=200)
    assert answer.choices[0].finish_reason == "length" or isinstance(json.loads(said(answer)), dict)


@CALLS.works('… create(response_format={"type": "json_schema", …})')
def _(client: Any) -> None:
    """At any temperature the answer fits its schema."""
    schema = Film.model_json_schema()
    form = {"type": "json_schema", "json_schema": {"name": "film", "schema": schema}}
    for seed in range(3):
        answer = ask(client, response_format=form, temperature=1.2, seed=seed, max_tokens=200)
        Film.model_validate_json(said(answer))


@CALLS.works("chat.completions.parse(response_format=PydanticModel)")
def _(client: Any) -> None:
    """`message.parsed` is a value of the model."""
    answer = client.chat.completions.parse(messages=CAPITAL, response_format=Film, **GREEDY)
    assert isinstance(answer.choices[0].message.parsed, Film)


@CALLS.works("chat.completions.parse(tools=[openai.pydantic_function_tool(…)])")
def _(client: Any) -> None:
    """`parsed_arguments` of a call is a value of the model."""
    tool = openai.pydantic_function_tool(Film)
    given: Any = {"tools": [tool], "tool_choice": "required", "parallel_tool_calls": False}
    answer = client.chat.completions.parse(messages=CAPITAL, **given, **GREEDY)
    (call,) = answer.choices[0].message.tool_calls
    assert isinstance(call.function.parsed_arguments, Film)


@CALLS.works("… create(logprobs=True, top_logprobs=3)")
def _(client: Any) -> None:
    """Each token of the text has its own and the three likeliest."""
    choice = ask(client, logprobs=True, top_logprobs=3).choices[0]
    told = choice.logprobs.content
    assert b"".join(bytes(one.bytes) for one in told).decode().strip() == choice.message.content
    assert all(one.logprob <= 0 and math.isfinite(one.logprob) for one in told)
    assert all(one.token == one.top_logprobs[0].token for one in told)
    assert {len(one.top_logprobs) for one in told} == {3}


@CALLS.works("… create(n=3)")
def _(client: Any) -> None:
    """There are three answers, also streamed."""
    given: Any = {"n": 3, "temperature": 1, "seed": 4, "max_tokens": 12}
    texts = [choice.message.content for choice in ask(client, **given).choices]
    assert len({*texts}) == 3
    streamed = ["", "", ""]
    for piece in ask(client, stream=True, **given):
        streamed[piece.choices[0].index] += piece.choices[0].delta.content or ""
    assert streamed == texts


@CALLS.works("… create(seed=7, temperature=1, top_p=0.9)")
def _(client: Any) -> None:
    """One seed has one answer, another another."""
    given: Any = {"temperature": 1, "top_p": 0.9, "max_tokens": 20}
    texts = [said(ask(client, seed=seed, **given)) for seed in (7, 7, 8)]
    assert texts[0] == texts[1] != texts[2]


@CALLS.works('… create(stop=["Paris"])')
def _(client: Any) -> None:
    """The answer ends before it."""
    answer = ask(client, stop=["Paris"])
    assert said(answer) == said(ask(client)).partition("Paris")[0]
    assert answer.choices[0].finish_reason == "stop"


@CALLS.works("… create(max_completion_tokens=5), create(max_tokens=5)")
def _(client: Any) -> None:
    """It ends there, and says so."""
    for name in ("max_completion_tokens", "max_tokens"):
        answer = ask(client, **{name: 5})
        assert answer.usage.completion_tokens == 5
        assert answer.choices[0].finish_reason == "length"


@CALLS.works("… create(presence_penalty=1, frequency_penalty=1)")
def _(client: Any) -> None:
    """They change the answer."""
    given: Any = {"presence_penalty": 2, "frequency_penalty": 2}
    story: Any = [{"role": "user", "content": "Tell a story of a cat."}]
    assert said(ask(client, story, **given)) != said(ask(client, story))


@CALLS.works("… create(logit_bias={…})")
def _(client: Any) -> None:
    """The token that is favoured is all that comes."""
    told = ask(client, logprobs=True, logit_bias={"1055": 100}, max_tokens=5)
    assert len({one.token for one in told.choices[0].logprobs.content}) == 1


@CALLS.works('… create(extra_body={"top_k": 1, "min_p": …, "priority": …, …})')
def _(client: Any) -> None:
    """They are read: the likeliest token alone gives the greedy answer."""
    extra = {"top_k": 1, "min_p": 0.1, "repetition_penalty": 1.0, "priority": "interactive"}
    assert said(ask(client, temperature=1, seed=1, extra_body=extra)) == said(ask(client))


@CALLS.works("… create(user=…, metadata=…, store=True, service_tier=…)")
def _(client: Any) -> None:
    """They change nothing of the answer."""
    given: Any = {"user": "me", "metadata": {"a": "b"}, "store": True, "service_tier": "flex"}
    assert said(ask(client, **given)) == said(ask(client))


@CALLS.works('… create(reasoning_effort="low" / "none")')
def _(client: Any) -> None:
    """A model that does not reason answers as without it."""
    for effort in ("low", "none"):
        assert said(ask(client, reasoning_effort=effort)) == said(ask(client))


@CALLS.works("with_raw_response, with_streaming_response")
def _(client: Any) -> None:
    """The headers have an id of the request."""
    given: Any = {**GREEDY, "messages": CAPITAL, "max_tokens": 3}
    raw = client.chat.completions.with_raw_response.create(**given)
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.parse().usage.completion_tokens == 3
    with client.chat.completions.with_streaming_response.create(**given, stream=True) as response:
        assert [*response.iter_lines()][-2] == "data: [DONE]"


_CREATE = "… create"
_REFUSED: tuple[tuple[str, dict[str, Any]], ...] = (
    ('(model="gpt-5")', {"model": "gpt-5"}),
    ("(messages=[picture])", {"messages": PICTURE}),
    ("(messages=[sound])", {"messages": SOUND}),
    ("(messages=[])", {"messages": []}),
    ("(messages=[too long])", {"messages": [{"role": "user", "content": "long " * 9000}]}),
    ('(modalities=["text", "audio"])', {"modalities": ["text", "audio"]}),
    ("(web_search_options={})", {"web_search_options": {}}),
    ('(tools=[{"type": "custom", …}])', {"tools": [{"type": "custom", "custom": {"name": "x"}}]}),
    ("(functions=[…])", {"functions": [{"name": "x", "parameters": {}}]}),
    ('(tool_choice="required") without tools', {"tool_choice": "required"}),
    ('(response_format={"type": "xml"})', {"response_format": {"type": "xml"}}),
    ("(temperature=-1)", {"temperature": -1}),
    ("(n=99)", {"n": 99}),
    ("(top_logprobs=3) without logprobs", {"top_logprobs": 3}),
    ('(verbosity="high")', {"verbosity": "high"}),
    ('(extra_body={"temprature": 1})', {"extra_body": {"temprature": 1}}),
)
for _shown, _given in _REFUSED:
    CALLS.refused(f"{_CREATE}{_shown}", lambda client, given=_given: ask(client, **given))
CALLS.refused(
    "… create(stream=True, temperature=-1)",
    lambda client: ask(client, stream=True, temperature=-1),
)
