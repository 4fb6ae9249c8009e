"""The registry of the network: kept for a day, never needed, never asked for offline."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from convergio_mlx.registry import load_registry, refresh, remote


class Server(HTTPServer):
    """Answers with `data` and `status`, and counts."""

    data = json.dumps({"schema": 1, "models": [{"id": "far", "repository": "o/far"}]}).encode()
    status = 200
    asked = 0
    authorization: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/models.json"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        self.server.authorization = self.headers["Authorization"]
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.data)))
        self.end_headers()
        self.wfile.write(self.server.data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("CONVERGIO_HOME", str(tmp_path))
        monkeypatch.setenv("CONVERGIO_REGISTRY_URL", server.url)
        monkeypatch.delenv("CONVERGIO_OFFLINE", raising=False)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield server
        server.shutdown()


def test_it_is_fetched_once_a_day(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "far" not in load_registry()
    assert refresh() is None
    assert refresh() is None
    assert server.asked == 1
    assert load_registry().require("far").repository == "o/far"
    later = time.time() + remote.KEPT_SECONDS + 1
    monkeypatch.setattr(remote, "time", SimpleNamespace(time=lambda: later))
    assert refresh() is None
    assert server.asked == 2


def test_the_users_own_file_overrides_it(server: Server, tmp_path: Path) -> None:
    refresh()
    own = {"schema": 1, "models": [{"id": "far", "display_name": "Mine"}]}
    (tmp_path / "models.json").write_text(json.dumps(own))
    entry = load_registry().require("far")
    assert (entry.display_name, entry.repository) == ("Mine", "o/far")


def test_the_hubs_token_stays_at_home(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    refresh()
    assert (server.asked, server.authorization) == (1, None)


@pytest.mark.parametrize("variable", ["CONVERGIO_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_asks_nobody_and_uses_what_is_kept(
    server: Server, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "1")
    assert refresh() is None
    assert server.asked == 0
    monkeypatch.delenv(variable)
    refresh()
    monkeypatch.setenv(variable, "1")
    assert "far" in load_registry()


def test_another_url_is_another_registry(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    refresh()
    monkeypatch.setenv("CONVERGIO_REGISTRY_URL", "https://example.org/x")
    assert "far" not in load_registry()
    monkeypatch.delenv("CONVERGIO_REGISTRY_URL")
    assert "far" not in load_registry()
    assert refresh() is None


@pytest.mark.parametrize(
    ("status", "data", "why"),
    [
        (500, b"", "500"),
        (404, b"", "404"),
        (200, b"<html>", "is not JSON"),
        (200, b'{"schema": 9}', "has schema 9"),
        (200, b" " * ((8 << 20) + 1), "more than 8388608 bytes"),
        (200, b"\xff", "utf-8"),
    ],
)
def test_what_cannot_be_had_is_reported_and_changes_nothing(
    server: Server, status: int, data: bytes, why: str
) -> None:
    refresh()
    kept = remote.cache_file().read_bytes()
    record = json.loads(kept)
    remote.cache_file().write_text(json.dumps({**record, "at": 0}))
    server.status, server.data = status, data
    problem = refresh()
    assert problem is not None
    assert problem.startswith(f"[registry] the remote registry {server.url!r} cannot be had (")
    assert why in problem
    assert problem.endswith("Correct or unset CONVERGIO_REGISTRY_URL.")
    assert "far" in load_registry()


def test_a_server_that_is_not_there(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERGIO_REGISTRY_URL", "http://127.0.0.1:9/models.json")
    problem = refresh()
    assert problem is not None
    assert "'http://127.0.0.1:9/models.json' cannot be had (" in problem


@pytest.mark.parametrize("url", ["http://example.org/x", "file:///etc/passwd", "x", "ftp://a/b"])
def test_only_https_is_taken(server: Server, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERGIO_REGISTRY_URL", url)
    problem = refresh()
    assert problem is not None
    assert "(only https is taken)" in problem


@pytest.mark.parametrize("kept", [b"", b"[]", b"{", b'{"url": 1}', b"[" * 99_999])
def test_a_damaged_cache_is_as_none(server: Server, kept: bytes) -> None:
    remote.cache_file().parent.mkdir()
    remote.cache_file().write_bytes(kept)
    assert load_registry().problems == ()
    assert refresh() is None
    assert "far" in load_registry()
