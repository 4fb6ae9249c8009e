"""docs/clients.md has a row for each call of tests/client_calls, which name all that the clients
have."""

import importlib
import re
import runpy
import sys
from pathlib import Path

import pytest

from client_calls import Calls, served
from client_calls.anthropic_messages import CALLS as ANTHROPIC
from client_calls.openai_others import CALLS as OPENAI

pytestmark = pytest.mark.slow  # importing the clients takes longer than the tests
ROOT = Path(__file__).resolve().parents[2]
LOCAL = {"webhooks", "beta"}
"""Those that ask no server, or have what others have."""
OTHERS = {
    *("admin", "content_provenance_checks", "decisions", "live", "safety"),
    *("organization", "user_profiles"),
}
"""Those that are told of no more than that there is no such path."""


def test_a_server_that_tells_no_address_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, outlived = tmp_path / "program", tmp_path / "outlived"
    program.write_text(
        f"""#!{sys.executable}
import pathlib, sys, time
print("no address", file=sys.stderr, flush=True)
time.sleep(60)
pathlib.Path({str(outlived)!r}).touch()
"""
    )
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(AssertionError, match="no address"), served(tmp_path):
        pass
    assert not outlived.exists()


@pytest.mark.parametrize("calls", [OPENAI, ANTHROPIC], ids=lambda calls: calls.client)
def test_each_call_has_its_row(calls: Calls) -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "make_client_docs.py"))
    table = tool["table"](tool["PAGE"].read_text(encoding="utf-8"), calls.client)
    rows = re.findall(r"^\| `(.*?)` \| (works|refused, \d+) \| \S", table, re.MULTILINE)
    assert [name for name, _ in rows] == [call.shown for call in calls], (
        "docs/clients.md is out of date; run tools/make_client_docs.py"
    )
    assert [kind == "works" for _, kind in rows] == [call.works for call in calls]


@pytest.mark.parametrize(
    ("client", "calls"),
    [("OpenAI", OPENAI), ("Anthropic", ANTHROPIC)],
    ids=["openai", "anthropic"],
)
def test_no_resource_of_the_client_is_left_out(client: str, calls: Calls) -> None:
    made = getattr(importlib.import_module(calls.client), client)
    kept = {name for name in dir(made) if hasattr(getattr(made, name), "attrname")}
    resources = {name for name in kept if not name.startswith("with_")}
    named = " ".join(call.shown for call in calls)
    assert resources - LOCAL - OTHERS - {*re.findall(r"(\w+)\.", named)} == set()
    assert len(resources) > 4
