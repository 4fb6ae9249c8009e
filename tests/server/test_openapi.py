"""The description of the interfaces: what it says is taken is what is read, and what it says of
answers is so."""

import asyncio
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.server import ServerSettings, app, body, make_app, serving
from convergio_mlx.server.openapi import description
from convergio_mlx.server.request_schemas import PASSED, requests
from exhaustive import EXHAUSTIVE, either

ROOT = Path(__file__).resolve().parents[2]
GUIDE = "convergio-guide"
ASKED: Any = [{"role": "user", "content": "hi"}]
SMALLEST: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": ASKED, "max_tokens": 2},
    "/v1/completions": {"prompt": "hi", "max_tokens": 2},
    "/v1/responses": {"input": "hi", "max_output_tokens": 2},
    "/v1/messages": {"messages": ASKED, "max_tokens": 2},
    "/v1/messages/count_tokens": {"messages": ASKED},
    "/api/chat": {"messages": ASKED, "options": {"num_predict": 2}, "stream": False},
}
NESTED: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"stream_options": {}},
    "/v1/completions": {"stream_options": {}},
    "/v1/responses": {"stream_options": {}, "text": {}, "reasoning": {}},
    "/v1/messages": {"output_config": {}},
    "/v1/messages/count_tokens": {"output_config": {}},
    "/api/chat": {"options": {"num_predict": 2}},
}
"""Objects whose fields are closed, so that they are read."""


@pytest.mark.parametrize("path", SMALLEST)
def test_the_fields_that_it_names_are_those_that_are_read(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    read: dict[str, set[str]] = {}
    passed: set[str] = set()

    def noting(way: str) -> Callable[..., Any]:
        real = getattr(body.Fields, way)

        def noted(self: Any, names: Any, *given: Any, **named: Any) -> Any:
            found = read.setdefault(self._where, set())
            found |= {names} if isinstance(names, str) else {*names}
            if way == "drop":
                passed.update(names)
            return real(self, names, *given, **named)

        return noted

    ways = ("take", "text", "flag", "whole", "items", "fields", "several", "drop", "only")
    patched = {way: noting(way) for way in ways}
    for way, one in patched.items():
        monkeypatch.setattr(body.Fields, way, one)
    asked = {"model": GUIDE, **SMALLEST[path], **NESTED[path]}
    answer = http.post(path, json=asked)
    assert answer.status_code == 200, answer.text
    described = requests()[path]["properties"]
    assert set(described) == read[""]
    for name in NESTED[path]:
        inner = described[name]["anyOf"][0]["properties"]
        assert set(inner) == read[name], name
    told = {name for name, schema in described.items() if schema is PASSED}
    assert told == passed & set(described)


def test_each_path_of_the_interfaces_is_described(provider: MlxProvider) -> None:
    found = description([GUIDE], has_key=False)["paths"]
    served = {path for path in (*app._GET, *app._POST) if not path.startswith("/page")} - {"/"}
    assert {path.replace("{id:path}", "{id}") for path in served} == set(found)
    for path, operations in found.items():
        assert [*operations] == (["post"] if path in app._POST else ["get"])


def test_it_is_served_with_the_models_and_behind_the_key(provider: MlxProvider) -> None:
    async def run() -> tuple[httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(make_app(provider, ServerSettings(api_key="right-key")))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            key = {"x-api-key": "right-key"}
            return await client.get("/openapi.json"), await client.get("/openapi.json", headers=key)

    without, found = asyncio.run(run())
    assert without.status_code == 401
    told = found.json()
    assert told["openapi"] == "3.1.0"
    assert told["security"] == [{"bearer": []}, {"header": []}]
    content = told["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]
    schema = content["application/json"]["schema"]
    assert GUIDE in schema["properties"]["model"]["enum"]
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", SMALLEST)
def test_a_whole_answer_is_what_it_says(http: httpx.Client, path: str) -> None:
    described = http.get("/openapi.json").json()["paths"][path]["post"]
    answers = described["responses"]
    asked = {"model": GUIDE, **SMALLEST[path]}
    jsonschema.validate(asked, requests()[path])
    whole = http.post(path, json=asked).json()
    jsonschema.validate(whole, answers["200"]["content"]["application/json"]["schema"])
    refused = http.post(path, json={**asked, "no_such_field": 1})
    assert refused.status_code == 400
    jsonschema.validate(refused.json(), answers["400"]["content"]["application/json"]["schema"])


CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_schema_conformance", "negative_data_rejection", "unsupported_method"),
)
"""Of Schemathesis; that all bodies which fit are answered is none of them, since a model refuses
some for what they mean."""


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(find_spec("schemathesis") is None, reason="schemathesis is not installed")
def test_schemathesis_finds_nothing(provider: MlxProvider, tmp_path: Path) -> None:
    """In a run of the suite drawn requests alone; to go through each keyword of the schemas, and
    each method, takes many minutes."""
    phases = ["--phases=fuzzing"] if not EXHAUSTIVE else []
    options = [
        *phases,
        f"--max-examples={either(4, 5)}",
        "--seed=1",
        f"--checks={','.join(CHECKS)}",
    ]
    with serving(provider, ServerSettings(port=0, request_seconds=5)) as server:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"]
        done = subprocess.run(
            [*command, *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=either(600, 3000),
            check=False,
        )
    assert done.returncode == 0, done.stdout[-8000:]


def test_the_table_of_fields_is_up_to_date() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "make_server_docs.py"))
    page = tool["PAGE"].read_text()
    assert page == tool["with_table"](page), (
        "docs/server.md is out of date; run tools/make_server_docs.py"
    )


def test_the_page_names_each_path_that_there_is() -> None:
    page = (ROOT / "docs" / "server.md").read_text()
    served = [("GET", path) for path in app._GET if not path.startswith("/page")]
    served += [("POST", path) for path in app._POST]
    rows = re.findall(r"^\| `(?:GET|POST) .*", page, re.MULTILINE)
    told = {path for row in rows for path in re.findall(r"`(?:GET |POST )?(/[^`]*)`", row)}
    assert told == {path.replace("{id:path}", "{id}") for _, path in served}


def test_it_is_one_json_of_ascii(http: httpx.Client) -> None:
    found = http.get("/openapi.json")
    assert found.headers["content-type"] == "application/json"
    assert json.loads(found.content)["info"]["title"] == "convergio-mlx"
