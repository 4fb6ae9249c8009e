"""Who may ask, and how much: in this process, without a socket."""

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from convergio_mlx.chats.events import ToolCallEvent
from convergio_mlx.chats.request import ChatRequest
from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.errors import InferenceError, InvalidRequestError
from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.server.app import make_app
from convergio_mlx.server.ascii_json import AsciiJsonResponse
from convergio_mlx.server.ollama import _Writer as OllamaWriter
from convergio_mlx.server.service import Service
from convergio_mlx.server.settings import ServerSettings
from convergio_mlx.server.sse import frame

HERE = "http://127.0.0.1:8765"
KEY = "right-key"
CHAT = "/v1/chat/completions"
ASKED = {
    "model": "convergio-guide",
    "messages": [{"role": "user", "content": "hi"}],
    "max_tokens": 2,
}


def ask(provider: MlxProvider, method: str, path: str, **options: Any) -> httpx.Response:
    settings = ServerSettings(**options.pop("settings", {}))
    base = options.pop("base", HERE)

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(make_app(provider, settings))
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await client.request(method, path, **options)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": f"Basic {KEY}"}, 401),
        ({"authorization": "Bearer"}, 401),
        ({"x-api-key": "\xe9"}, 401),
        ({"authorization": f"Bearer {KEY}"}, 200),
        ({"authorization": f"bearer  {KEY} "}, 200),
        ({"x-api-key": KEY}, 200),
    ],
)
def test_a_key_is_asked_for(provider: MlxProvider, headers: dict[str, str], status: int) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    given = {"api_key": KEY}
    answer = ask(provider, "GET", "/v1/models", headers=raw, settings=given)
    assert answer.status_code == status
    if status == 401:
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert KEY not in answer.text
    assert ask(provider, "GET", "/health", headers=raw, settings=given).status_code == 200
    assert ask(provider, "GET", "/metrics", headers=raw, settings=given).status_code == status


@pytest.mark.parametrize(
    ("base", "status"),
    [
        (HERE, 200),
        ("http://localhost", 200),
        ("http://[::1]:8765", 200),
        ("http://evil.example:8765", 403),
        ("http://127.0.0.1.evil.example", 403),
    ],
)
def test_a_name_that_was_led_here_is_refused(provider: MlxProvider, base: str, status: int) -> None:
    assert ask(provider, "GET", "/v1/models", base=base).status_code == status
    if status == 403:
        with_key = {"api_key": KEY}
        headers = {"authorization": f"Bearer {KEY}"}
        there = ask(provider, "GET", "/v1/models", base=base, settings=with_key, headers=headers)
        assert there.status_code == 200


@pytest.mark.parametrize(
    "host", ["LOCALHOST:8765", "LocalHost", "localhost:", "127.0.0.1:", "[::1]:", "[0:0::0:1]:8765"]
)
def test_this_machine_is_known_however_it_is_written(provider: MlxProvider, host: str) -> None:
    assert ask(provider, "GET", "/v1/models", headers={"host": host}).status_code == 200


def test_pages_may_ask_only_where_they_are_let(provider: MlxProvider) -> None:
    page = {"origin": "http://page.example"}
    refused = ask(provider, "POST", CHAT, headers=page, json=ASKED)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    assert "access-control-allow-origin" not in refused.headers
    given = {"origins": ("http://page.example",)}
    let = ask(provider, "POST", CHAT, headers=page, json=ASKED, settings=given)
    assert let.status_code == 200
    assert let.headers["access-control-allow-origin"] == "http://page.example"
    preflight = {
        **page,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    asked = ask(provider, "OPTIONS", CHAT, headers=preflight, settings={**given, "api_key": KEY})
    assert asked.status_code == 200
    other = {**page, "origin": "http://other.example"}
    assert ask(provider, "POST", CHAT, headers=other, json=ASKED, settings=given).status_code == 403


def test_answers_beyond_the_room_are_told_to_come_again(
    provider: MlxProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {**ASKED, "n": 3}
    never = ask(provider, "POST", CHAT, json=body, settings={"max_requests": 2})
    assert (never.status_code, never.json()["error"]["param"]) == (400, "n")
    assert "3 answers are asked for, and 2 at once are the most" in never.text
    answers = Service.answers

    async def beside_one(service: Service, *given: Any) -> Any:
        service.metrics.under_way = 1
        return await answers(service, *given)

    with monkeypatch.context() as patched:
        patched.setattr(Service, "answers", beside_one)
        full = ask(provider, "POST", CHAT, json=body, settings={"max_requests": 3})
    assert (full.status_code, full.json()["error"]["code"]) == (503, "overloaded")
    assert (full.headers["retry-after"], full.headers["x-should-retry"]) == ("1", "true")
    assert ask(provider, "POST", CHAT, json=body, settings={"max_requests": 3}).status_code == 200


def test_an_answer_beyond_its_time_is_told(provider: MlxProvider) -> None:
    body = {**ASKED, "max_tokens": 400, "ignore_eos": True}
    late = ask(provider, "POST", CHAT, json=body, settings={"request_seconds": 1e-6})
    assert (late.status_code, late.json()["error"]["code"]) == (504, "timeout")
    assert late.headers["x-should-retry"] == "false"


class FailsAmidAnswers(MlxProvider):
    async def _aopen(self, model: str, request: ChatRequest) -> Any:
        return _Failing(await super()._aopen(model, request))


class _Failing:
    """Gives one event, and then fails."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.given = 0

    async def __anext__(self) -> Any:
        self.given += 1
        if self.given > 1:
            raise InferenceError("[engine] the computation failed; ask again.")
        return await anext(self.source)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)


def test_what_fails_amid_a_stream_ends_it_with_the_error() -> None:
    body = {**ASKED, "max_tokens": 40}
    with FailsAmidAnswers() as provider:
        late = ask(provider, "POST", CHAT, json={**body, "stream": True})
        *pieces, last = [line for line in late.text.splitlines() if line]
        assert late.status_code == 200
        assert '"content":' in pieces[1]
        error = json.loads(last.removeprefix("data: "))["error"]
        assert (error["code"], error["type"]) == ("inference_failed", "server_error")
        said = ask(provider, "POST", "/v1/messages", json={**body, "stream": True}).text
        assert said.rstrip().rpartition("\n\n")[2].startswith("event: error\ndata: {")
        whole = ask(provider, "POST", CHAT, json=body)
        assert (whole.status_code, whole.json()["error"]["code"]) == (500, "inference_failed")
        lines = ask(provider, "POST", "/api/chat", json={"model": body["model"], "messages": []})
        assert (lines.status_code, [*lines.json()]) == (400, ["error"])


def test_only_models_of_the_settings_are_served(provider: MlxProvider) -> None:
    given = {"models": ("other",)}
    assert ask(provider, "GET", "/v1/models", settings=given).json()["data"] == []
    refused = ask(provider, "POST", CHAT, json=ASKED, settings=given)
    assert refused.json()["error"]["code"] == "model_not_found"


def test_a_fault_of_the_server_says_nothing_of_itself(
    provider: MlxProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Service, "model", broken)
    with caplog.at_level(logging.ERROR):
        answer = ask(provider, "POST", CHAT, json=ASKED)
    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "server_error"
    assert "secret" not in answer.text
    assert "secret" in caplog.text


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/api/chat"])
def test_an_error_of_half_a_character_is_told(provider: MlxProvider, path: str) -> None:
    asked = {**ASKED, "\ud800": 1}
    if path == "/api/chat":
        del asked["max_tokens"]
    answer = ask(provider, "POST", path, content=json.dumps(asked).encode())
    assert answer.status_code == 400
    assert r"\ud800" in answer.text


def test_half_a_character_in_an_answer_is_escaped() -> None:
    call = ToolCall("call_1", "say", r'{"text": "\ud800"}')
    event = ToolCallEvent(call)
    assert rb"\ud800" in b"".join(OllamaWriter("m").event(0, event))
    assert rb"\ud800" in frame({"text": "\ud800"})
    assert rb"\ud800" in AsciiJsonResponse(json.loads(call.arguments)).body


def test_a_prefix_that_it_is_mounted_under_changes_nothing(provider: MlxProvider) -> None:
    app = Starlette(routes=[Mount("/llm", make_app(provider, ServerSettings(api_key=KEY)))])

    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
            paths = ("/llm/health", "/llm/v1/models", "/llm/v1/messages")
            return [await client.get(path) for path in paths]

    health, models, messages = asyncio.run(run())
    assert (health.status_code, models.status_code) == (200, 401)
    assert (messages.status_code, messages.json()["type"]) == (401, "error")


def test_a_client_that_takes_nothing_has_left(
    provider: MlxProvider, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(provider, ServerSettings(body_seconds=0.05))
    body = json.dumps({**ASKED, "stream": True}).encode()
    scope = {
        **{"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST"},
        **{"path": CHAT, "query_string": b"", "headers": [(b"host", b"localhost")]},
    }

    async def run() -> None:
        brought = iter([{"type": "http.request", "body": body}])

        async def receive() -> Any:
            if (one := next(brought, None)) is not None:
                return one
            return await asyncio.Event().wait()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        await asyncio.wait_for(app(scope, receive, send), 30)

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert not caplog.records
    assert app._service.metrics.left == 1  # type: ignore[attr-defined]


def test_counters_tell_what_was_done(provider: MlxProvider) -> None:
    async def run() -> str:
        transport = httpx.ASGITransport(make_app(provider))
        async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
            await client.post(CHAT, json=ASKED)
            await client.post(CHAT, json={})
            await client.get("/nowhere")
            return (await client.get("/metrics")).text

    lines = asyncio.run(run()).splitlines()
    assert f'convergio_requests_total{{path="{CHAT}",status="200"}} 1' in lines
    assert f'convergio_requests_total{{path="{CHAT}",status="400"}} 1' in lines
    assert 'convergio_requests_total{path="other",status="404"} 1' in lines
    assert "convergio_output_tokens_total 2" in lines
    assert "convergio_answers_under_way 0" in lines
    assert "convergio_answer_seconds_count 1" in lines
    assert any(line.startswith("convergio_model_bytes{model=") for line in lines)


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "0.0.0.0"},
        {"host": "::"},
        {"host": "192.0.2.1"},
        {"host": "example.com"},
        {"host": ""},
        {"port": -1},
        {"port": 70000},
        {"port": "80"},
        {"host": 5, "api_key": KEY},
        {"api_key": ""},
        {"api_key": " "},
        {"api_key": 5},
        {"api_key": "right-key\n"},
        {"api_key": "schl\xfcssel"},
        {"origins": "http://page.example"},
        {"origins": (5,)},
        {"models": "convergio-guide"},
        {"max_requests": 0},
        {"max_requests": 1.5},
        {"request_seconds": float("nan")},
        {"body_seconds": True},
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match=r"^\[server\] "):
        ServerSettings(**settings)


def test_it_listens_elsewhere_with_a_key() -> None:
    assert ServerSettings(host="0.0.0.0", api_key=KEY).api_key == KEY
