"""Tools in a conversation: through the chat template's own place for them, or else in words.

A template has a place for tools where a tool's name shows up in what it renders; the same for calls
and results of earlier turns. What it has no place for is written into the messages: the tools into
the system message, by `default_prompt`; calls into the assistant's text, in the model's tool-call
format; results into a user message, between `<tool_response>` marks. So is all of it where the
template writes calls in a format that is not in the table: the model is then told to write
Hermes'.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from convergio_mlx.chats.argument_syntax import EXAMPLE
from convergio_mlx.chats.channels import KNOWN, ChannelSplitter
from convergio_mlx.chats.event_parser import EventParser
from convergio_mlx.chats.events import ToolCallEvent
from convergio_mlx.chats.tool_format import ToolFormat
from convergio_mlx.chats.tool_formats import FORMATS, HERMES, formats_of
from convergio_mlx.chats.tool_parser import ToolParser
from convergio_mlx.chats.tools import Tool, ToolCall
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
_BARE = {
    "type": "function",
    "function": {
        "name": _NAME,
        "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
    },
}
_ODD = ToolCall(f"functions.{_NAME}:0", _NAME, '{"q": "a b", "n": 2}')
_ODD_SCHEMA = {
    "type": "object",
    "properties": {"q": {"type": "string"}, "n": {"type": "integer"}},
}
_DEFINITION = {
    "type": "function",
    "function": {
        "name": _NAME,
        "description": "",
        "parameters": {"type": "object", "properties": {}},
    },
}


def default_prompt(tools: Sequence[Tool], tool_format: ToolFormat) -> str:
    """What tells a model of its tools where its chat template does not."""
    lines = [json.dumps(tool.definition["function"], ensure_ascii=False) for tool in tools]
    example = tool_format.write([ToolCall("", "<name>", EXAMPLE)])
    return (
        "You may call these tools, each described by a line of JSON:\n"
        + "\n".join(lines)
        + "\nTo call one, answer with its name and arguments exactly so:\n"
        + example
    )


def format_for(tokenizer: Tokenizer) -> ToolFormat:
    """How a model writes calls, spaced as its template does."""
    return _fitted(tokenizer.chat_template(tools=True), formats_of(tokenizer))


@lru_cache(maxsize=32)
def _fitted(chat: ChatTemplate, formats: tuple[ToolFormat, ...]) -> ToolFormat:
    """Of the formats the one that the template writes calls in, to the letter if that may be; any
    that reads them; or, where the template writes none, the first."""
    written = _rendered(chat, _CALLED, None)
    fitted = [known.fitted(written, _NAME) for known in formats]
    if not chat.shape.takes_calls:
        return fitted[0]
    read = [known for known in fitted if _is_read(chat, known)]
    read = read or [known for one in FORMATS if _is_read(chat, known := one.fitted(written, _NAME))]
    return max(read, key=lambda known: _is_written(chat, known), default=HERMES)


def _is_written(chat: ChatTemplate, tool_format: ToolFormat) -> bool:
    """Whether the template writes a call just so."""
    try:
        text = chat.render([_USER, _calling(_ODD)], add_generation_prompt=False)
    except InvalidRequestError:
        return False
    return tool_format.write([_ODD]).strip() in text


@lru_cache(maxsize=64)
def _is_read(chat: ChatTemplate, tool_format: ToolFormat) -> bool:
    """Whether a call that the template writes is read back by the format."""
    try:
        written = chat.render([_USER, _calling(_ODD)], add_generation_prompt=False)
        starts = [chat.render([_USER], add_generation_prompt=prompt) for prompt in (True, False)]
    except InvalidRequestError:
        return False
    start = next((start for start in starts if written.startswith(start)), "")
    channels = next((known for known in KNOWN if known.sign in tool_format.signs), None)
    splitter = None if channels is None else ChannelSplitter(channels)
    parser = EventParser(splitter, ToolParser(tool_format, {_NAME: _ODD_SCHEMA}))
    found = [*parser.feed(written.removeprefix(start)), *parser.finish(cut=False)]
    calls = [event.call for event in found if isinstance(event, ToolCallEvent)]
    read = [(one.name, json.loads(one.arguments)) for one in calls]
    return read == [(_ODD.name, json.loads(_ODD.arguments))]


def _calling(call: ToolCall) -> conversation.Message:
    return {"role": "assistant", "tool_calls": [call.message()]}


def place(
    chat: ChatTemplate,
    messages: list[conversation.Message],
    tools: Sequence[Tool],
    tool_format: ToolFormat,
) -> tuple[list[conversation.Message], list[dict[str, Any]] | None]:
    """The messages and tools to render `chat` with; the messages are checked already."""
    placed = messages
    is_read = chat.shape.takes_calls and _is_read(chat, tool_format)
    if tool_format.numbers_ids:
        placed = _numbered(placed)
    if any(_is_of_tools(message) for message in placed) and not is_read:
        placed = _in_words(placed, tool_format)
    if not tools:
        return placed, None
    if _has_place(chat) and (is_read or not chat.shape.takes_calls):
        fill = _needs_descriptions(chat)
        return placed, [_described(one.definition) if fill else one.definition for one in tools]
    return _told(chat, placed, default_prompt(tools, tool_format)), None


def _numbered(messages: list[conversation.Message]) -> list[conversation.Message]:
    """Ids of calls as `functions.NAME:NUMBER`, counted through the conversation; results follow."""
    made: dict[str, str] = {}
    pending: list[str] = []
    out = []
    for message in messages:
        calls = []
        for entry in message.get("tool_calls") or []:
            name, given = _call(entry).name, str(entry.get("id", ""))
            own = re.fullmatch(rf"functions\.{re.escape(name)}:\d+", given)
            identity = given if own else f"functions.{name}:{len(made)}"
            made[given or identity] = identity
            pending.append(identity)
            calls.append({**entry, "id": identity})
        if calls:
            out.append({**message, "tool_calls": calls})
        elif message["role"] == "tool":
            wanted: str = message.get("tool_call_id") or (pending[0] if pending else "")
            identity = made.get(wanted, wanted)
            pending = [one for one in pending if one != identity]
            out.append({**message, "tool_call_id": identity})
        else:
            out.append(message)
    return out


def _is_of_tools(message: conversation.Message) -> bool:
    return message["role"] == "tool" or bool(message.get("tool_calls"))


@lru_cache(maxsize=32)
def _has_place(chat: ChatTemplate) -> bool:
    return _NAME in _rendered(chat, [_USER], [_DEFINITION])


@lru_cache(maxsize=32)
def _needs_descriptions(chat: ChatTemplate) -> bool:
    """Whether a template fails on a tool without descriptions, and takes one with empty ones."""
    return not _rendered(chat, [_USER], [_BARE]) and bool(
        _rendered(chat, [_USER], [_described(_BARE)])
    )


def _described(definition: dict[str, Any]) -> dict[str, Any]:
    """A definition with an empty description where it has none."""
    function = {"description": "", **definition["function"]}
    parameters = function.get("parameters")
    if isinstance(parameters, dict) and isinstance(parameters.get("properties"), dict):
        properties = {
            name: {"description": "", **one} if isinstance(one, dict) else one
            for name, one in parameters["properties"].items()
        }
        function["parameters"] = {**parameters, "properties": properties}
    return {**definition, "function": function}


def _rendered(
    chat: ChatTemplate,
    messages: list[conversation.Message],
    tools: list[dict[str, Any]] | None,
) -> str:
    try:
        return chat.render(messages, tools, allow_lost_messages=True)
    except InvalidRequestError:
        return ""


def _told(
    chat: ChatTemplate, messages: list[conversation.Message], prompt: str
) -> list[conversation.Message]:
    """Puts the prompt into the system message, or into the first one where there can be none."""
    if messages[0]["role"] != "system" and chat.shape.takes_system:
        return [{"role": "system", "content": prompt}, *messages]
    first = dict(messages[0])
    content = first.get("content") or ""
    if isinstance(content, list):
        first["content"] = [*content, {"type": "text", "text": "\n\n" + prompt}]
    else:
        first["content"] = f"{content}\n\n{prompt}" if content else prompt
    return [first, *messages[1:]]


def _in_words(
    messages: list[conversation.Message], tool_format: ToolFormat
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
            calls = tool_format.write([_call(entry) for entry in message["tool_calls"]])
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
