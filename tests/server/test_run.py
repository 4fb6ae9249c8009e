"""A server within a block: it serves when that begins, or the reason is raised."""

import asyncio
import socket
import threading

import httpx
import pytest

from convergio_mlx.errors import NetworkError, UnavailableError
from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.server import ModelServer, ServerSettings, serving
from convergio_mlx.server.connection import TimedConnection


class CannotStart(MlxProvider):
    def _start(self) -> None:
        raise UnavailableError("[mlx] there is no processor for it; take another machine.")


def servers() -> set[threading.Thread]:
    """The threads on which servers run."""
    return {one for one in threading.enumerate() if one.name == "convergio-mlx-server"}


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_a_provider_lacks_is_raised_before_the_block() -> None:
    before, entered = servers(), False
    with pytest.raises(UnavailableError, match="there is no processor"), serving(CannotStart()):
        entered = True
    assert not entered
    assert servers() == before


def test_run_raises_it_and_lets_go_of_the_port() -> None:
    server = ModelServer(CannotStart(), ServerSettings(port=0))
    url = httpx.URL(server.url)
    with pytest.raises(UnavailableError):
        server.run()
    assert not server.wait()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((url.host, url.port), timeout=5)


def test_it_serves_when_the_block_begins(provider: MlxProvider) -> None:
    with serving(provider) as server:
        assert server.started
        assert httpx.get(f"{server.url}/health").status_code == 200
        port = httpx.URL(server.url).port
        with pytest.raises(NetworkError), serving(provider, ServerSettings(port=port or 0)):
            pass
    assert provider.initialized


def test_no_answer_waits_for_its_head_to_be_acknowledged(
    server: ModelServer, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    made = TimedConnection.connection_made

    def connection_made(self: TimedConnection, transport: asyncio.Transport) -> None:
        connection = transport.get_extra_info("socket")
        seen.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        made(self, transport)

    monkeypatch.setattr(TimedConnection, "connection_made", connection_made)
    assert http.get("/health").status_code == 200
    assert all(seen)
    assert len(seen) == 1
