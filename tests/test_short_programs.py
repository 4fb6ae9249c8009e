"""The programs of docs/short-programs.md are as short as they may be, and run."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "short-programs.md").read_text()
MOST_LINES = {
    "Chat": 3,
    "Stream": 4,
    "A value of a type": 6,
    "Tools that are run": 8,
    "An endpoint of FastAPI": 12,
    "LangChain": 3,
}
PROGRAMS = dict(
    re.findall(
        r"^## (.*)\n(?:(?!^## )(?!```).*\n)*```py(?:thon)?\n((?:(?!```).*\n)*)", PAGE, re.MULTILINE
    )
)


def test_each_is_as_short_as_it_may_be() -> None:
    counts = {
        title: sum(bool(line.strip()) for line in code.splitlines())
        for title, code in PROGRAMS.items()
    }
    assert counts.keys() == MOST_LINES.keys()
    assert {title: n for title, n in counts.items() if n > MOST_LINES[title]} == {}


@pytest.mark.slow
def test_that_of_langchain_runs() -> None:
    pytest.importorskip("langchain_convergio_mlx")
    command = [sys.executable, "-c", PROGRAMS["LangChain"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, bool(done.stdout.strip())) == (0, True), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("leaves", [False, True])
def test_that_of_fastapi_answers_and_ends_where_the_client_leaves(leaves: bool) -> None:
    pytest.importorskip("fastapi")
    names: dict[str, Any] = {}
    exec(PROGRAMS["An endpoint of FastAPI"], names)
    pieces: list[bytes] = []
    left = asyncio.Event()

    async def receive() -> Any:
        if leaves or not pieces:
            await left.wait()
        else:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            pieces.append(message["body"])
            if leaves:
                left.set()
                await asyncio.Event().wait()  # as for a socket that nobody reads

    scope = {
        **{"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET"},
        **{"path": "/", "raw_path": b"/", "query_string": b"question=What+are+you%3F"},
        **{"headers": [(b"host", b"localhost")], "root_path": "", "scheme": "http"},
    }
    asyncio.run(asyncio.wait_for(names["app"](scope, receive, send), 60))
    said = b"".join(pieces).decode()
    if leaves:
        assert pieces[-1] != b""  # it did not come to its end
    else:
        assert pieces[-1] == b""
        assert said.startswith("I am convergio-guide")
