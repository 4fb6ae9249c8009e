"""The items of OpenAI's responses, in the shape of chat messages."""

from __future__ import annotations

import json
from typing import Any

from convergio_mlx.server.body import Fields
from convergio_mlx.server.problems import refusal

_TEXTS = ("input_text", "output_text", "text")
_ROLES = ("user", "assistant", "system", "developer")


def openai_messages(instructions: Any, given: Any) -> list[dict[str, Any]]:
    """Instructions and input, a text or items.

    Raises:
        RefusedError: an item is of a kind that is no text, reasoning, call or result.
    """
    made: list[dict[str, Any]] = []
    if instructions is not None:
        if not isinstance(instructions, str):
            raise refusal("[server] instructions is no text; give one.", "instructions")
        made.append({"role": "system", "content": instructions})
    if isinstance(given, str):
        return [*made, {"role": "user", "content": given}]
    if not isinstance(given, list):
        raise refusal(
            "[server] input is neither a text nor a list of items; give one of them.",
            "input",
            "invalid_type",
        )
    for index, item in enumerate(given):
        _add(Fields(item, f"input[{index}]"), made)
    return made


def _add(fields: Fields, made: list[dict[str, Any]]) -> None:
    """Adds an item; reasoning and calls belong to one message of the assistant."""
    fields.drop(("id", "status", "phase"))
    kind = fields.text("type", "message")
    if kind == "message":
        role = fields.text("role")
        if role not in _ROLES:
            path = fields.path("role")
            raise refusal(f"[server] {path} is {role[:80]!r}; give {', '.join(_ROLES)}.", path)
        message = {"role": role, "content": _text(fields.take("content"), fields.path("content"))}
        if role == "assistant" and made and _is_thought(made[-1]):
            made[-1] |= message
        else:
            made.append(message)
    elif kind == "function_call":
        function = {"name": fields.text("name"), "arguments": fields.text("arguments")}
        call = {"id": fields.text("call_id"), "type": "function", "function": function}
        if not made or made[-1]["role"] != "assistant":
            made.append({"role": "assistant", "content": ""})
        made[-1].setdefault("content", "")
        made[-1].setdefault("tool_calls", []).append(call)
    elif kind == "function_call_output":
        call_id, output = fields.text("call_id"), fields.take("output", "")
        content = _text(output, fields.path("output"))
        made.append({"role": "tool", "tool_call_id": call_id, "content": content})
    elif kind == "reasoning":
        fields.drop(("encrypted_content",))
        parts = [*fields.items("summary"), *fields.items("content")]
        if thought := "\n".join(_part(part, fields.path("content")) for part in parts):
            made.append({"role": "assistant", "reasoning_content": thought})
    else:
        path = fields.path("type")
        raise refusal(f"[server] {path} is {kind[:80]!r}, which is not read here; give text.", path)
    fields.end()


def _is_thought(message: dict[str, Any]) -> bool:
    return message.keys() == {"role", "reasoning_content"}


def _text(content: Any, where: str) -> str:
    """A text, or that of a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise refusal(f"[server] {where} is neither a text nor a list; give one of them.", where)
    return "".join(_part(part, f"{where}[{index}]") for index, part in enumerate(content))


def _part(part: Any, where: str) -> str:
    fields = Fields(part, where)
    fields.drop(("annotations", "logprobs"))
    fields.only("type", (*_TEXTS, "summary_text", "reasoning_text"), "text is what is read here")
    text = fields.text("text")
    fields.end()
    return text


def chat_tool(tool: Any, where: str) -> Any:
    """A tool of responses, whose function's fields stand beside its type."""
    if isinstance(tool, dict) and tool.get("type") != "function":
        raise refusal(
            f"[server] {where} is of type {json.dumps(tool.get('type'))[:80]}; give functions.",
            where,
            "unsupported_value",
        )
    return tool
