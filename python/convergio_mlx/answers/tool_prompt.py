"""Tools in a conversation: through the chat template's own place for them, or else in words.

A template has a place for tools where a tool's name shows up in what it renders; the same for calls
and results of earlier turns. What it has no place for is written into the messages: the tools into
the system message, by `default_prompt`; calls into the assistant's text, in the model's notation;
results into a user message, between `<tool_response>` marks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from convergio_mlx.answers.tool_calls import Tool, ToolCall
from convergio_mlx.answers.tool_formats import ToolFormat, format_of
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.text import messages as conversation
from convergio_mlx.text.chat_template import ChatTemplate
from convergio_mlx.text.tokenizer import Tokenizer

_NAME = "probe0f1e2d"
_RESULT = "result0f1e2d"
_USER: conversation.Message = {"role": "user", "content": "?"}
_CALL = ToolCall("call00000", _NAME, "{}")
_CALLING: conversation.Message = {"role": "assistant", "tool_calls": [_CALL.message()]}
_ANSWERING: conversation.Message = {"role": "tool", "tool_call_id": _CALL.id, "content": _RESULT}
_CALLED = [_USER, _CALLING, _ANSWERING]
_DEFINITION = {
    "type": "function",
    "function": {
        "name": _NAME,
        "description": "",
        "parameters": {"type": "object", "properties": {}},
    },
}


def default_prompt(tools: Sequence[Tool], notation: ToolFormat) -> str:
    """What tells a model of its tools where its chat template does not."""
    lines = [json.dumps(tool.definition["function"], ensure_ascii=False) for tool in tools]
    example = notation.write([ToolCall("", "<name>", '{"<argument>": <value>}')])
    return (
        "You may call these tools, each described by a line of JSON:\n"
        + "\n".join(lines)
        + "\nTo call one, answer with its name and arguments exactly so:\n"
        + example
    )


def notation_of(tokenizer: Tokenizer) -> ToolFormat:
    """How a model writes calls, spaced as its template does."""
    return _fitted(tokenizer.chat_template(tools=True), format_of(tokenizer))


@lru_cache(maxsize=32)
def _fitted(chat: ChatTemplate, notation: ToolFormat) -> ToolFormat:
    return notation.fitted(_rendered(chat, _CALLED, None), _NAME)


def place(
    chat: ChatTemplate,
    messages: Any,
    tools: Sequence[Tool],
    notation: ToolFormat,
) -> tuple[list[conversation.Message], list[dict[str, Any]] | None]:
    """The messages and tools to render `chat` with.

    Raises:
        InvalidRequestError: the messages are not of OpenAI's shape.
    """
    placed = conversation.checked(messages)
    if any(_is_of_tools(message) for message in placed) and not _writes_calls(chat):
        placed = _in_words(placed, notation)
    if not tools:
        return placed, None
    if _has_place(chat):
        return placed, [tool.definition for tool in tools]
    return _told(chat, placed, default_prompt(tools, notation)), None


def _is_of_tools(message: conversation.Message) -> bool:
    return message["role"] == "tool" or bool(message.get("tool_calls"))


@lru_cache(maxsize=32)
def _has_place(chat: ChatTemplate) -> bool:
    return _NAME in _rendered(chat, [_USER], [_DEFINITION])


@lru_cache(maxsize=32)
def _writes_calls(chat: ChatTemplate) -> bool:
    text = _rendered(chat, _CALLED, None)
    return _NAME in text and _RESULT in text


@lru_cache(maxsize=32)
def _has_system(chat: ChatTemplate) -> bool:
    return _NAME in _rendered(chat, [{"role": "system", "content": _NAME}, _USER], None)


def _rendered(
    chat: ChatTemplate,
    messages: list[conversation.Message],
    tools: list[dict[str, Any]] | None,
) -> str:
    try:
        return chat.render(messages, tools)
    except InvalidRequestError:
        return ""


def _told(
    chat: ChatTemplate, messages: list[conversation.Message], prompt: str
) -> list[conversation.Message]:
    """Puts the prompt into the system message, or into the first one where there can be none."""
    if messages[0]["role"] != "system" and _has_system(chat):
        return [{"role": "system", "content": prompt}, *messages]
    first = dict(messages[0])
    content = first.get("content") or ""
    if isinstance(content, list):
        first["content"] = [*content, {"type": "text", "text": "\n\n" + prompt}]
    else:
        first["content"] = f"{content}\n\n{prompt}" if content else prompt
    return [first, *messages[1:]]


def _in_words(
    messages: list[conversation.Message], notation: ToolFormat
) -> list[conversation.Message]:
    """Calls as the assistant's text, and results as user messages."""
    out: list[conversation.Message] = []
    previous = ""
    for message in messages:
        role = message["role"]
        if role == "tool":
            text = f"<tool_response>\n{_text(message)}\n</tool_response>"
            if previous == "tool":
                out[-1]["content"] += f"\n{text}"
            else:
                out.append({"role": "user", "content": text})
        elif message.get("tool_calls"):
            kept = {key: value for key, value in message.items() if key != "tool_calls"}
            calls = notation.write([_call(entry) for entry in message["tool_calls"]])
            said = _text(message)
            out.append({**kept, "content": f"{said}\n{calls}" if said else calls})
        else:
            out.append(message)
        previous = role
    return out


def _text(message: conversation.Message) -> str:
    content = message.get("content") or ""
    if isinstance(content, list):
        return "".join(part["text"] for part in content)
    return str(content)


def _call(entry: dict[str, Any]) -> ToolCall:
    function = entry.get("function", entry)
    arguments = conversation.arguments_text(function.get("arguments", {}))
    return ToolCall(str(entry.get("id", "")), function["name"], arguments)
