"""What no client should send: every answer is an error in OpenAI's shape, and the next request
works."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from typing import Any

import httpx
import pytest
import uvicorn

from convergio_mlx.server import ModelServer
from convergio_mlx.server.connection import TimedConnection

GUIDE = "convergio-guide"
CHAT = "/v1/chat/completions"
ASKED = [{"role": "user", "content": "hi"}]
JSON = {"content-type": "application/json"}


def works(http: httpx.Client) -> None:
    body = {"model": GUIDE, "messages": ASKED, "max_tokens": 2}
    assert http.post(CHAT, json=body).status_code == 200


def check(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"].startswith("[")
    assert "Traceback" not in answer.text
    return dict(error)


BODIES: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("half", b'{"model": "convergio-g'),
    ("list", b"[]"),
    ("text", b'"hi"'),
    ("number", b"1"),
    ("null", b"null"),
    ("bytes", b"\xff\xfe{}"),
    ("nan", b'{"model": "m", "temperature": NaN}'),
    ("deep", b"[" * 200_000),
    ("deep objects", b'{"a":' * 100_000),
    ("digits", b'{"seed": ' + b"9" * 5000 + b"}"),
    ("two", b"{}{}"),
]


@pytest.mark.parametrize("body", [body for _, body in BODIES], ids=[name for name, _ in BODIES])
def test_a_body_that_is_no_object_is_refused(http: httpx.Client, body: bytes) -> None:
    error = check(http.post(CHAT, content=body, headers=JSON), 400)
    assert error["code"] == "invalid_json"


ODD: list[Any] = [7, "x", [], [1], {}, {"a": 1}, True, [[]], "\ud800", -1, 1e308, [None]]
FIELDS = (
    *("model", "messages", "tools", "tool_choice", "response_format", "max_tokens", "stop", "n"),
    *("temperature", "top_p", "seed", "logit_bias", "logprobs", "stream", "stream_options"),
    *("chat_template_kwargs", "reasoning_budget", "parallel_tool_calls", "reasoning_effort"),
    *("presence_penalty", "stop_token_ids", "ignore_eos", "top_k", "priority"),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", FIELDS)
def test_values_of_other_types_are_refused_or_fit(http: httpx.Client, name: str) -> None:
    for value in ODD:
        body = {"model": GUIDE, "messages": ASKED, "max_tokens": 1, name: value}
        answer = http.post(CHAT, content=json.dumps(body), headers=JSON)
        if answer.status_code != 200:
            check(answer, 404 if name == "model" and isinstance(value, str) else 400)
    works(http)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"role": "user"},
        {"role": 1, "content": "x"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "user", "content": [1]},
        {"role": "assistant", "tool_calls": [{"function": {}}]},
        {"role": "tool", "content": {"a": 1}, "tool_call_id": 3},
        {"role": "wizard", "content": "x"},
    ],
)
def test_messages_of_other_shapes_are_refused(http: httpx.Client, message: Any) -> None:
    body = {"model": GUIDE, "messages": [*ASKED, message], "max_tokens": 1}
    answer = http.post(CHAT, json=body)
    if answer.status_code != 200:
        check(answer, 400)
    works(http)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v1", 404),
        ("GET", CHAT, 405),
        ("DELETE", "/v1/models", 405),
        ("POST", "/v1/embeddings", 404),
        ("GET", "/v1/models/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404),
        ("GET", "/v1/models/\x00".replace("\x00", "%00"), 404),
        ("POST", "/metrics", 405),
    ],
)
def test_paths_that_there_are_not_are_told(
    http: httpx.Client, method: str, path: str, status: int
) -> None:
    check(http.request(method, path), status)


def test_a_body_beyond_the_limit_is_refused(http: httpx.Client) -> None:
    large = b'{"a": "' + b"x" * (1 << 20) + b'"}'
    assert check(http.post(CHAT, content=large), 413)["code"] == "request_too_large"
    works(http)


def test_a_body_that_does_not_say_its_length_is_bounded_too(http: httpx.Client) -> None:
    def pieces() -> Any:
        for _ in range(32):
            yield b" " * (1 << 16)

    with contextlib.suppress(httpx.WriteError):  # it hung up while the client still sent
        check(http.post(CHAT, content=pieces()), 413)
    works(http)


def connect(server: ModelServer) -> socket.socket:
    host, port = httpx.URL(server.url).host, httpx.URL(server.url).port
    return socket.create_connection((host, port), timeout=20)


def head(length: int) -> bytes:
    lines = [f"POST {CHAT} HTTP/1.1", "host: 127.0.0.1", f"content-length: {length}"]
    return "\r\n".join([*lines, "content-type: application/json", "", ""]).encode()


@pytest.mark.slow
def test_a_body_that_never_comes_is_not_waited_for(server: ModelServer, http: httpx.Client) -> None:
    with connect(server) as slow:
        slow.sendall(head(100) + b'{"model"')
        said = b""
        while b"}}" not in said:
            piece = slow.recv(1 << 16)
            assert piece, said
            said += piece
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"request_timeout"' in said
    works(http)


@pytest.mark.slow
@pytest.mark.parametrize("begun", [b"", b"POST /v1/chat", head(3)[:-2]])
def test_a_head_that_never_comes_is_not_waited_for(
    server: ModelServer, http: httpx.Client, begun: bytes
) -> None:
    with connect(server) as slow:
        slow.sendall(begun)
        assert slow.recv(1) == b""  # it is closed, long before the socket's own limit
    works(http)


@pytest.mark.slow
def test_a_connection_that_was_used_is_closed_amid_its_next_head(server: ModelServer) -> None:
    with connect(server) as slow:
        slow.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        received(slow, b'"version"')
        slow.sendall(b"GET /hea")
        assert slow.recv(1) == b""


def received(client: socket.socket, last: bytes) -> bytes:
    """All that comes until `last` has; it may come in pieces."""
    said = b""
    while last not in said:
        piece = client.recv(1 << 16)
        assert piece, said
        said += piece
    return said


def trickle(client: socket.socket) -> None:
    """Five bytes a second, for a minute at most."""
    started = time.monotonic()
    while time.monotonic() < started + 60:
        client.sendall(b" ")
        time.sleep(0.2)


@pytest.mark.slow
def test_the_rest_of_an_answered_body_is_not_waited_for(server: ModelServer) -> None:
    with connect(server) as slow:
        slow.sendall(head(2 << 20))  # beyond the limit: answered at once
        assert slow.recv(1 << 16).startswith(b"HTTP/1.1 413 ")
        with pytest.raises(ConnectionError):
            trickle(slow)


@pytest.mark.slow
def test_a_connection_is_kept_where_the_rest_of_its_body_comes(server: ModelServer) -> None:
    with connect(server) as whole:
        whole.sendall(head(2 << 20))
        assert received(whole, b"request_too_large").startswith(b"HTTP/1.1 413 ")
        whole.sendall(b" " * (2 << 20) + b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert b"HTTP/1.1 200 " in received(whole, b'"version"')


def test_a_client_that_reads_nothing_is_cut_off() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        config = uvicorn.Config(nothing, log_config=None)
        config.load()
        made: list[TimedConnection] = []

        def protocol() -> TimedConnection:
            state = uvicorn.server.ServerState()
            given = {"config": config, "server_state": state, "app_state": {}}
            made.append(TimedConnection(0.1, **given))
            return made[0]

        listening = await loop.create_server(protocol, "127.0.0.1", 0)
        with socket.create_connection(listening.sockets[0].getsockname()):
            while not made or not made[0].connections:
                await asyncio.sleep(0.01)
            made[0].transport.write(b"x" * (64 << 20))
            made[0].transport.close()
            while made[0].connections:
                await asyncio.sleep(0.01)
        listening.close()

    asyncio.run(asyncio.wait_for(run(), 20))


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """An application that does nothing. With no parameters uvicorn would take it for a factory,
    and call it."""


def test_a_client_that_hangs_up_amid_its_body_leaves_nothing(
    server: ModelServer, http: httpx.Client
) -> None:
    for _ in range(5):
        with connect(server) as gone:
            gone.sendall(head(100) + b'{"model"')
    works(http)


def test_what_is_no_http_is_refused(server: ModelServer, http: httpx.Client) -> None:
    for junk in (b"\x16\x03\x01\x02\x00\x01\x00" * 20, b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 4000):
        with connect(server) as odd:
            odd.sendall(junk)
            odd.shutdown(socket.SHUT_WR)
            assert b"Traceback" not in odd.recv(1 << 16)
    works(http)


def test_a_client_that_closes_its_half_gets_its_answer_or_is_let_go(
    server: ModelServer, http: httpx.Client
) -> None:
    body = json.dumps({"model": GUIDE, "messages": ASKED, "max_tokens": 2}).encode()
    with connect(server) as half:
        half.sendall(head(len(body)) + body)
        half.shutdown(socket.SHUT_WR)
        said = half.recv(1 << 16)
    assert said == b"" or said.startswith(b"HTTP/1.1 200 ")
    works(http)


@pytest.mark.slow
def test_a_client_that_takes_nothing_is_let_go(server: ModelServer, http: httpx.Client) -> None:
    given = {"model": GUIDE, "messages": ASKED, "stream": True, "max_tokens": 450}
    body = json.dumps({**given, "ignore_eos": True, "n": 16}).encode()
    with connect(server) as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        stuck.sendall(head(len(body)) + body)
        deadline = time.monotonic() + 60
        while "convergio_answers_under_way 0\n" not in http.get("/metrics").text:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    works(http)


@pytest.mark.slow
def test_many_clients_at_once_are_all_answered(server: ModelServer) -> None:
    told: list[int] = []

    def ask() -> None:
        body = {"model": GUIDE, "messages": ASKED, "max_tokens": 20, "temperature": 1}
        told.append(httpx.post(f"{server.url}{CHAT}", json=body, timeout=60).status_code)

    threads = [threading.Thread(target=ask) for _ in range(48)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [200] * 48
