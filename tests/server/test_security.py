"""What is tried against a server, and what then holds; docs/security.md lists it."""

import ast
import asyncio
import gzip
import hmac
import json
import logging
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.server import ModelServer, ServerSettings, guard, make_app
from convergio_mlx.server.service import Service
from convergio_mlx.store.locate import guide_folder

ROOT = Path(__file__).resolve().parents[2]
GUIDE = "convergio-guide"
CHAT = "/v1/chat/completions"
ASKED = {"model": GUIDE, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}
KEY = "right-key"


def works(http: httpx.Client) -> None:
    assert http.post(CHAT, json=ASKED).status_code == 200


def said(server: ModelServer, *pieces: bytes) -> bytes:
    """All that comes back where these are sent as they are, until the server closes."""
    url = httpx.URL(server.url)
    received = bytearray()
    with socket.create_connection((url.host, url.port), timeout=30) as client:
        try:
            for piece in pieces:
                client.sendall(piece)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has answered, and listens no more
        try:
            while piece := client.recv(1 << 16):
                received += piece
        except ConnectionResetError:
            pass
    return bytes(received)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def request(target: str, *lines: str, method: str = "POST", body: bytes = b"") -> bytes:
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""])
    return head.encode("latin-1") + body


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


GIGABYTE = 1 << 30


def test_a_body_of_a_gigabyte_is_refused_by_its_head(
    server: ModelServer, http: httpx.Client
) -> None:
    head = request(CHAT, "host: localhost", f"content-length: {GIGABYTE}")
    assert status(said(server, head)) == 413
    endless = request(CHAT, "host: localhost", f"content-length: {'9' * 30}")
    assert status(said(server, endless)) in (400, 413)
    works(http)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="counts this process's memory")
def test_a_gigabyte_in_chunks_is_not_kept(server: ModelServer, http: httpx.Client) -> None:
    works(http)
    before = resident()
    chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    head = request(CHAT, "host: localhost", "transfer-encoding: chunked")
    answer = said(server, head, *[chunk] * (GIGABYTE >> 20))
    assert not answer or status(answer) == 413
    assert resident() - before < 64 << 20
    works(http)


def test_a_compressed_body_is_not_unpacked(http: httpx.Client) -> None:
    packed = gzip.compress(b" " * (64 << 20))
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    answer = http.post(CHAT, content=packed, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


@pytest.mark.slow
def test_a_hundred_clients_that_send_a_byte_a_second_are_let_go(
    server: ModelServer, http: httpx.Client
) -> None:
    url = httpx.URL(server.url)
    begun = request(CHAT, "host: localhost")[:-2]

    async def drip() -> bytes:
        reader, writer = await asyncio.open_connection(url.host, url.port)
        ended = asyncio.ensure_future(reader.read())
        try:
            for byte in begun:
                writer.write(bytes([byte]))
                await asyncio.wait((ended,), timeout=1)
                if ended.done():
                    break
            return await asyncio.wait_for(ended, 30)
        except ConnectionResetError:
            return b""
        finally:
            ended.cancel()
            writer.close()

    async def all_of_them() -> list[bytes]:
        drips = [asyncio.ensure_future(drip()) for _ in range(100)]
        await asyncio.sleep(0.5)
        await asyncio.to_thread(works, http)  # meanwhile others are served
        return await asyncio.gather(*drips)

    assert asyncio.run(all_of_them()) == [b""] * 100
    works(http)


@pytest.mark.parametrize(
    "lines",
    [
        ["x: " + "y" * (1 << 20)],
        [f"x-{number}: y" for number in range(20_000)],
        [f"cookie: {'a' * 60_000}", f"cookie: {'b' * 60_000}"],
    ],
    ids=["long", "many", "together"],
)
def test_floods_of_headers_are_refused(
    server: ModelServer, http: httpx.Client, lines: list[str]
) -> None:
    answer = said(server, request(CHAT, "host: localhost", *lines, "content-length: 0"))
    assert not answer or status(answer) == 400
    works(http)


def test_a_path_without_end_is_refused(server: ModelServer, http: httpx.Client) -> None:
    answer = said(server, request("/v1/models/" + "a" * (1 << 20), "host: localhost", method="GET"))
    assert not answer or status(answer) == 400
    works(http)


@pytest.mark.parametrize(
    "lines",
    [
        ("content-length: 2", "transfer-encoding: chunked"),
        ("content-length: 2", "content-length: 3"),
        ("content-length: -1",),
        ("content-length: +2",),
        ("transfer-encoding: gzip, chunked",),
        (" folded: x", "content-length: 2"),
        ("x : y", "content-length: 2"),
    ],
)
def test_a_request_of_two_readings_is_refused(
    server: ModelServer, http: httpx.Client, lines: tuple[str, ...]
) -> None:
    """One that a proxy in front could take for another than this server does."""
    answer = said(server, request(CHAT, "host: localhost", *lines, body=b"{}"))
    # h11 takes chunks where a length stands beside them, as RFC 9112 has it, and closes after
    assert answer == b"" or status(answer) in (400, 403, 501)
    assert answer.count(b"HTTP/1.1 ") <= 1
    works(http)


NAMES = [
    *("../../etc/passwd", "/etc/passwd", "..", ".", "/", "~", "file:///etc/passwd"),
    *("convergio-guide/../../x", "hf:owner/name", "a\x00b", "con", "models/mlx", "\\\\host\\x"),
]


@pytest.mark.parametrize("name", [*NAMES, str(guide_folder()), os.path.relpath(guide_folder())])
def test_a_model_is_never_a_path(http: httpx.Client, name: str) -> None:
    for path in (CHAT, "/v1/messages", "/api/chat"):
        asked = {**ASKED, "model": name}
        if path == "/api/chat":
            del asked["max_tokens"]
        answer = http.post(path, json=asked)
        assert answer.status_code == 404, answer.text
        assert "there is no model" in answer.text
    quoted = "".join(f"%{byte:02x}" for byte in name.encode())
    assert http.get(f"/v1/models/{quoted}").status_code == 404


HOSTS = [
    *("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1@evil.example"),
    *("evil.example#127.0.0.1", "[::1].evil.example", "localhost evil.example", "0.0.0.0"),
    *("169.254.169.254", "", "2130706433", "0x7f000001", "127.0.0.1\x0bevil.example"),
]


@pytest.fixture(scope="module")
def app(provider: MlxProvider) -> Any:
    return make_app(provider)


def asked_at(app: Any, path: str, headers: list[tuple[bytes, bytes]], method: str = "GET") -> int:
    """The status of a request with these headers, as the application gets it from a server."""
    statuses: list[int] = []
    scope = {
        **{"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method},
        **{"path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers},
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": json.dumps(ASKED).encode()}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    asyncio.run(app(scope, receive, send))
    return statuses[0]


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_that_is_not_this_machine_is_refused(app: Any, host: str) -> None:
    assert asked_at(app, "/v1/models", [(b"host", host.encode("latin-1"))]) == 403


def test_a_request_without_a_host_or_with_two_is_refused(
    app: Any, server: ModelServer, http: httpx.Client
) -> None:
    assert asked_at(app, "/v1/models", []) == 403
    two = request("/v1/models", "host: localhost", "host: evil.example", method="GET")
    assert status(said(server, two)) == 400
    works(http)


@pytest.mark.parametrize(
    "origin",
    [
        *("null", "http://evil.example", "https://localhost.evil.example", "http://127.0.0.1:1"),
        *("http://localhost", "HTTP://127.0.0.1:8765 ", "http://127.0.0.1:8765.evil.example", ""),
    ],
)
def test_another_page_is_refused_without_a_preflight(app: Any, origin: str) -> None:
    """A form or a `fetch` of text needs none, and its answer is not needed to do harm."""
    headers = [(b"host", b"127.0.0.1:8765"), (b"origin", origin.encode())]
    kind = (b"content-type", b"text/plain")
    assert asked_at(app, CHAT, [*headers, kind], "POST") == 403
    before = [*headers, (b"access-control-request-method", b"POST")]
    assert asked_at(app, CHAT, before, "OPTIONS") == 403


def test_the_key_is_compared_in_constant_time(
    provider: MlxProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[Any, Any]] = []
    compare = hmac.compare_digest

    class Noting:
        @staticmethod
        def compare_digest(given: bytes, key: bytes) -> bool:
            compared.append((given, key))
            return compare(given, key)

    monkeypatch.setattr(guard, "hmac", Noting)
    app = make_app(provider, ServerSettings(api_key=KEY))
    host = (b"host", b"localhost")
    for given, expected in ((KEY, 200), ("r", 401), ("", 401), ("right-kez", 401)):
        key = (b"x-api-key", given.encode())
        assert asked_at(app, "/v1/models", [host, key]) == expected
    assert compared == [(one.encode(), KEY.encode()) for one in (KEY, "r", "", "right-kez")]


def test_two_keys_are_not_joined(provider: MlxProvider) -> None:
    app = make_app(provider, ServerSettings(api_key=KEY))
    host, wrong = (b"host", b"localhost"), (b"authorization", b"Bearer wrong")
    assert asked_at(app, "/v1/models", [host, wrong, (b"x-api-key", KEY.encode())]) == 401


def test_no_header_is_made_of_what_a_client_sends(http: httpx.Client) -> None:
    odd = "x\r\nset-cookie: a=b\r\n\r\n<script>"
    answer = http.post(CHAT, json={**ASKED, "model": odd})
    assert answer.status_code == 404
    assert "set-cookie" not in answer.headers
    assert answer.headers["content-type"] == "application/json"
    answer = http.get("/v1/models/%0d%0aset-cookie:%20a=b")
    assert answer.status_code == 404
    assert "set-cookie" not in answer.headers
    assert re.fullmatch(r"req_[0-9a-f]{24}", answer.headers["x-request-id"])


def test_no_line_of_the_log_is_made_of_a_path(
    app: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("it broke")

    monkeypatch.setattr(Service, "model", broken)
    with caplog.at_level(logging.ERROR):
        path = "/v1/models/x\rERROR forged\x1b[2J"
        assert asked_at(app, path, [(b"host", b"localhost")]) == 500
    (record,) = caplog.records
    assert record.getMessage() == r"GET '/v1/models/x\rERROR forged\x1b[2J' failed"


def test_no_label_of_the_metrics_is_made_of_a_path(app: Any) -> None:
    for number in range(50):
        asked_at(app, f'/x"}} 1\n{number}', [(b"host", b"localhost")])
    requests = app._service.metrics.requests
    assert [path for path, _ in requests if path.startswith("/x")] == []
    assert requests["other", 404] >= 50


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PUT", "PROPFIND", "HEAD"])
def test_other_methods_are_refused(app: Any, method: str) -> None:
    assert asked_at(app, CHAT, [(b"host", b"localhost")], method) in (404, 405)


def test_a_connection_is_no_websocket(server: ModelServer, http: httpx.Client) -> None:
    lines = ("host: localhost", "connection: upgrade", "upgrade: websocket", "content-length: 0")
    asked = request("/v1/models", *lines, "sec-websocket-key: AAAA", method="GET")
    assert status(said(server, asked)) != 101
    works(http)


def listed() -> Iterator[str]:
    """The tests that docs/security.md names."""
    page = (ROOT / "docs" / "security.md").read_text()
    section = page.partition("## The server")[2].partition("\n## ")[0]
    yield from re.findall(r"`(test_\w+)`", section)


def test_the_page_of_security_names_each_test_of_this_folder_that_there_is() -> None:
    there = {
        node.name
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    named = [*listed()]
    assert sorted(set(named)) == sorted(named)
    assert set(named) <= there
    here = {name for name in globals() if name.startswith("test_")} - {
        "test_the_page_of_security_names_each_test_of_this_folder_that_there_is"
    }
    assert here <= set(named)
