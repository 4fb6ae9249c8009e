"""Tools whose schemas are too much for a grammar."""

import pytest

import convergio_mlx
from convergio_mlx.chats.argument_rules import json_arguments
from convergio_mlx.chats.events import ToolCallEvent
from convergio_mlx.chats.tool_formats import HERMES
from convergio_mlx.chats.tool_parser import ToolParser
from convergio_mlx.chats.tools import parse_tools
from convergio_mlx.errors import InvalidRequestError

HARD = {
    "name": "book",
    "parameters": {
        "type": "object",
        "properties": {"a": {"not": {"const": 1}}},
        "required": ["a"],
    },
}
EASY = {"name": "look", "parameters": {"type": "object", "properties": {"a": {"const": 2}}}}


def test_where_the_model_decides_the_rest_is_told() -> None:
    hard, easy = parse_tools([HARD, EASY])
    rule, left = json_arguments(hard, "auto")
    assert rule.startswith("%json ")
    assert len(left) == 1
    assert "'book'" in left[0]
    assert "'not'" in left[0]
    assert json_arguments(easy, "auto")[1] == ()


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "book"}}])
def test_where_a_call_is_required_the_error_names_tool_and_place(choice: object) -> None:
    engine = convergio_mlx.Engine.load("convergio-guide")
    with pytest.raises(InvalidRequestError) as error:
        engine.stream([{"role": "user", "content": "a"}], tools=[HARD, EASY], tool_choice=choice)  # type: ignore[arg-type]
    assert "the parameters of 'book'.properties.a has 'not'" in str(error.value)


def test_a_request_with_such_a_tool_is_answered() -> None:
    engine = convergio_mlx.Engine.load("convergio-guide")
    stream = engine.stream([{"role": "user", "content": "a"}], tools=[HARD, EASY], max_tokens=4)
    assert stream.response().finish_reason in ("stop", "length", "tool_calls")


def test_a_call_says_what_it_was_not_held_to() -> None:
    parser = ToolParser(HERMES, ["book"], unenforced={"book": ("a clause",)})
    events = parser.feed('<tool_call>{"name": "book", "arguments": {"a": 1}}</tool_call>')
    assert [e.call.unenforced for e in events if isinstance(e, ToolCallEvent)] == [("a clause",)]
