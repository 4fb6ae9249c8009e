"""The list of models: whole, and in the pages that Anthropic's clients ask for."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.scripted import scripted_model
from convergio_mlx.platform.home import models_folder
from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.server import ServerSettings, make_app

NAMES = ("a", "b", "c", "d", "e")


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlxProvider]:
    monkeypatch.setenv("CONVERGIO_HOME", str(tmp_path))
    for name in NAMES:
        scripted_model(models_folder() / name, ["It is ", "that."])
    with MlxProvider() as made:
        yield made


def ask(provider: MlxProvider, query: str, models: tuple[str, ...] = NAMES) -> httpx.Response:
    async def run() -> httpx.Response:
        app = make_app(provider, ServerSettings(models=models))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(f"/v1/models{query}")

    return asyncio.run(run())


def page(provider: MlxProvider, query: str) -> tuple[str, bool]:
    """The ids of a page, and whether there are more; its ends are those of the ids."""
    answer = ask(provider, query)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    ids = [model["id"] for model in told["data"]]
    assert (told["first_id"], told["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))
    return "".join(ids), told["has_more"]


def test_without_a_limit_all_are_there(provider: MlxProvider) -> None:
    assert page(provider, "") == page(provider, "?beta=true") == ("abcde", False)


@pytest.mark.parametrize(
    ("query", "ids", "has_more"),
    [
        ("?limit=2", "ab", True),
        ("?limit=2&after_id=b", "cd", True),
        ("?limit=2&after_id=c", "de", False),
        ("?limit=2&after_id=e", "", False),
        ("?after_id=b", "cde", False),
        ("?limit=2&before_id=e", "cd", True),
        ("?limit=2&before_id=c", "ab", False),
        ("?limit=2&before_id=a", "", False),
        ("?before_id=c", "ab", False),
        ("?limit=1000", "abcde", False),
    ],
)
def test_a_page_is_next_to_the_model_that_is_named(
    provider: MlxProvider, query: str, ids: str, has_more: bool
) -> None:
    assert page(provider, query) == (ids, has_more)


def test_a_list_of_none_has_no_ends(provider: MlxProvider) -> None:
    told = ask(provider, "?limit=1", ("no-such",)).json()
    ends: dict[str, Any] = {"first_id": None, "last_id": None}
    assert told == {"object": "list", "data": [], "has_more": False, **ends}


@pytest.mark.parametrize(
    ("query", "message", "param"),
    [
        ("?limit=0", "limit is 0; give a whole number from 1 to 1000.", "limit"),
        ("?limit=1001", "limit is 1001; give a whole number from 1 to 1000.", "limit"),
        ("?limit=two", 'limit is "two"; give a whole number from 1 to 1000.', "limit"),
        ("?limit=", 'limit is ""; give a whole number from 1 to 1000.', "limit"),
        ("?limit=1&limit=2", "'limit' is given 2 times; give it once.", "limit"),
        (
            "?after_id=x",
            "after_id is 'x', which is none of the models; give an id of the list.",
            "after_id",
        ),
        (
            "?before_id=",
            "before_id is '', which is none of the models; give an id of the list.",
            "before_id",
        ),
        (
            "?after_id=a&before_id=c",
            "after_id and before_id are both given; give one.",
            "before_id",
        ),
        ("?beta=no", 'beta is "no"; Anthropic\'s clients send true; leave it out.', "beta"),
        ("?lifecycle=active", "there is no field 'lifecycle' here; leave it out.", "lifecycle"),
    ],
)
def test_what_is_wrong_with_the_query_is_told(
    provider: MlxProvider, query: str, message: str, param: str
) -> None:
    answer = ask(provider, query)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["message"], error["param"]) == (f"[server] {message}", param)
    assert error["type"] == "invalid_request_error"
