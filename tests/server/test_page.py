"""The page for chat: its files and their headers, and who gets them."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.server import ServerSettings, page, serving

KEY = "right-key"
FOLDER = Path(str(files(page)))


def test_every_file_of_the_folder_is_served_as_what_it_is(http: httpx.Client) -> None:
    names = {path.name for path in FOLDER.iterdir()} - {"__init__.py", "__pycache__", "index.html"}
    assert {"/", *(f"/page/{name}" for name in names)} == page.ENDPOINTS.keys()
    kinds = {
        "html": "text/html",
        "css": "text/css",
        "js": "text/javascript",
        "svg": "image/svg+xml",
    }
    for path in page.ENDPOINTS:
        name = path.rpartition("/")[2] or "index.html"
        answer = http.get(path)
        assert answer.content == (FOLDER / name).read_bytes()
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind == kinds[name.rpartition(".")[2]]


@pytest.mark.parametrize("path", page.ENDPOINTS)
def test_headers_let_it_reach_this_server_alone(http: httpx.Client, path: str) -> None:
    headers = http.get(path).headers
    rules = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert rules["default-src"] == "'none'"
    for kind in ("script-src", "style-src", "img-src", "connect-src"):
        assert rules[kind] == "'self'"
    for kind in ("base-uri", "form-action", "frame-ancestors", "trusted-types"):
        assert rules[kind] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"


def test_it_names_nothing_from_elsewhere() -> None:
    texts = {path.name: path.read_text() for path in FOLDER.iterdir() if path.is_file()}
    for name, text in texts.items():
        found = set(re.findall(r"https?://[^\s\"'<>)]+", text)) - {"http://www.w3.org/2000/svg"}
        assert found == set(), name
    html = texts["index.html"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html)


def test_what_a_browser_has_is_not_sent_again(http: httpx.Client) -> None:
    first = http.get("/")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = http.get("/", headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    assert http.get("/", headers={"if-none-match": '"other"'}).status_code == 200


def test_heads_and_what_is_not_there(http: httpx.Client) -> None:
    head, whole = http.head("/"), http.get("/")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    wrong = http.post("/")
    assert wrong.status_code == 405
    assert set(wrong.headers["allow"].split(", ")) == {"GET", "HEAD"}
    for path in ("/page/", "/page/none.js", "/page/__init__.py", "/page/../app.py", "/index.html"):
        lost = http.get(path)
        assert (lost.status_code, lost.json()["error"]["code"]) == (404, "not_found")


def test_the_page_needs_no_key_and_asks_from_where_it_is(provider: MlxProvider) -> None:
    with serving(provider, ServerSettings(port=0, api_key=KEY)) as server:
        for path in page.ENDPOINTS:
            assert httpx.get(server.url + path).status_code == 200
            assert KEY not in httpx.get(server.url + path).text
        models = f"{server.url}/v1/models"
        given = {"authorization": f"Bearer {KEY}"}
        assert httpx.get(models).status_code == 401
        assert httpx.get(models, headers={**given, "origin": server.url}).status_code == 200
        other = {**given, "origin": server.url.replace("127.0.0.1", "127.0.0.2")}
        assert httpx.get(models, headers=other).status_code == 403
