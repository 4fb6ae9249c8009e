"""Anthropic's messages, whose content is blocks, in OpenAI's shape."""

from __future__ import annotations

import json
from typing import Any

from convergio_mlx.server.body import Fields
from convergio_mlx.server.problems import refusal

_NEUTRAL = ("cache_control", "citations")


def openai_messages(system: Any, messages: list[Any]) -> list[dict[str, Any]]:
    """A system text and messages.

    Raises:
        RefusedError: one has a block of a kind that is no text, reasoning, call or result.
    """
    made: list[dict[str, Any]] = []
    if system is not None:
        made.append({"role": "system", "content": _text(system, "system")})
    for index, given in enumerate(messages):
        where = f"messages[{index}]"
        fields = Fields(given, where)
        role, content = fields.text("role"), fields.take("content")
        fields.end()
        if role not in ("user", "assistant"):
            raise refusal(
                f"[server] {where}.role is {role[:80]!r}; give user or assistant.", f"{where}.role"
            )
        if isinstance(content, str):
            made.append({"role": role, "content": content})
        else:
            made += _from_blocks(role, content, where)
    return made


def _from_blocks(role: str, content: Any, where: str) -> list[dict[str, Any]]:
    """The messages of a list of blocks: results of tools first, each one of its own."""
    if not isinstance(content, list):
        raise refusal(
            f"[server] {where}.content is neither a text nor a list; give one of them.",
            f"{where}.content",
            "invalid_type",
        )
    texts, thoughts, calls, results = [], [], [], []
    for index, block in enumerate(content):
        fields = Fields(block, f"{where}.content[{index}]")
        fields.drop(_NEUTRAL)
        kind = fields.text("type")
        if kind == "text":
            texts.append(fields.text("text"))
        elif kind == "thinking" and role == "assistant":
            thoughts.append(fields.text("thinking"))
            fields.drop(("signature",))
        elif kind == "redacted_thinking" and role == "assistant":
            fields.drop(("data",))  # another service's, which it alone can read
        elif kind == "tool_use" and role == "assistant":
            calls.append(_call(fields))
        elif kind == "tool_result" and role == "user":
            results.append(_result(fields))
        else:
            path = fields.path("type")
            raise refusal(
                f"[server] {path} is {kind[:80]!r}, which is not read here; give text.", path
            )
        fields.end()
    if role == "user":
        said = [{"role": "user", "content": "\n".join(texts)}] if texts or not results else []
        return [*results, *said]
    message: dict[str, Any] = {"role": role, "content": "\n".join(texts)}
    if thoughts:
        message["reasoning_content"] = "\n".join(thoughts)
    return [{**message, "tool_calls": calls} if calls else message]


def _call(fields: Fields) -> dict[str, Any]:
    given_id, name, given = fields.text("id"), fields.text("name"), fields.take("input", {})
    fields.drop(("caller",))
    function = {"name": name, "arguments": json.dumps(given, ensure_ascii=False)}
    return {"id": given_id, "type": "function", "function": function}


def _result(fields: Fields) -> dict[str, Any]:
    given_id, is_error = fields.text("tool_use_id"), fields.flag("is_error")
    text = _text(fields.take("content", ""), fields.path("content"))
    content = json.dumps({"error": text}, ensure_ascii=False) if is_error else text
    return {"role": "tool", "tool_call_id": given_id, "content": content}


def _text(content: Any, where: str) -> str:
    """A text, or that of a list of text blocks."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise refusal(f"[server] {where} is neither a text nor a list; give one of them.", where)
    texts = []
    for index, block in enumerate(content):
        fields = Fields(block, f"{where}[{index}]")
        fields.drop(_NEUTRAL)
        fields.only("type", ("text",), "text is what is read here")
        texts.append(fields.text("text"))
        fields.end()
    return "\n".join(texts)
