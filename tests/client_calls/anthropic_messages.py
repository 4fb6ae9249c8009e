"""Anthropic's client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import pydantic

from client_calls import MODEL, Calls

CALLS = Calls("anthropic")
CAPITAL: Any = [{"role": "user", "content": "What is the capital of France?"}]
ROME: Any = [{"role": "user", "content": "What is the weather in Rome?"}]
COLD = {"temperature": 0}
WEATHER: Any = {
    "name": "get_weather",
    "description": "The current weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
NAMED: Any = {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True}


class Film(pydantic.BaseModel):
    """A film."""

    title: str = pydantic.Field(max_length=30)
    kind: Literal["drama", "war"]


def ask(client: Any, messages: Any = CAPITAL, **given: Any) -> Any:
    """A message, short where nothing is said of its length."""
    asked = {"model": MODEL, "max_tokens": 40, "extra_body": COLD, **given}
    return client.messages.create(messages=messages, **asked)


def said(message: Any) -> str:
    """Its texts."""
    return "".join(block.text for block in message.content if block.type == "text")


@CALLS.works("messages.create(model=…, max_tokens=…, messages=[…])")
def _(client: Any) -> None:
    """It answers, ends by itself, and counts its tokens."""
    message = ask(client)
    assert "Paris" in said(message)
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens > 3


@CALLS.works("AsyncAnthropic: … create(…)")
def _(client: Any) -> None:
    """Several at once have the answer that one has alone."""
    import anthropic

    async def several() -> list[str]:
        async with anthropic.AsyncAnthropic(base_url=client.base_url, api_key="any") as there:
            return [said(one) for one in await asyncio.gather(*(ask(there) for _ in range(3)))]

    assert {*asyncio.run(several())} == {said(ask(client))}


@CALLS.works('… create(system="…"), create(system=[{"type": "text", …}])')
def _(client: Any) -> None:
    """Blocks are the text that they make up."""
    text = "Answer in one word."
    blocks = [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]
    assert said(ask(client, system=blocks)) == said(ask(client, system=text)) != ""


@CALLS.works("… create(messages=[user, assistant, user]), blocks of text")
def _(client: Any) -> None:
    """A conversation goes on."""
    message = ask(client)
    history = [*CAPITAL, {"role": "assistant", "content": message.content}]
    block = {"type": "text", "text": "And of Italy?"}
    assert said(ask(client, [*history, {"role": "user", "content": [block]}]))


@CALLS.works("… create(stream=True), messages.stream(…)")
def _(client: Any) -> None:
    """The pieces are the whole answer, which the client puts together."""
    whole = said(ask(client))
    events = [*ask(client, stream=True)]
    deltas = [one.delta.text for one in events if one.type == "content_block_delta"]
    assert "".join(deltas) == whole
    given: Any = {"model": MODEL, "max_tokens": 40, "extra_body": COLD}
    with client.messages.stream(messages=CAPITAL, **given) as stream:
        assert "".join(stream.text_stream) == whole
        assert stream.get_final_message().stop_reason == "end_turn"


@CALLS.works('… create(tools=[…], tool_choice={"type": "any"})')
def _(client: Any) -> None:
    """At any temperature it uses one, and the input fits its schema."""
    for seed in range(3):
        given: Any = {"tools": [WEATHER], "tool_choice": {"type": "any"}, "max_tokens": 100}
        message = ask(client, ROME, **given, extra_body={"temperature": 0.5 * seed})
        uses = [block for block in message.content if block.type == "tool_use"]
        assert uses or (seed > 0 and message.stop_reason == "max_tokens")
        assert uses or not said(message)
        assert all([*use.input] == ["city"] for use in uses)


@CALLS.works('… create(tools=[…], tool_choice={"type": "auto" / "tool" / "none"})')
def _(client: Any) -> None:
    """The one that is named is used, and none where none may be."""
    (use,) = ask(client, ROME, tools=[WEATHER], tool_choice=NAMED).content
    assert use.name == "get_weather"
    assert said(ask(client, ROME, tools=[WEATHER], tool_choice={"type": "none"}))
    assert ask(client, ROME, tools=[WEATHER], tool_choice={"type": "auto"}).content


@CALLS.works('… create(messages=[…, {"type": "tool_result", …}])')
def _(client: Any) -> None:
    """The result is read, also one that says that the tool failed."""
    message = ask(client, ROME, tools=[WEATHER], tool_choice=NAMED)
    for is_error in (False, True):
        result = {"type": "tool_result", "tool_use_id": message.content[0].id, "content": "Rain."}
        turn = {"role": "user", "content": [{**result, "is_error": is_error}]}
        history = [*ROME, {"role": "assistant", "content": message.content}, turn]
        assert ask(client, history, tools=[WEATHER]).content


@CALLS.works("… stream(tools=[…])")
def _(client: Any) -> None:
    """The client puts the input together."""
    given: Any = {"model": MODEL, "max_tokens": 40, "extra_body": COLD}
    given |= {"messages": ROME, "tools": [WEATHER], "tool_choice": NAMED}
    with client.messages.stream(**given) as stream:
        (use,) = stream.get_final_message().content
    assert use.input == client.messages.create(**given).content[0].input


@CALLS.works("messages.parse(output_format=PydanticModel)")
def _(client: Any) -> None:
    """`parsed_output` is a value of the model."""
    made = client.messages.parse(
        model=MODEL, max_tokens=200, messages=CAPITAL, output_format=Film, extra_body=COLD
    )
    assert isinstance(made.parsed_output, Film)


def run(client: Any, **given: Any) -> list[str]:
    """What the client's own loop calls a function with, in one round."""
    import anthropic

    ran: list[str] = []

    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """The current weather of a city."""
        ran.append(city)
        return "It rains."

    asked = {"model": MODEL, "max_tokens": 60, "messages": ROME, "extra_body": COLD}
    runner = client.beta.messages.tool_runner(
        tools=[get_weather], tool_choice=NAMED, max_iterations=1, **asked, **given
    )
    assert runner.until_done().content
    return ran


@CALLS.works("beta.messages.tool_runner(tools=[function], thread=False)")
def _(client: Any) -> None:
    """The client runs the function with what the model gave."""
    assert len(run(client, thread=False)) == 1


CALLS.refused("beta.messages.tool_runner(tools=[function])", run)


@CALLS.works('… create(stop_sequences=["Paris"])')
def _(client: Any) -> None:
    """The answer ends before it, and names it."""
    message = ask(client, stop_sequences=["Paris"])
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "Paris")


@CALLS.works("… create(max_tokens=5)")
def _(client: Any) -> None:
    """It ends there, and says so."""
    message = ask(client, max_tokens=5)
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 5)


@CALLS.works('… create(thinking={"type": "disabled"})')
def _(client: Any) -> None:
    """It is the answer of a model that does not reason."""
    assert said(ask(client, thinking={"type": "disabled"})) == said(ask(client))


@CALLS.works("messages.count_tokens(…)")
def _(client: Any) -> None:
    """The count is that of the answer's usage."""
    counted = client.messages.count_tokens(model=MODEL, messages=CAPITAL).input_tokens
    usage = ask(client).usage
    assert counted == usage.input_tokens + usage.cache_read_input_tokens


@CALLS.works("models.list(), models.retrieve(id)")
def _(client: Any) -> None:
    """They are those that are served."""
    (model,) = client.models.list()
    assert (model.id, model.type) == (MODEL, "model")
    assert model.display_name
    assert client.models.retrieve(MODEL).created_at is not None


@CALLS.works("models.list(limit=…, after_id=… / before_id=…), beta.models.list()")
def _(client: Any) -> None:
    """The page before a model or after it."""
    for models in (client.models, client.beta.models):
        page = models.list(limit=1)
        assert ([one.id for one in page.data], page.has_next_page()) == ([MODEL], False)
        assert [*models.list(after_id=MODEL)] == [*models.list(before_id=MODEL)] == []


_PICTURE = [
    {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "aGk="},
    }
]
_DOCUMENT = [
    {"type": "document", "source": {"type": "text", "data": "x", "media_type": "text/plain"}}
]
_BUDGET = {"type": "enabled", "budget_tokens": 1024}
_REFUSED: tuple[tuple[str, dict[str, Any]], ...] = (
    ('(model="claude-…")', {"model": "claude-x"}),
    ("(messages=[picture])", {"messages": [{"role": "user", "content": _PICTURE}]}),
    ("(messages=[document])", {"messages": [{"role": "user", "content": _DOCUMENT}]}),
    ('(messages=[{"role": "robot", …}])', {"messages": [{"role": "robot", "content": "x"}]}),
    ("(messages=[…, assistant])", {"messages": [*CAPITAL, {"role": "assistant", "content": "It"}]}),
    ("(messages=[too long])", {"messages": [{"role": "user", "content": "long " * 9000}]}),
    ("(max_tokens=0)", {"max_tokens": 0}),
    ('(thinking={"type": "enabled", …})', {"thinking": _BUDGET, "max_tokens": 2000}),
    ('(thinking={"type": "much"})', {"thinking": {"type": "much"}}),
    ("(tools=[web search])", {"tools": [{"type": "web_search_20260209", "name": "web_search"}]}),
    ('(tool_choice={"type": "any"}) without tools', {"tool_choice": {"type": "any"}}),
    ("(container=…)", {"container": "x"}),
    ('(extra_body={"temprature": 1})', {"extra_body": {"temprature": 1}}),
)
CALLS.refused(
    'models.list(lifecycle=["retired"])',
    lambda client: client.models.list(lifecycle=["retired"]),
)
for _shown, _given in _REFUSED:
    CALLS.refused(f"… create{_shown}", lambda client, given=_given: ask(client, **given))
CALLS.refused(
    "… create(stream=True, max_tokens=0)",
    lambda client: ask(client, stream=True, max_tokens=0),
)
_FILE = ("a.txt", b"text", "text/plain")
_UNSERVED: tuple[tuple[str, Callable[[Any], object]], ...] = (
    ("messages.batches.list()", lambda client: client.messages.batches.list()),
    ("files.upload(…)", lambda client: client.files.upload(file=_FILE)),
    ("skills.list()", lambda client: client.skills.list()),
    ("beta.sessions.list()", lambda client: client.beta.sessions.list()),
    ("beta.agents.list()", lambda client: client.beta.agents.list()),
)
for _shown, _run in _UNSERVED:
    CALLS.refused(_shown, _run)
