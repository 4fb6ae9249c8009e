"""Reasoning in each interface, of a model that says what it is told to."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.scripted import scripted_model
from convergio_mlx.platform.home import models_folder
from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.server import make_app

ASKED = {"model": "thinker", "messages": [{"role": "user", "content": "go"}], "max_tokens": 20}
THOUGHT, SAID = "First this, then that", "It is that."
SCRIPT = ["<think>", "First this", ", then that", "</think>", "It is ", "that."]


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlxProvider]:
    monkeypatch.setenv("CONVERGIO_HOME", str(tmp_path))
    scripted_model(models_folder() / "thinker", SCRIPT)
    with MlxProvider() as made:
        yield made


def ask(
    provider: MlxProvider, path: str, body: dict[str, Any], status: int = 200
) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(make_app(provider))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.post(path, json=body)
            assert answer.status_code == status, answer.text
            return answer

    return asyncio.run(run())


def frames(answer: httpx.Response) -> list[Any]:
    lines = [line for line in answer.text.splitlines() if line.startswith("data: {")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def test_chat_completions_have_it_beside_the_text(provider: MlxProvider) -> None:
    path = "/v1/chat/completions"
    whole = ask(provider, path, {**ASKED, "logprobs": True}).json()
    message = whole["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == (SAID, THOUGHT)
    details = whole["usage"]["completion_tokens_details"]
    assert (details["reasoning_tokens"], whole["usage"]["completion_tokens"]) == (2, 6)
    tokens = [one["token"] for one in whole["choices"][0]["logprobs"]["content"]]
    assert "".join(tokens) == SAID
    deltas = [
        frame["choices"][0]["delta"]
        for frame in frames(ask(provider, path, {**ASKED, "stream": True}))
    ]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == THOUGHT
    assert "".join(delta.get("content", "") for delta in deltas) == SAID


def test_messages_have_a_block_of_it(provider: MlxProvider) -> None:
    whole = ask(provider, "/v1/messages", ASKED).json()
    assert [block["type"] for block in whole["content"]] == ["thinking", "text"]
    assert [whole["content"][0]["thinking"], whole["content"][1]["text"]] == [THOUGHT, SAID]
    events = frames(ask(provider, "/v1/messages", {**ASKED, "stream": True}))
    begun = [e["content_block"]["type"] for e in events if e["type"] == "content_block_start"]
    assert begun == ["thinking", "text"]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(delta.get("thinking", "") for delta in deltas) == THOUGHT
    assert "".join(delta.get("text", "") for delta in deltas) == SAID


def test_messages_leave_it_out_where_so_asked(provider: MlxProvider) -> None:
    for kind in ("enabled", "adaptive", "disabled"):
        shown = {**ASKED, "thinking": {"type": kind, "display": "summarized"}}
        assert ask(provider, "/v1/messages", shown).json()["content"][0]["thinking"] == THOUGHT
        hidden = {**ASKED, "thinking": {"type": kind, "display": "omitted"}}
        whole = ask(provider, "/v1/messages", hidden).json()
        assert [(block["type"], block["text"]) for block in whole["content"]] == [("text", SAID)]
        assert whole["usage"]["output_tokens"] == 6
        events = frames(ask(provider, "/v1/messages", {**hidden, "stream": True}))
        begun = [event["index"] for event in events if event["type"] == "content_block_start"]
        assert begun == [0]
        deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
        assert "".join(delta["text"] for delta in deltas) == SAID


@pytest.mark.parametrize("kind", ["enabled", "adaptive", "disabled"])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"display": "full"}, "display is 'full'; give summarized or omitted."),
        ({"display": 1}, "display is 1; give a text."),
        (
            {"budget_tokens": "many"},
            'budget_tokens is "many"; give a whole number from 0 to 2147483647.',
        ),
        ({"budget_tokens": -1}, "budget_tokens is -1; give a whole number from 0 to 2147483647."),
    ],
)
def test_what_is_wrong_with_thinking_is_told_of_any_type(
    provider: MlxProvider, kind: str, given: dict[str, Any], message: str
) -> None:
    asked = {**ASKED, "thinking": {"type": kind, **given}}
    counted = {name: value for name, value in asked.items() if name != "max_tokens"}
    for path, body in (("/v1/messages", asked), ("/v1/messages/count_tokens", counted)):
        told = ask(provider, path, body, 400).json()["error"]["message"]
        assert told == f"[server] thinking.{message}"


def test_responses_have_an_item_of_it(provider: MlxProvider) -> None:
    body = {"model": "thinker", "input": "go", "max_output_tokens": 20}
    whole = ask(provider, "/v1/responses", body).json()
    reasoning, message = whole["output"]
    assert [reasoning["type"], message["type"]] == ["reasoning", "message"]
    assert reasoning["content"] == [{"type": "reasoning_text", "text": THOUGHT}]
    assert message["content"][0]["text"] == SAID
    assert whole["usage"]["output_tokens_details"]["reasoning_tokens"] > 0
    again = {**body, "input": [{"role": "user", "content": "go"}, *whole["output"]]}
    again["input"].append({"role": "user", "content": "go"})
    assert ask(provider, "/v1/responses", again).status_code == 200
    last = frames(ask(provider, "/v1/responses", {**body, "stream": True}))[-1]
    assert [item["type"] for item in last["response"]["output"]] == ["reasoning", "message"]


def test_ollama_s_chats_have_it_as_thinking(provider: MlxProvider) -> None:
    body = {"model": "thinker", "messages": ASKED["messages"], "stream": False}
    message = ask(provider, "/api/chat", body).json()["message"]
    assert (message["content"], message["thinking"]) == (SAID, THOUGHT)


def test_it_is_bounded_and_switched_off_by_the_fields_of_each(provider: MlxProvider) -> None:
    short = ask(provider, "/v1/chat/completions", {**ASKED, "reasoning_budget": 1}).json()
    assert short["choices"][0]["message"].get("reasoning_content", "") != THOUGHT
    thinking = {"type": "enabled", "budget_tokens": 1}
    blocks = ask(provider, "/v1/messages", {**ASKED, "thinking": thinking}).json()["content"]
    assert THOUGHT not in [block.get("thinking") for block in blocks]
    for body in (
        {"reasoning_effort": "low"},
        {"reasoning_effort": "none"},
        {"chat_template_kwargs": {"enable_thinking": False}},
    ):
        assert ask(provider, "/v1/chat/completions", {**ASKED, **body}).status_code == 200
