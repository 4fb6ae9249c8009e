"""Requests, whatever the server does: they end in time, take no more than they may, and hide who
asks."""

import gzip
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from convergio_mlx.platform import http
from convergio_mlx.platform.http import RequestError, ask, opened, split_credentials

OK = b"HTTP/1.1 200 OK\r\n"
Deed = Callable[[socket.socket, bytes], None]


class Server:
    """Does `deed` with each connection, once its request has come; `requests` are their texts."""

    def __init__(self, deed: Deed) -> None:
        self.requests: list[bytes] = []
        self._deed = deed
        self._socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += connection.recv(65536)
            self.requests.append(request)
            with suppress(OSError):
                self._deed(connection, request)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):  # a close before the client's would be a reset
                    pass


@pytest.fixture
def serve() -> Iterator[Callable[[Deed], Server]]:
    servers: list[Server] = []

    def start(deed: Deed) -> Server:
        servers.append(Server(deed))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def whole(body: bytes, *headers: str) -> Deed:
    said = (f"Content-Length: {len(body)}", "Connection: close", *headers)
    head = "".join(f"{one}\r\n" for one in said)
    return lambda connection, _: connection.sendall(OK + head.encode() + b"\r\n" + body)


def dripping(start: bytes, drop: bytes) -> Deed:
    """Sends a drop each tenth of a second, without an end."""

    def deed(connection: socket.socket, _: bytes) -> None:
        connection.sendall(start)
        connection.settimeout(0.1)
        while True:
            connection.sendall(drop)
            with suppress(TimeoutError):
                if not connection.recv(1):
                    return

    return deed


def failure(server: Server, largest: int = 1000, seconds: float = 30.0) -> str:
    with pytest.raises(RequestError) as raised:
        ask(server.url, {}, largest=largest, seconds=seconds)
    return str(raised.value)


@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate"])
def test_a_body_comes_unpacked(serve: Callable[[Deed], Server], encoding: str) -> None:
    text = bytes(range(256)) * 4
    pack = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress}[encoding]
    server = serve(whole(pack(text), f"Content-Encoding: {encoding}"))
    assert ask(server.url, {}, largest=len(text), seconds=30).body == text
    assert failure(server, len(text) - 1) == "the answer has more than 1023 bytes"


def test_what_is_packed_a_thousandfold_is_unpacked_no_further_than_asked(
    serve: Callable[[Deed], Server],
) -> None:
    server = serve(whole(gzip.compress(bytes(100 << 20)), "Content-Encoding: gzip"))
    assert failure(server) == "the answer has more than 1000 bytes"


@pytest.mark.parametrize("body", [b"x", gzip.compress(b"abc", mtime=0)[:-9], b""])
def test_what_is_not_packed_as_said(serve: Callable[[Deed], Server], body: bytes) -> None:
    assert failure(serve(whole(body, "Content-Encoding: gzip"))).startswith("the answer ")
    assert "packed as 'br'" in failure(serve(whole(body, "Content-Encoding: br")))


def test_a_body_without_end(serve: Callable[[Deed], Server]) -> None:
    server = serve(dripping(OK + b"\r\n", b"x" * 10_000))
    assert failure(server) == "the answer has more than 1000 bytes"


@pytest.mark.parametrize(
    ("start", "drop"),
    [(OK + b"\r\n", b"x"), (OK, b"A: b\r\n"), (b"", b""), (b"", b"H")],
    ids=["body", "headers", "silence", "status"],
)
def test_one_that_drips_is_given_up(
    serve: Callable[[Deed], Server], start: bytes, drop: bytes
) -> None:
    assert failure(serve(dripping(start, drop)), seconds=0.2)


def test_a_slow_body_of_any_length_is_given_up(
    serve: Callable[[Deed], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "SLOW_SECONDS", 0.2)
    server = serve(dripping(OK + b"Content-Length: 10000000000\r\n\r\n", b"x"))
    with opened(server.url, {}) as answer, pytest.raises(RequestError, match="fewer than 1000 "):
        list(answer.pieces())


def test_redirects(serve: Callable[[Deed], Server]) -> None:
    """Their bodies are not read; who asks is told to the first host alone."""
    end = serve(whole(b"there"))
    location = end.url.replace("127.0.0.1", "localhost")
    first = serve(dripping(b"HTTP/1.1 302 x\r\nLocation: %b\r\n\r\n" % location.encode(), b"x"))
    plain, credentials = split_credentials(first.url.replace("//", "//a:b@"))
    assert ask(plain, credentials, largest=9, seconds=30).body == b"there"
    assert b"authorization: basic ytpi" in first.requests[0].lower()
    assert b"authorization" not in end.requests[0].lower()


def test_redirects_without_end(serve: Callable[[Deed], Server]) -> None:
    server = serve(
        lambda connection, _: connection.sendall(
            b"HTTP/1.1 302 x\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    )
    assert failure(server) == "it redirects more than 10 times"


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "x", "", "http://", "http://[", "http://a b/", "http://127.0.0.1:99999"],
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises((RequestError, ValueError)):
        ask(split_credentials(address)[0], {}, largest=1, seconds=5)


@pytest.mark.parametrize(
    ("address", "plain", "header"),
    [
        ("https://a.b/c?d", "https://a.b/c?d", None),
        ("https://u:p@a.b:1/c@d", "https://a.b:1/c@d", "Basic dTpw"),
        ("https://u%40x:p@a.b", "https://a.b", "Basic dUB4OnA="),
        ("https://u@v@a.b", "https://a.b", "Basic dUB2"),
    ],
)
def test_credentials_of_an_address(address: str, plain: str, header: str | None) -> None:
    assert split_credentials(address) == (plain, {"Authorization": header} if header else {})


def test_texts_without_credentials() -> None:
    text = "for url 'https://u:p@a.b/c' and http://x:y@z/@ but not https://a.b/c"
    hidden = http.without_credentials(text)
    assert hidden == "for url 'https://***@a.b/c' and http://***@ but not https://a.b/c"
