"""Conversations in OpenAI's message shape: checked, and made of plain data for a template."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from convergio_mlx.errors import InvalidRequestError

Message = dict[str, Any]

_MAX_BITS = 1 << 10
"""Of a number in messages and tools: as large as a float may be."""
_REASONING = ("reasoning_content", "thinking", "reasoning")
"""The names that hosts give an answer's reasoning; templates read the first or the second."""


def _refuse(where: str, what: str, remedy: str) -> NoReturn:
    raise InvalidRequestError(f"[messages] {where} {what}; {remedy}.")


def plain(value: Any, where: str) -> Any:
    """A copy of a value in JSON's types alone, so that a template meets no object's methods.

    Raises:
        InvalidRequestError: something in it has no such form.
    """
    try:
        return _plain(value, where)
    except RecursionError:
        _refuse(where, "is nested too deeply", "give fewer levels")


def _plain(value: Any, where: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, int | float):
        return _number(value, where)
    if isinstance(value, Mapping):
        if odd := [key for key in value if not isinstance(key, str)]:
            _refuse(where, f"has the key {odd[0]!r}", "keys must be texts")
        return {
            _text(key, f"a key of {where}"): _plain(item, f"{where}[{key!r}]")
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    return _refuse(where, f"is of type {type(value).__name__}", "give JSON's types")


def _number(value: int | float, where: str) -> int | float:
    if isinstance(value, float):
        return float(value)
    if value.bit_length() > _MAX_BITS:
        _refuse(where, f"is a number of {value.bit_length()} bits", f"give {_MAX_BITS} at most")
    return int(value)


def _text(value: str, where: str) -> str:
    """The same text as a plain `str`, of characters that can be written as UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        half = value[error.start]
        _refuse(
            where,
            f"has half of a surrogate pair ({half!r}) at character {error.start}",
            "give text that can be written as UTF-8",
        )
    return str(value)


def checked(messages: Any) -> list[Message]:
    """A plain copy of a conversation, without fields that are None.

    Args:
        messages: dicts with `role`, and `content`: a text, a list of text parts
            (`{"type": "text", "text": …}`), or nothing beside `tool_calls` or reasoning. Other
            fields are kept for the template.

    Raises:
        InvalidRequestError: it says which message is not of that shape, and how.
    """
    if not isinstance(messages, list | tuple):
        _refuse("messages", f"is of type {type(messages).__name__}", "give a list of messages")
    if not messages:
        _refuse("messages", "is empty", "give at least one message")
    return [_message(item, f"messages[{index}]") for index, item in enumerate(messages)]


def _message(item: Any, where: str) -> Message:
    if not isinstance(item, Mapping):
        _refuse(where, f"is of type {type(item).__name__}", "give a dict with 'role' and 'content'")
    message = {key: value for key, value in plain(item, where).items() if value is not None}
    role = message.get("role")
    if not isinstance(role, str) or not role:
        _refuse(where, f"has the role {role!r}", "give 'system', 'user', 'assistant' or 'tool'")
    if role == "tool" and "content" in item:
        message["content"] = _result(message.get("content"))
    reasoning = next((message[key] for key in _REASONING if key in message), None)
    if reasoning is not None:
        message = {"thinking": reasoning, **message, "reasoning_content": reasoning}
    _check_content(message, where)
    _check_tool_calls(message, where)
    return message


def _result(content: Any) -> Any:
    """A tool's result: a text or text parts as they are, any other value as JSON."""
    is_parts = isinstance(content, list) and any(
        isinstance(part, dict) and "type" in part for part in content
    )
    if isinstance(content, str) or is_parts:
        return content
    return json.dumps(content, ensure_ascii=False)


def _check_content(message: Message, where: str) -> None:
    content = message.get("content")
    if content is None:
        if not message.get("tool_calls") and "reasoning_content" not in message:
            _refuse(where, "has neither 'content' nor 'tool_calls'", "give one of them")
        return
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        form = type(content).__name__
        _refuse(f"{where}.content", f"is of type {form}", "give a text or a list of text parts")
    for index, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind != "text" or not isinstance(part.get("text"), str):
            _refuse(
                f"{where}.content[{index}]",
                f"is of type {kind!r}",
                "this package reads text: give {'type': 'text', 'text': '…'}",
            )


def _check_tool_calls(message: Message, where: str) -> None:
    calls = message.get("tool_calls", [])
    if not isinstance(calls, list):
        _refuse(
            f"{where}.tool_calls", f"is of type {type(calls).__name__}", "give a list of tool calls"
        )
    for index, call in enumerate(calls):
        at = f"{where}.tool_calls[{index}]"
        function = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            _refuse(at, "has no function name", "give {'function': {'name': …, 'arguments': …}}")
        arguments = function.get("arguments", {})
        if not isinstance(arguments, str | dict):
            kind = type(arguments).__name__
            _refuse(f"{at} arguments", f"are a {kind}", "give an object, or its JSON as a text")


def checked_tools(tools: Any) -> list[dict[str, Any]] | None:
    """A plain copy of tool definitions, None for none.

    Raises:
        InvalidRequestError: a definition is not a dict with a function's name.
    """
    if tools is None:
        return None
    if not isinstance(tools, list | tuple):
        _refuse("tools", f"is of type {type(tools).__name__}", "give a list of tool definitions")
    for index, tool in enumerate(tools):
        function = tool.get("function", tool) if isinstance(tool, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            _refuse(
                f"tools[{index}]",
                "has no function name",
                "give {'type': 'function', 'function': {'name': …, 'parameters': …}}",
            )
    return [plain(tool, f"tools[{index}]") for index, tool in enumerate(tools)]


def join_parts(messages: Sequence[Message]) -> None:
    """Replaces every list of text parts by their text, for templates that know only texts."""
    for message in messages:
        if isinstance(message.get("content"), list):
            message["content"] = "".join(part["text"] for part in message["content"])


def convert_arguments(
    messages: Sequence[Message], convert: Callable[[str | dict[str, Any]], Any]
) -> None:
    """Replaces the arguments of every tool call by what `convert` makes of them."""
    for message in messages:
        for call in message.get("tool_calls", []):
            function = call.get("function", call)
            if "arguments" in function:
                function["arguments"] = convert(function["arguments"])


def arguments_object(arguments: str | dict[str, Any]) -> Any:
    """Arguments as an object; a text that is no JSON object stays as it is."""
    if isinstance(arguments, str):
        try:
            value = json.loads(arguments)
        except (ValueError, RecursionError):
            return arguments
        return value if isinstance(value, dict) else arguments
    return arguments


def arguments_text(arguments: str | dict[str, Any]) -> str:
    """Arguments as JSON, which is how OpenAI's API writes them."""
    if isinstance(arguments, str):
        return arguments
    return json.dumps(arguments, ensure_ascii=False)


def as_text(message: Mapping[str, Any]) -> str:
    """All that a message says, its calls included, as one text."""
    content = message.get("content") or ""
    if not isinstance(content, str):
        content = "".join(part.get("text", "") for part in content)
    calls = message.get("tool_calls") or []
    written = [json.dumps(call.get("function", call), ensure_ascii=False) for call in calls]
    return "\n".join(part for part in (content, *written) if part)
