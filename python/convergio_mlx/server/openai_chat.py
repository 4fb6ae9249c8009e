"""OpenAI's chat completions (https://platform.openai.com/docs/api-reference/chat): what is asked,
and answers whole and streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from convergio_mlx.chats.response import ChatResponse, TokenUsage
from convergio_mlx.chats.stream import AsyncEventStream
from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.generation.stats import TokenLogprob
from convergio_mlx.server import openai_fields as shared
from convergio_mlx.server.body import Fields, read_body
from convergio_mlx.server.logprobs import chat_logprobs
from convergio_mlx.server.problems import Problem, openai_problem, refusal
from convergio_mlx.server.service import Service
from convergio_mlx.server.sse import DONE, MEDIA_TYPE, frame
from convergio_mlx.text.tokenizer import Tokenizer

_CHAT = ("tool_choice", "parallel_tool_calls", "response_format", "reasoning_budget")


@dataclass
class Asked:
    """A request, read."""

    model: str
    messages: list[Any]
    tools: list[Any]
    options: dict[str, Any]
    count: int
    streams: bool
    includes_usage: bool

    @property
    def has_logprobs(self) -> bool:
        """Whether they are wanted."""
        return "logprobs" in self.options


def read_chat(body: Mapping[str, Any]) -> Asked:
    """A request, its fields told apart; values of options are checked where they are used.

    Raises:
        RefusedError: a field is not of its type, or there is none of that name.
    """
    fields = Fields(body)
    fields.drop(shared.NEUTRAL)
    fields.only("modalities", (["text"],), "answers are text; leave it out")
    fields.only("verbosity", ("medium",), "the model decides; leave it out")
    model = fields.text("model")
    options = fields.several((*shared.SAMPLING, *shared.OWN, *_CHAT, *shared.TEMPLATE))
    options |= shared.priority(fields)
    options |= shared.token_limit(fields, "max_tokens", "max_completion_tokens")
    options |= shared.token_bias(fields)
    options = shared.with_effort(fields.take("reasoning_effort"), options)
    has_logprobs, top = fields.flag("logprobs"), fields.whole("top_logprobs", 0, 0, 20)
    if has_logprobs:
        options["logprobs"] = top
    elif top:
        raise refusal("[server] top_logprobs needs logprobs; set it to true.", "top_logprobs")
    asked = Asked(
        model,
        fields.items("messages"),
        fields.items("tools"),
        options,
        fields.whole("n", 1, 1, shared.MOST_ANSWERS),
        fields.flag("stream"),
        shared.includes_usage(fields),
    )
    fields.end()
    return asked


async def chat_completions(service: Service, request: Request) -> Response:
    """POST /v1/chat/completions."""
    asked = read_chat(await read_body(request, service.settings))
    model = (await service.model(asked.model)).id
    tokenizer = await service.tokenizer(model) if asked.has_logprobs else None

    def streams() -> Sequence[AsyncEventStream]:
        return [
            service.provider.astream(
                model,
                None,
                asked.messages,
                tools=asked.tools,
                timeout=service.settings.request_seconds,
                **shared.seeded(asked.options, index),
            )
            for index in range(asked.count)
        ]

    writer = None
    if asked.streams:
        writer = ChatWriter(model, asked.includes_usage, asked.count, tokenizer)
    return await service.respond(
        request, streams, asked.count, writer, lambda found: _whole(model, found, tokenizer)
    )


def _whole(
    model: str, responses: Sequence[ChatResponse], tokenizer: Tokenizer | None
) -> dict[str, Any]:
    choices = [
        {
            "index": index,
            "message": _message(response),
            "logprobs": _logprobs(tokenizer, response.text_logprobs),
            "finish_reason": response.finish_reason,
        }
        for index, response in enumerate(responses)
    ]
    usage = shared.usage_sum([response.usage for response in responses])
    head = _head(shared.new_id("chatcmpl-"), "chat.completion", model)
    return {**head, "choices": choices, "usage": shared.usage_object(usage)}


def _message(response: ChatResponse) -> dict[str, Any]:
    calls = [call.message() for call in all_calls(response)]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": response.text or (None if calls else ""),
        "refusal": None,
    }
    if response.reasoning:
        message["reasoning_content"] = response.reasoning
    return {**message, "tool_calls": calls} if calls else message


def all_calls(response: ChatResponse) -> list[ToolCall]:
    """Its calls, one that was cut off after its name included, as a stream has them."""
    cut = response.incomplete_tool_call
    return [*response.tool_calls, *(() if cut is None or not cut.name else (cut,))]


def _logprobs(tokenizer: Tokenizer | None, tokens: Sequence[TokenLogprob]) -> dict[str, Any] | None:
    return None if tokenizer is None else {"content": chat_logprobs(tokenizer, tokens)}


def _head(given_id: str, kind: str, model: str) -> dict[str, Any]:
    head = {"id": given_id, "object": kind, "created": shared.now(), "model": model}
    return {**head, "system_fingerprint": shared.FINGERPRINT}


class ChatWriter:
    """Writes `chat.completion.chunk`s."""

    media_type = MEDIA_TYPE

    def __init__(
        self, model: str, includes_usage: bool, count: int, tokenizer: Tokenizer | None
    ) -> None:
        """Takes what all chunks say."""
        self._head = _head(shared.new_id("chatcmpl-"), "chat.completion.chunk", model)
        self._tail: dict[str, Any] = {"usage": None} if includes_usage else {}
        self._count = count
        self._tokenizer = tokenizer
        self._calls = [0] * count
        self._usages: dict[int, TokenUsage] = {}

    def begin(self) -> Iterator[bytes]:
        """Says who speaks."""
        for index in range(self._count):
            yield self._chunk(index, {"role": "assistant", "content": ""})

    def event(self, index: int, event: StreamEvent) -> Iterator[bytes]:
        """A piece of an answer."""
        match event:
            case TextEvent(text, logprobs):
                yield self._chunk(index, {"content": text}, logprobs)
            case ReasoningEvent(text):
                yield self._chunk(index, {"reasoning_content": text})
            case ToolCallEvent(call):
                number, self._calls[index] = self._calls[index], self._calls[index] + 1
                yield self._chunk(index, {"tool_calls": [{"index": number, **call.message()}]})
            case FinishEvent(response):
                self._usages[index] = response.usage
                yield self._chunk(index, {}, finish=response.finish_reason)

    def end(self) -> Iterator[bytes]:
        """The usage where it is wanted, and the end."""
        if self._tail:
            usages = [self._usages[index] for index in sorted(self._usages)]
            usage = shared.usage_object(shared.usage_sum(usages))
            yield frame({**self._head, "choices": [], "usage": usage})
        yield DONE

    def failed(self, problem: Problem) -> Iterator[bytes]:
        """The error; no end comes after it."""
        yield frame(openai_problem(problem))

    def _chunk(
        self,
        index: int,
        delta: dict[str, Any],
        logprobs: Sequence[TokenLogprob] = (),
        finish: str | None = None,
    ) -> bytes:
        told = _logprobs(self._tokenizer, logprobs) if logprobs else None
        choice = {"index": index, "delta": delta, "logprobs": told, "finish_reason": finish}
        return frame({**self._head, "choices": [choice], **self._tail})
