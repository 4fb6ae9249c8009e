"""Ollama's chats and list of models (https://github.com/ollama/ollama/blob/main/docs/api.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from convergio_mlx.chats.events import (
    FinishEvent,
    ReasoningEvent,
    StreamEvent,
    TextEvent,
    ToolCallEvent,
)
from convergio_mlx.chats.response import ChatResponse
from convergio_mlx.chats.stream import AsyncEventStream
from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.server.ascii_json import AsciiJsonResponse
from convergio_mlx.server.body import Fields, read_body
from convergio_mlx.server.problems import Problem, ollama_problem, refusal
from convergio_mlx.server.service import Service

OPTIONS = {
    **{name: name for name in ("temperature", "top_k", "top_p", "min_p", "seed", "stop")},
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "repeat_penalty": "repetition_penalty",
    "num_predict": "max_tokens",
}
"""Ollama's names of options, and ours."""
MACHINE = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap", "num_keep")
"""Options that say how a model is loaded: here as the machine has it."""


async def chat(service: Service, request: Request) -> Response:
    """POST /api/chat."""
    fields = Fields(await read_body(request, service.settings))
    fields.drop(("keep_alive",))
    name = fields.text("model")
    messages = [_message(one, f"messages[{i}]") for i, one in enumerate(fields.items("messages"))]
    tools, streams = fields.items("tools"), fields.flag("stream", True)
    options = {**_options(fields.fields("options")), **_thinking(fields), **_format(fields)}
    fields.end()
    model = (await service.model(name.removesuffix(":latest"))).id

    def opened() -> Sequence[AsyncEventStream]:
        given = {**options, "timeout": service.settings.request_seconds}
        return [service.provider.astream(model, None, messages, tools=tools, **given)]

    writer = _Writer(name) if streams else None
    return await service.respond(request, opened, 1, writer, lambda found: _whole(name, *found))


def _whole(name: str, response: ChatResponse) -> dict[str, Any]:
    return {**_head(name), "message": _said(response), **_figures(response)}


async def tags(service: Service, _: Request) -> Response:
    """GET /api/tags."""
    found = [{"name": model.id, "model": model.id} for model in await service.models()]
    return AsciiJsonResponse({"models": found})


def _message(given: Any, where: str) -> dict[str, Any]:
    fields = Fields(given, where)
    message: dict[str, Any] = {"role": fields.text("role"), "content": fields.text("content", "")}
    fields.only("images", ([],), "text is what is read here")
    if thought := fields.text("thinking", ""):
        message["reasoning_content"] = thought
    if name := fields.text("tool_name", ""):
        message["name"] = name
    if call_id := fields.text("tool_call_id", ""):
        message["tool_call_id"] = call_id
    if calls := fields.items("tool_calls"):
        message["tool_calls"] = calls
    fields.end()
    return message


def _options(fields: Fields | None) -> dict[str, Any]:
    if fields is None:
        return {}
    fields.drop(MACHINE)
    given = {OPTIONS[name]: value for name, value in fields.several(OPTIONS).items()}
    fields.end()
    limit = given.get("max_tokens")
    if isinstance(limit, int) and limit < 0:  # -1 and -2: no limit
        del given["max_tokens"]
    return given


def _thinking(fields: Fields) -> dict[str, Any]:
    think = fields.take("think")
    if think is None:
        return {}
    if not isinstance(think, bool | str):
        raise refusal("[server] think is neither true nor false nor a level; give one.", "think")
    level = {"reasoning_effort": think} if isinstance(think, str) else {}
    return {"chat_template_kwargs": {"enable_thinking": bool(think), **level}}


def _format(fields: Fields) -> dict[str, Any]:
    wanted = fields.take("format")
    if wanted is None or wanted == "":
        return {}
    if wanted == "json":
        return {"response_format": {"type": "json_object"}}
    return {"response_format": {"type": "json_schema", "json_schema": {"schema": wanted}}}


def _head(name: str) -> dict[str, Any]:
    return {"model": name, "created_at": datetime.now(UTC).isoformat()}


def _said(response: ChatResponse) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": response.text}
    if response.reasoning:
        said["thinking"] = response.reasoning
    if response.tool_calls:
        said["tool_calls"] = [_call(call) for call in response.tool_calls]
    return said


def _call(call: ToolCall) -> dict[str, Any]:
    given = json.loads(call.arguments)
    return {"id": call.id, "function": {"name": call.name, "arguments": given}}


def _figures(response: ChatResponse) -> dict[str, Any]:
    """How it ended and what it took, in nanoseconds."""
    stats = response.stats
    seconds = {
        "total_duration": response.timings.total_seconds,
        "load_duration": 0.0,
        "prompt_eval_duration": stats.prefill_seconds,
        "eval_duration": stats.decode_seconds,
    }
    return {
        "done": True,
        "done_reason": "length" if response.finish_reason == "length" else "stop",
        **{name: round(value * 1e9) for name, value in seconds.items()},
        "prompt_eval_count": response.usage.input_tokens,
        "eval_count": response.usage.output_tokens,
    }


class _Writer:
    """Writes a line of JSON for each piece."""

    media_type = "application/x-ndjson"

    def __init__(self, name: str) -> None:
        self._name = name

    def begin(self) -> Iterator[bytes]:
        """Nothing."""
        yield from ()

    def event(self, index: int, event: StreamEvent) -> Iterator[bytes]:
        """A piece of the answer."""
        match event:
            case TextEvent(text):
                yield self._line({"content": text})
            case ReasoningEvent(text):
                yield self._line({"content": "", "thinking": text})
            case ToolCallEvent(call, complete=True):
                yield self._line({"content": "", "tool_calls": [_call(call)]})
            case FinishEvent(response):
                yield self._line({"content": ""}, _figures(response))

    def end(self) -> Iterator[bytes]:
        """Nothing: the last piece said so."""
        yield from ()

    def failed(self, problem: Problem) -> Iterator[bytes]:
        """The error."""
        yield f"{json.dumps(ollama_problem(problem))}\n".encode()

    def _line(self, said: dict[str, Any], more: dict[str, Any] | None = None) -> bytes:
        message = {"message": {"role": "assistant", **said}, **(more or {"done": False})}
        return f"{json.dumps({**_head(self._name), **message})}\n".encode("ascii")
