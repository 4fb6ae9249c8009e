"""Which calls `tool_choice` leaves, and how a service is told."""

from typing import Any

import pytest

from convergio_mlx import Engine, ToolDefinition
from convergio_mlx.chats.tool_choice import parse_choice
from convergio_mlx.chats.tools import parse_tools
from convergio_mlx.store.locate import guide_folder

TOOLS = parse_tools([ToolDefinition(name, "…") for name in ("a", "b", "c")])
NAMED = [{"type": "function", "function": {"name": name}} for name in ("c", "a", "c")]
FLAT = [{"type": "function", "name": name} for name in ("c", "a")]


@pytest.mark.parametrize(
    ("choice", "mode", "names"),
    [
        ("auto", "auto", ["a", "b", "c"]),
        ("none", "none", ["a", "b", "c"]),
        ("required", "required", ["a", "b", "c"]),
        (NAMED[0], "required", ["c"]),
        (FLAT[0], "required", ["c"]),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": NAMED}},
            "auto",
            ["c", "a"],
        ),
        ({"type": "allowed_tools", "mode": "required", "tools": FLAT}, "required", ["c", "a"]),
    ],
)
def test_it_leaves_these_tools(choice: Any, mode: str, names: list[str]) -> None:
    made = parse_choice(choice, TOOLS)
    assert (made.mode, [tool.name for tool in made.callable]) == (mode, names)
    again = parse_choice(made.openai(), TOOLS)
    assert again == made


@pytest.mark.parametrize("name", ["a", "b"])
def test_no_other_is_called(name: str) -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": name}}]}
    with Engine.load(guide_folder()) as engine:
        answer = engine.stream(
            [{"role": "user", "content": "Call a tool."}],
            tools=[tool.definition for tool in TOOLS],
            tool_choice={"type": "allowed_tools", "allowed_tools": allowed},
            temperature=1,
            seed=1,
            max_tokens=60,
        ).response()
    assert {call.name for call in answer.tool_calls} == {name}
