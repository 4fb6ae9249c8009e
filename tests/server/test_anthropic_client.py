"""Anthropic's own client against a server of the embedded model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.server import ModelServer

pytestmark = pytest.mark.slow  # importing the client takes longer than the tests

if TYPE_CHECKING:
    import anthropic

GUIDE = "convergio-guide"
ASKED: Any = [{"role": "user", "content": "What are you?"}]
LISBON: Any = [{"role": "user", "content": "How's the weather looking in Lisbon?"}]
COLD = {"temperature": 0}
WEATHER: Any = {
    "name": "get_weather",
    "description": "The current weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


@pytest.fixture(scope="module")
def client(server: ModelServer) -> Iterator[anthropic.Anthropic]:
    import anthropic

    with anthropic.Anthropic(base_url=server.url, api_key="any", max_retries=0) as made:
        yield made


def test_a_message_is_the_answer_of_the_library(
    client: anthropic.Anthropic, provider: MlxProvider
) -> None:
    expected = provider.chat(GUIDE, "Be brief.", ASKED, temperature=0, max_tokens=20)
    made = client.messages.create(
        model=GUIDE, messages=ASKED, system="Be brief.", extra_body=COLD, max_tokens=20
    )
    (block,) = made.content
    assert block.type == "text"
    assert block.text == expected.text
    assert made.stop_reason == "max_tokens"
    usage = made.usage
    assert usage.input_tokens + (usage.cache_read_input_tokens or 0) == expected.usage.input_tokens
    assert usage.output_tokens == 20


def test_a_streamed_message_is_put_together_by_the_client(client: anthropic.Anthropic) -> None:
    options: Any = {"model": GUIDE, "messages": ASKED, "extra_body": COLD, "max_tokens": 200}
    whole: Any = client.messages.create(**options)
    with client.messages.stream(**options) as stream:
        kinds = [event.type for event in stream]
        made: Any = stream.get_final_message()
    assert made.content[0].text == whole.content[0].text
    assert made.stop_reason == whole.stop_reason == "end_turn"
    assert made.usage.output_tokens == whole.usage.output_tokens
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_a_stop_sequence_is_named(client: anthropic.Anthropic) -> None:
    options: Any = {"model": GUIDE, "messages": ASKED, "extra_body": COLD, "max_tokens": 40}
    whole: Any = client.messages.create(**options)
    word = whole.content[0].text.split()[2]
    cut = client.messages.create(**options, stop_sequences=["@@", word])
    assert (cut.stop_reason, cut.stop_sequence) == ("stop_sequence", word)


def test_tools_are_used_and_their_results_read(client: anthropic.Anthropic) -> None:
    options: Any = {"model": GUIDE, "tools": [WEATHER], "extra_body": COLD, "max_tokens": 60}
    made: Any = client.messages.create(messages=LISBON, tool_choice={"type": "any"}, **options)
    use = made.content[-1]
    assert (made.stop_reason, use.type, use.name) == ("tool_use", "tool_use", "get_weather")
    assert "city" in use.input
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "rain", "is_error": False}
    history: Any = [
        *LISBON,
        {"role": "assistant", "content": [block.model_dump() for block in made.content]},
        {"role": "user", "content": [result, {"type": "text", "text": "So?"}]},
    ]
    assert client.messages.create(messages=history, **options).stop_reason
    with client.messages.stream(messages=LISBON, tool_choice={"type": "any"}, **options) as stream:
        streamed: Any = stream.get_final_message()
    assert streamed.content[-1].input == use.input


def test_tokens_are_counted(client: anthropic.Anthropic, provider: MlxProvider) -> None:
    import anthropic

    counted = client.messages.count_tokens(model=GUIDE, messages=ASKED, system="Be brief.")
    assert counted.input_tokens == provider.count_tokens(GUIDE, "Be brief.", ASKED)
    tool: Any = {"name": "look", "input_schema": {"type": "object"}}
    given: Any = {"model": GUIDE, "messages": ASKED, "tools": [tool]}
    with pytest.raises(anthropic.BadRequestError, match="other"):
        client.messages.count_tokens(**given, tool_choice={"type": "tool", "name": "other"})


def test_a_missing_limit_is_told_as_missing(http: httpx.Client) -> None:
    answer = http.post("/v1/messages", json={"model": GUIDE, "messages": ASKED})
    assert answer.status_code == 400
    assert "max_tokens is missing" in answer.text


@pytest.mark.parametrize(
    ("options", "kind", "named"),
    [
        ({"model": "no-such"}, "NotFoundError", "not_found_error"),
        ({"max_tokens": 0}, "BadRequestError", "invalid_request_error"),
        (
            {"messages": [*ASKED, {"role": "assistant", "content": "I am"}]},
            "BadRequestError",
            "invalid_request_error",
        ),
        ({"max_tokens": 10**4}, "BadRequestError", "invalid_request_error"),
        ({"messages": [{"role": "x", "content": ""}]}, "BadRequestError", None),
        ({"tool_choice": {"type": "all"}}, "BadRequestError", None),
        ({"thinking": {"type": "much"}}, "BadRequestError", None),
        ({"extra_body": {"foo": 1}}, "BadRequestError", None),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]},
            "BadRequestError",
            None,
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_wrong_is_told_in_anthropic_s_shape(
    client: anthropic.Anthropic,
    options: dict[str, Any],
    kind: str,
    named: str | None,
    stream: bool,
) -> None:
    import anthropic

    given: Any = {"model": GUIDE, "messages": ASKED, "max_tokens": 5, "stream": stream, **options}
    with pytest.raises(getattr(anthropic, kind)) as caught:
        client.messages.create(**given)
    body: Any = caught.value.body
    assert body["type"] == "error"
    assert body["error"]["type"] == (named or "invalid_request_error")
    assert body["error"]["message"].startswith("[")
