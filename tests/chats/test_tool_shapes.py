"""Tools in the shapes that hosts have them in, and any JSON in their place."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convergio_mlx.chats.request import ChatRequest
from convergio_mlx.chats.tools import ToolDefinition, parse_tools
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.text.chat_template import ChatTemplate
from exhaustive import either

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WHOLE = {
    "type": "function",
    "function": {"name": "f", "description": "Does f.", "parameters": SCHEMA},
}
SHAPES: dict[str, Any] = {
    "OpenAI, chat completions": WHOLE,
    "without a type": {"function": WHOLE["function"]},
    "OpenAI, responses": {"type": "function", **WHOLE["function"]},  # type: ignore[dict-item]
    "the function alone": WHOLE["function"],
    "MCP": {
        "name": "f",
        "title": "F",
        "description": "Does f.",
        "inputSchema": SCHEMA,
        "annotations": {"readOnlyHint": True},
    },
    "Anthropic": {"name": "f", "description": "Does f.", "input_schema": SCHEMA, "type": "custom"},
    "a ToolDefinition": ToolDefinition("f", "Does f.", SCHEMA),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_tool_of_any_shape_is_openai_s(shape: str) -> None:
    (tool,) = parse_tools([SHAPES[shape]])
    assert tool.definition == WHOLE
    assert tool.parameters == SCHEMA


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"name": "f", "paramters": SCHEMA},
        "tools[0] has the field 'paramters', which no tool has; give description, name, "
        "parameters, response, return, strict, type.",
    ),
    (
        {"type": "function", "function": {"name": "f", "input_schema": {}}},
        "tools[0]['function'] has the field 'input_schema', which no tool has; give description, "
        "name, parameters, response, return, strict.",
    ),
    (
        {"name": "f", "inputSchema": {}, "parameters": {}},
        "tools[0] has both 'parameters' and 'inputSchema'; give one of them.",
    ),
    (
        {"type": "web_search", "name": "f"},
        "tools[0] is of type 'web_search'; give functions, of type 'function'.",
    ),
]


@pytest.mark.parametrize(("tool", "sentence"), REFUSED)
def test_a_field_that_no_tool_has_is_refused(tool: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRequestError) as error:
        parse_tools([tool])
    assert str(error.value) == f"[tools] {sentence}"


def test_half_of_a_surrogate_pair_is_refused_wherever_it_is() -> None:
    places: list[Any] = [
        [{"role": "user", "content": "a\ud800"}],
        [{"role": "user", "content": [{"type": "text", "text": "\udfff"}]}],
        [{"role": "\ud800", "content": "a"}],
        [{"role": "user", "content": "a", "name": {"\ud800": 1}}],
        [{"role": "tool", "content": {"a": ["\ud800"]}}],
    ]
    for messages in places:
        with pytest.raises(InvalidRequestError, match="half of a surrogate pair"):
            ChatRequest.of("chat", messages)
    with pytest.raises(InvalidRequestError) as error:
        parse_tools([{"name": "f", "description": "é\ud83d"}])
    assert str(error.value) == (
        "[messages] tools[0]['description'] has half of a surrogate pair ('\\ud83d') at character "
        "1; give text that can be written as UTF-8."
    )


def test_a_number_beyond_measure_is_refused() -> None:
    with pytest.raises(InvalidRequestError) as error:
        parse_tools([{"name": "f", "parameters": {"maximum": 10**5000}}])
    assert str(error.value) == (
        "[messages] tools[0]['parameters']['maximum'] is a number of 16610 bits; give 1024 at most."
    )


KEYS = (
    *("role", "content", "tool_calls", "function", "name", "arguments", "type", "id", "text"),
    *("parameters", "tool_call_id", "reasoning_content", "input_schema", "\ud800", "other"),
)
keys = st.sampled_from(KEYS)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["user", "assistant", "tool", "system", "function", "text", "f", "{}"])
    | st.text(st.characters(categories=["L", "Cs"]), max_size=3)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
TEMPLATE = (
    "{% for m in messages %}{{ m.role }}{{ m.content }}{% for c in m.tool_calls or [] %}"
    "{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}{{ tools }}"
)
OPTIONS = ("tool_choice", "parallel_tool_calls", "chat_template_kwargs", "allow_lost_messages")


def holds(messages: Any, tools: Any, options: Any) -> None:
    """Whatever JSON is given, it is rendered or an InvalidRequestError says what is wrong."""
    with contextlib.suppress(InvalidRequestError):
        request = ChatRequest.of("chat", messages, None, tools, options)
        definitions = [tool.definition for tool in request.tools] or None
        ChatTemplate(TEMPLATE, trusted=True).render(
            request.messages, definitions, chat_template_kwargs=request.chat_template_kwargs
        ).encode()


turn = st.dictionaries(keys, values, min_size=1, max_size=5) | values
options = st.dictionaries(st.sampled_from(OPTIONS), values, max_size=2)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(turn, max_size=3) | values, st.lists(turn, max_size=2) | values, options)
def test_any_json_is_rendered_or_refused(messages: Any, tools: Any, given_options: Any) -> None:
    holds(messages, tools, given_options)


@pytest.mark.slow
@settings(max_examples=either(1_000, 30_000), deadline=None)
@given(st.lists(turn, max_size=3) | values, st.lists(turn, max_size=2) | values, options)
def test_much_json_is_rendered_or_refused(messages: Any, tools: Any, given_options: Any) -> None:
    holds(messages, tools, given_options)


def test_definitions_are_plain_json() -> None:
    for shape in SHAPES.values():
        json.dumps([tool.definition for tool in parse_tools([shape])])
