"""Who goes first: the fields that say it, by the names and numbers that clients use."""

from typing import Any

import httpx
import pytest

from convergio_mlx.server import openai_chat, openai_completions, openai_responses

GUIDE = "convergio-guide"
ASKED: Any = [{"role": "user", "content": "What are you?"}]
READERS = {
    "/v1/chat/completions": (openai_chat.read_chat, {"messages": ASKED}),
    "/v1/completions": (openai_completions._read, {"prompt": "What"}),
    "/v1/responses": (openai_responses._read, {"input": "What?"}),
}


@pytest.mark.parametrize("path", READERS)
@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, None),
        ({"priority": "interactive"}, "interactive"),
        ({"priority": 0}, "normal"),
        ({"priority": -3}, "interactive"),
        ({"priority": 10}, "background"),
        ({"service_tier": "priority"}, "interactive"),
        ({"service_tier": "flex"}, "background"),
        ({"service_tier": "auto"}, None),
        ({"service_tier": "flex", "priority": "normal"}, "normal"),
    ],
)
def test_all_of_openais_paths_take_it(path: str, given: dict[str, Any], wanted: str | None) -> None:
    read, asked = READERS[path]
    options = read({"model": GUIDE, **asked, **given}).options
    assert options.get("priority") == wanted


@pytest.mark.parametrize("path", READERS)
@pytest.mark.parametrize("wrong", ["high", True, 1.5])
def test_a_priority_that_there_is_not_is_refused(
    http: httpx.Client, path: str, wrong: object
) -> None:
    body = {"model": GUIDE, **READERS[path][1], "priority": wrong}
    answer = http.post(path, json=body)
    assert answer.status_code == 400
    assert "priority is " in answer.json()["error"]["message"]


def test_an_answer_of_a_low_priority_comes_too(http: httpx.Client) -> None:
    body = {"model": GUIDE, "messages": ASKED, "max_tokens": 4, "temperature": 0}
    found = [
        http.post("/v1/chat/completions", json={**body, **one}).json()["choices"]
        for one in ({}, {"priority": 7}, {"service_tier": "priority"})
    ]
    assert found[1:] == [found[0]] * 2
