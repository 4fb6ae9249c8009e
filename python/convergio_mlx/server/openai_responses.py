"""OpenAI's responses (https://platform.openai.com/docs/api-reference/responses): what is asked, and
answers whole and streamed. Nothing is stored: a conversation comes with each request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
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
from convergio_mlx.chats.response import TokenUsage
from convergio_mlx.chats.stream import AsyncEventStream
from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.generation.stats import TokenLogprob
from convergio_mlx.server import openai_fields as shared
from convergio_mlx.server.answers import EventResponse, while_there
from convergio_mlx.server.ascii_json import AsciiJsonResponse
from convergio_mlx.server.body import Fields, read_body
from convergio_mlx.server.logprobs import chat_logprobs
from convergio_mlx.server.openai_items import chat_tool, openai_messages
from convergio_mlx.server.problems import Problem, openai_problem, refusal
from convergio_mlx.server.service import Service
from convergio_mlx.server.sse import MEDIA_TYPE, frame
from convergio_mlx.text.tokenizer import Tokenizer

NEUTRAL = (*shared.NEUTRAL, "max_tool_calls")
_LOGPROBS = "message.output_text.logprobs"
INCLUDED = (_LOGPROBS, "reasoning.encrypted_content")
"""What `include` may name; reasoning here has no encrypted content."""
_STATELESS = "nothing is stored here; send the whole conversation as input"


@dataclass
class _Asked:
    """A request, read, in the shapes of chat completions."""

    model: str
    messages: list[Any]
    tools: list[Any]
    options: dict[str, Any]
    streams: bool
    echo: dict[str, Any]
    """What an answer repeats of it."""


def _read(body: Mapping[str, Any]) -> _Asked:
    fields = Fields(body)
    fields.drop(NEUTRAL)
    for name in ("previous_response_id", "conversation", "prompt"):
        fields.only(name, (), _STATELESS)
    fields.only("truncation", ("disabled",), "send what fits the model's window")
    fields.only("background", (False,), "answers are given at once; leave it out")
    model, instructions = fields.text("model"), fields.take("instructions")
    tools = [chat_tool(tool, f"tools[{i}]") for i, tool in enumerate(fields.items("tools"))]
    options = fields.several(("temperature", "top_p", "parallel_tool_calls", *shared.TEMPLATE))
    choice = fields.several(("tool_choice",))
    echo = {"instructions": instructions, "tools": tools, **options, **choice}
    options |= choice | shared.priority(fields)
    options |= shared.token_limit(fields, "max_output_tokens")
    reasoning = fields.fields("reasoning")
    if reasoning is not None:
        options = shared.with_effort(reasoning.take("effort"), options)
        reasoning.drop(("summary", "generate_summary", "context"))
        reasoning.end()
    options |= _format(fields) | _logprobs(fields)
    messages = openai_messages(instructions, fields.take("input"))
    asked = _Asked(model, messages, tools, options, fields.flag("stream"), echo)
    shared.includes_usage(fields)
    fields.end()
    return asked


def _format(fields: Fields) -> dict[str, Any]:
    """`text.format`, in the shape of `response_format`."""
    text = fields.fields("text")
    wanted = None if text is None else text.fields("format")
    if text is not None:
        text.only("verbosity", ("medium",), "the model decides; leave it out")
        text.end()
    if wanted is None:
        return {}
    kind, schema = wanted.text("type"), wanted.take("schema")
    wanted.drop(("name", "strict", "description"))
    wanted.end()
    described = {"json_schema": {"schema": schema}} if kind == "json_schema" else {}
    return {"response_format": {"type": kind, **described}}


def _logprobs(fields: Fields) -> dict[str, Any]:
    """`include` and `top_logprobs`: whether log-probabilities are wanted."""
    wanted, top = fields.items("include"), fields.whole("top_logprobs", 0, 0, 20)
    for name in wanted:
        if name not in INCLUDED:
            raise refusal(f"[server] include has what is not here; give {_LOGPROBS!r}.", "include")
    return {"logprobs": top} if top or _LOGPROBS in wanted else {}


async def responses(service: Service, request: Request) -> Response:
    """POST /v1/responses."""
    asked = _read(await read_body(request, service.settings))
    model = (await service.model(asked.model)).id

    def opened() -> Sequence[AsyncEventStream]:
        given = {**asked.options, "timeout": service.settings.request_seconds}
        return [service.provider.astream(model, None, asked.messages, tools=asked.tools, **given)]

    tokenizer = await service.tokenizer(model) if "logprobs" in asked.options else None
    answers = await while_there(request, lambda: service.answers(opened, 1))
    writer = _Writer(model, asked.echo, tokenizer)
    if asked.streams:
        return EventResponse(answers, writer, service.settings.body_seconds)

    async def whole() -> None:
        async with aclosing(answers.events()) as events:
            async for index, event in events:
                for _ in writer.event(index, event):
                    pass

    try:
        await while_there(request, whole)
    finally:
        answers.close()
    return AsciiJsonResponse(writer.response)


def _usage(usage: TokenUsage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


class _Writer:
    """Adds up the items of one response, and writes the events of each piece."""

    media_type = MEDIA_TYPE

    def __init__(self, model: str, echo: Mapping[str, Any], tokenizer: Tokenizer | None) -> None:
        self.response: dict[str, Any] = {
            "id": shared.new_id("resp_"),
            "object": "response",
            "created_at": shared.now(),
            "status": "in_progress",
            "model": model,
            "output": [],
            "error": None,
            "incomplete_details": None,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "metadata": {},
            "store": False,
            "previous_response_id": None,
            "usage": None,
            **echo,
        }
        self._tokenizer = tokenizer
        self._number = -1
        self._open: dict[str, Any] | None = None

    def begin(self) -> Iterator[bytes]:
        """The response, empty."""
        yield self._event("response.created", response=self.response)
        yield self._event("response.in_progress", response=self.response)

    def event(self, index: int, event: StreamEvent) -> Iterator[bytes]:
        """A piece of the answer."""
        match event:
            case TextEvent(text, logprobs):
                yield from self._text_item("message")
                yield from self._add_text("response.output_text.delta", text, logprobs)
            case ReasoningEvent(text):
                yield from self._text_item("reasoning")
                yield from self._add_text("response.reasoning_text.delta", text)
            case ToolCallEvent(call, complete):
                yield from self._closed()
                yield from self._call(call, complete)
            case FinishEvent(response):
                is_cut = response.finish_reason == "length"
                yield from self._closed("incomplete" if is_cut else "completed")
                details = {"reason": "max_output_tokens"} if is_cut else None
                self.response |= {
                    "status": "incomplete" if is_cut else "completed",
                    "incomplete_details": details,
                    "usage": _usage(response.usage),
                }

    def end(self) -> Iterator[bytes]:
        """The whole response."""
        yield self._event(f"response.{self.response['status']}", response=self.response)

    def failed(self, problem: Problem) -> Iterator[bytes]:
        """The error; no end comes after it."""
        told = openai_problem(problem)["error"]
        error = {"code": problem.code or problem.kind, "message": problem.message}
        self.response |= {"status": "failed", "error": error}
        yield self._event("error", **{**told, "type": "error"})
        yield self._event("response.failed", response=self.response)

    def _text_item(self, kind: str) -> Iterator[bytes]:
        """Opens an item of text or reasoning, where none of its kind is open."""
        if self._open is not None and self._open["type"] == kind:
            return
        yield from self._closed()
        part: dict[str, Any]
        if kind == "message":
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            head: dict[str, Any] = {"id": shared.new_id("msg_"), "role": "assistant"}
        else:
            part = {"type": "reasoning_text", "text": ""}
            head = {"id": shared.new_id("rs_"), "summary": []}
        item = {"type": kind, **head, "status": "in_progress", "content": []}
        yield self._added(item)
        item["content"] = [part]
        self._open = item
        yield self._event("response.content_part.added", **self._place(), part=part)

    def _add_text(
        self, kind: str, text: str, logprobs: Sequence[TokenLogprob] = ()
    ) -> Iterator[bytes]:
        assert self._open is not None
        part = self._open["content"][0]
        part["text"] += text
        more: dict[str, Any] = {}
        if "logprobs" in part:
            told = [] if self._tokenizer is None else chat_logprobs(self._tokenizer, logprobs)
            part["logprobs"] += told
            more = {"logprobs": told}
        yield self._event(kind, **self._place(), delta=text, **more)

    def _closed(self, status: str = "completed") -> Iterator[bytes]:
        """Ends the item that is open."""
        item = self._open
        if item is None:
            return
        part = item["content"][0]
        is_text = item["type"] == "message"
        kind = "response.output_text.done" if is_text else "response.reasoning_text.done"
        more: dict[str, Any] = {"logprobs": part["logprobs"]} if is_text else {}
        yield self._event(kind, **self._place(), text=part["text"], **more)
        yield self._event("response.content_part.done", **self._place(), part=part)
        item["status"], self._open = status, None
        yield self._done(item)

    def _call(self, call: ToolCall, complete: bool) -> Iterator[bytes]:
        item = {
            "type": "function_call",
            "id": shared.new_id("fc_"),
            "call_id": call.id,
            "name": call.name,
            "arguments": "",
            "status": "in_progress",
        }
        yield self._added(item)
        at = {"item_id": item["id"], "output_index": len(self.response["output"]) - 1}
        arguments = {"arguments": call.arguments}
        yield self._event("response.function_call_arguments.delta", **at, delta=call.arguments)
        done = {**at, "name": call.name, **arguments}
        yield self._event("response.function_call_arguments.done", **done)
        item |= {**arguments, "status": "completed" if complete else "incomplete"}
        yield self._done(item)

    def _added(self, item: dict[str, Any]) -> bytes:
        self.response["output"].append(item)
        at = len(self.response["output"]) - 1
        return self._event("response.output_item.added", output_index=at, item=item)

    def _done(self, item: dict[str, Any]) -> bytes:
        at = len(self.response["output"]) - 1
        return self._event("response.output_item.done", output_index=at, item=item)

    def _place(self) -> dict[str, Any]:
        assert self._open is not None
        at = len(self.response["output"]) - 1
        return {"item_id": self._open["id"], "output_index": at, "content_index": 0}

    def _event(self, kind: str, **data: Any) -> bytes:
        self._number += 1
        return frame({"type": kind, "sequence_number": self._number, **data}, kind)
