"""The clients of OpenAI and Anthropic against `convergio-mlx serve` with a real model: each row of
docs/clients.md is what happens."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from client_calls import Call, Calls, row, served
from client_calls.anthropic_messages import CALLS as ANTHROPIC
from client_calls.openai_others import CALLS as OPENAI

PAGE = Path(__file__).resolve().parents[2] / "docs" / "clients.md"


@pytest.fixture(scope="module")
def address(real_home: Path) -> Iterator[str]:
    with served(real_home) as found:
        yield found


@pytest.fixture(scope="module")
def clients(address: str) -> dict[str, tuple[Any, type[Exception]]]:
    import anthropic
    import openai

    given: Any = {"api_key": "any", "max_retries": 0}
    return {
        "openai": (openai.OpenAI(base_url=f"{address}/v1", **given), openai.APIStatusError),
        "anthropic": (
            anthropic.Anthropic(base_url=address, **given),
            anthropic.APIStatusError,
        ),
    }


@pytest.mark.parametrize(
    ("calls", "call"),
    [(calls, call) for calls in (OPENAI, ANTHROPIC) for call in calls],
    ids=lambda given: given.shown if isinstance(given, Call) else given.client,
)
def test_a_row_of_the_page_is_what_happens(
    clients: dict[str, tuple[Any, type[Exception]]], calls: Calls, call: Call
) -> None:
    found = row(call, *clients[calls.client])
    assert found in PAGE.read_text(encoding="utf-8"), (
        f"docs/clients.md is out of date; run tools/make_client_docs.py\n{found}"
    )
