"""Anthropic's messages (https://docs.anthropic.com/en/api/messages): what is asked, and answers
whole and streamed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from functools import partial
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
from convergio_mlx.chats.response import ChatResponse, TokenUsage
from convergio_mlx.chats.stream import AsyncEventStream
from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.server.anthropic_fields import read
from convergio_mlx.server.ascii_json import AsciiJsonResponse
from convergio_mlx.server.body import Fields, read_body
from convergio_mlx.server.openai_fields import new_id
from convergio_mlx.server.problems import Problem, anthropic_problem, refusal
from convergio_mlx.server.service import Service
from convergio_mlx.server.sse import MEDIA_TYPE, frame

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


async def messages(service: Service, request: Request) -> Response:
    """POST /v1/messages."""
    fields = Fields(await read_body(request, service.settings))
    asked, options = read(fields), fields.several(("temperature", "top_p", "top_k"))
    if (stops := fields.take("stop_sequences")) is not None:
        options["stop"] = stops
    options["max_tokens"] = fields.whole("max_tokens", None, 1, (1 << 31) - 1)
    fields.only("thread", (), "nothing is stored here; send the whole conversation")
    streams = fields.flag("stream")
    fields.end()
    if asked.messages and asked.messages[-1]["role"] == "assistant":
        raise refusal(
            "[server] the last message is the assistant's, which is not continued here; end with "
            "the user's.",
            "messages",
        )
    model = (await service.model(asked.model)).id

    def opened() -> Sequence[AsyncEventStream]:
        seconds = service.settings.request_seconds
        given = {**asked.options, **options, "timeout": seconds}
        return [service.provider.astream(model, None, asked.messages, tools=asked.tools, **given)]

    shows = asked.shows_thinking
    writer = _Writer(model, shows) if streams else None
    return await service.respond(
        request, opened, 1, writer, lambda found: _whole(model, shows, *found)
    )


async def count_tokens(service: Service, request: Request) -> Response:
    """POST /v1/messages/count_tokens."""
    fields = Fields(await read_body(request, service.settings))
    asked = read(fields)
    fields.end()
    model = (await service.model(asked.model)).id
    count = partial(service.provider.count_tokens, **asked.options)
    tokens = await asyncio.to_thread(count, model, None, asked.messages, asked.tools)
    return AsciiJsonResponse({"input_tokens": tokens})


def _whole(model: str, shows_thinking: bool, response: ChatResponse) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if response.reasoning and shows_thinking:
        content.append({"type": "thinking", "thinking": response.reasoning, "signature": ""})
    if response.text:
        content.append({"type": "text", "text": response.text, "citations": None})
    content += [_use(call) for call in response.tool_calls]
    return {
        **_head(model),
        "content": content,
        **_stop(response),
        "usage": _usage(response.usage),
    }


def _head(model: str) -> dict[str, Any]:
    return {"id": new_id("msg_"), "type": "message", "role": "assistant", "model": model}


def _use(call: ToolCall) -> dict[str, Any]:
    given = json.loads(call.arguments)
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": given}


def _stop(response: ChatResponse) -> dict[str, Any]:
    stopped = response.stop_text
    reason = "stop_sequence" if stopped is not None else _STOP_REASONS[response.finish_reason]
    return {"stop_reason": reason, "stop_sequence": stopped}


def _usage(usage: TokenUsage) -> dict[str, Any]:
    """Tokens; Anthropic counts those of the cache beside the others."""
    return {
        "input_tokens": usage.input_tokens - usage.cached_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "output_tokens": usage.output_tokens,
    }


class _Writer:
    """Writes the events of one message: blocks, one after another, each with its pieces."""

    media_type = MEDIA_TYPE

    def __init__(self, model: str, shows_thinking: bool) -> None:
        self._head = _head(model)
        self._shows_thinking = shows_thinking
        self._index = -1
        self._open: str | None = None

    def begin(self) -> Iterator[bytes]:
        """The message, empty; its prompt is counted at the end, when it is known."""
        empty: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None}
        message = {**self._head, **empty, "usage": _usage(TokenUsage())}
        yield _event("message_start", message=message)

    def event(self, index: int, event: StreamEvent) -> Iterator[bytes]:
        """A piece of the answer."""
        match event:
            case TextEvent(text):
                yield from self._within("text", {"text": ""})
                yield self._delta(type="text_delta", text=text)
            case ReasoningEvent(text) if self._shows_thinking:
                yield from self._within("thinking", {"thinking": "", "signature": ""})
                yield self._delta(type="thinking_delta", thinking=text)
            case ToolCallEvent(call):
                yield from self._closed()
                yield from self._within("tool_use", {"id": call.id, "name": call.name, "input": {}})
                yield self._delta(type="input_json_delta", partial_json=call.arguments)
                yield from self._closed()
            case FinishEvent(response):
                yield from self._closed()
                usage = _usage(response.usage)
                yield _event("message_delta", delta=_stop(response), usage=usage)

    def end(self) -> Iterator[bytes]:
        """The end of the message."""
        yield _event("message_stop")

    def failed(self, problem: Problem) -> Iterator[bytes]:
        """The error; no end comes after it."""
        yield frame(anthropic_problem(problem), "error")

    def _within(self, kind: str, empty: dict[str, Any]) -> Iterator[bytes]:
        """Opens a block of this kind, where none is open."""
        if self._open == kind:
            return
        yield from self._closed()
        self._index, self._open = self._index + 1, kind
        block = {"type": kind, **empty}
        yield _event("content_block_start", index=self._index, content_block=block)

    def _closed(self) -> Iterator[bytes]:
        if self._open is not None:
            self._open = None
            yield _event("content_block_stop", index=self._index)

    def _delta(self, **delta: str) -> bytes:
        return _event("content_block_delta", index=self._index, delta=delta)


def _event(kind: str, **data: Any) -> bytes:
    return frame({"type": kind, **data}, kind)
