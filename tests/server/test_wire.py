"""Anthropic's and Ollama's interfaces as they are on the wire."""

import json
from typing import Any

import httpx

from convergio_mlx.providers.mlx import MlxProvider

GUIDE = "convergio-guide"
ASKED: Any = [{"role": "user", "content": "What are you?"}]
LISBON: Any = [{"role": "user", "content": "How's the weather looking in Lisbon?"}]
WEATHER: Any = {
    "name": "get_weather",
    "description": "The current weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


def test_a_message_is_whole_or_in_blocks(http: httpx.Client, provider: MlxProvider) -> None:
    expected = provider.chat(GUIDE, None, ASKED, temperature=0, max_tokens=9).text
    body = {"model": GUIDE, "messages": ASKED, "temperature": 0, "max_tokens": 9}
    whole = http.post("/v1/messages", json=body).json()
    assert whole["content"] == [{"type": "text", "text": expected, "citations": None}]
    assert (whole["stop_reason"], whole["usage"]["output_tokens"]) == ("max_tokens", 9)
    said = http.post("/v1/messages", json={**body, "stream": True}).text.strip().split("\n\n")
    pairs = [part.split("\n") for part in said]
    events = [json.loads(data.removeprefix("data: ")) for _, data in pairs]
    assert [name for name, _ in pairs] == [f"event: {event['type']}" for event in events]
    assert "".join(e["delta"]["text"] for e in events if "delta" in e and "text" in e["delta"]) == (
        expected
    )
    assert events[0]["type"] == "message_start"
    assert events[-1] == {"type": "message_stop"}


def test_ollama_s_chats_are_answered(http: httpx.Client, provider: MlxProvider) -> None:
    expected = provider.chat(GUIDE, None, ASKED, temperature=0, max_tokens=9).text
    body = {"model": f"{GUIDE}:latest", "messages": ASKED}
    body |= {"options": {"temperature": 0, "num_predict": 9, "num_ctx": 2048}}
    whole = http.post("/api/chat", json={**body, "stream": False}).json()
    assert whole["message"] == {"role": "assistant", "content": expected}
    assert (whole["done"], whole["done_reason"], whole["eval_count"]) == (True, "length", 9)
    lines = [json.loads(line) for line in http.post("/api/chat", json=body).iter_lines()]
    assert "".join(line["message"]["content"] for line in lines) == expected
    assert [line["done"] for line in lines] == [*[False] * (len(lines) - 1), True]
    assert GUIDE in [model["name"] for model in http.get("/api/tags").json()["models"]]
    refused = http.post("/api/chat", json={**body, "model": "no-such"})
    assert (refused.status_code, refused.json()["error"][:8]) == (404, "[server]")


def test_ollama_s_tools_and_formats_are_kept(http: httpx.Client) -> None:
    tool = {"type": "function", "function": {**WEATHER, "parameters": WEATHER["input_schema"]}}
    del tool["function"]["input_schema"]
    asked = {"model": GUIDE, "messages": LISBON, "stream": False, "options": {"temperature": 0}}
    called = http.post("/api/chat", json={**asked, "tools": [tool]}).json()["message"]
    again = [*LISBON, called, {"role": "tool", "content": "rain", "tool_name": "get_weather"}]
    assert http.post("/api/chat", json={**asked, "messages": again}).status_code == 200
    formed = http.post("/api/chat", json={**asked, "format": {"enum": [7]}}).json()
    assert formed["message"]["content"] == "7"
