"""What programs do with the clients of OpenAI and Anthropic, and what becomes of it here: the rows
of docs/clients.md."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODEL = "smollm2-135m"
GREEDY: dict[str, Any] = {"model": MODEL, "temperature": 0}


@dataclass(frozen=True)
class Call:
    """One of these, which works or is refused."""

    shown: str
    """As a program has it."""
    works: bool
    held: str
    """What `run` asserts, in words."""
    run: Callable[[Any], object]
    """Takes the client; raises where what is held does not hold."""


class Calls(list[Call]):
    """The calls of one client, in the order of the page."""

    def __init__(self, client: str) -> None:
        """Takes its name."""
        super().__init__()
        self.client = client

    def works(self, shown: str) -> Callable[[Callable[[Any], object]], object]:
        """A call with an answer; the function's docstring says what of it is held."""

        def add(run: Callable[[Any], object]) -> object:
            self.append(Call(shown, True, " ".join((run.__doc__ or "").split()).rstrip("."), run))
            return run

        return add

    def refused(self, shown: str, run: Callable[[Any], object]) -> None:
        """A call that a sentence refuses."""
        self.append(Call(shown, False, "", run))


def row(call: Call, client: Any, error: type[Exception]) -> str:
    """A row of the table, of what happens now.

    Args:
        call: what is tried.
        client: of the server.
        error: what the client raises where it is refused.

    Raises:
        AssertionError: what works does not hold, or what is refused is answered.
    """
    try:
        call.run(client)
    except error as refusal:
        told: Any = refusal
        if call.works:
            raise AssertionError(f"{call.shown} is refused: {refusal}") from refusal
        sentence = told.body.get("error", told.body)["message"]
        assert re.fullmatch(r"\[[a-z_]+\] .*\.", sentence, re.DOTALL), sentence
        return f"| `{call.shown}` | refused, {told.status_code} | {_cell(sentence)} |\n"
    assert call.works, f"{call.shown} is answered"
    return f"| `{call.shown}` | works | {_cell(call.held)} |\n"


def _cell(text: str) -> str:
    """On one line, without bars that a table would take for its own, with no markup but code."""
    parts = " ".join(text.replace("|", "/").split()).split("`")
    parts[::2] = [re.sub(r"([<_*])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


@contextlib.contextmanager
def served(home: Path) -> Iterator[str]:
    """The address of `convergio-mlx serve` with the model, which is installed in this home."""
    environment = {**os.environ, "CONVERGIO_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "convergio_mlx", "serve", "--port", "0", "--model", MODEL]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stderr is not None
        try:
            said = server.stderr.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", said)
            assert found is not None, said
            yield found[0]
        finally:
            server.terminate()
