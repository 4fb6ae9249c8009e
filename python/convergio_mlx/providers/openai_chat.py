"""OpenAI's chat completions: a request's body, and events out of a stream's chunks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from convergio_mlx.answers.events import (
    Event,
    FinishEvent,
    FinishReason,
    ReasoningEvent,
    TextEvent,
    ToolCallEvent,
)
from convergio_mlx.answers.tool_calls import ToolCall
from convergio_mlx.errors import ContentFilterError, InvalidRequestError, NetworkError
from convergio_mlx.generation import GenerationStats
from convergio_mlx.providers.chat import ChatRequest
from convergio_mlx.sampling import SamplingParams

_OWN_FIELDS = ("thinking", "reasoning_content")
"""What only local templates read."""
_UNKNOWN_PARAMS = (
    "top_k",
    "min_p",
    "repetition_penalty",
    "stop_token_ids",
    "ignore_eos",
    "logprobs",
)
_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


def body(model: str, request: ChatRequest) -> dict[str, Any]:
    """The JSON of a streamed request.

    Raises:
        InvalidRequestError: an option that the interface has no field for.
    """
    for name in ("reasoning_budget", "template"):
        if getattr(request, name) is not None:
            raise _unsupported(name)
    given: dict[str, Any] = {
        "model": model,
        "messages": [
            {key: value for key, value in message.items() if key not in _OWN_FIELDS}
            for message in request.messages
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        **_sampling(request.params or SamplingParams()),
    }
    if request.tools:
        given |= {"tools": request.tools, "tool_choice": request.tool_choice}
    if request.response_format is not None:
        given["response_format"] = request.response_format
    return given


def _sampling(params: SamplingParams) -> dict[str, Any]:
    plain = SamplingParams()
    for name in _UNKNOWN_PARAMS:
        if getattr(params, name) != getattr(plain, name):
            raise _unsupported(name)
    named = {
        "temperature": params.temperature,
        "top_p": params.top_p,
        "seed": params.seed,
        "max_tokens": params.max_tokens,
        "presence_penalty": params.presence_penalty or None,
        "frequency_penalty": params.frequency_penalty or None,
        "logit_bias": {str(token): bias for token, bias in params.logit_bias.items()} or None,
        "stop": params.stop_strings() or None,
    }
    return {name: value for name, value in named.items() if value is not None}


def _unsupported(name: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"[openai] OpenAI's chat completions have no option {name!r}; leave it out."
    )


@dataclass
class _Call:
    """A call whose pieces are still coming."""

    id: str = ""
    name: str = ""
    arguments: str = ""

    def event(self) -> ToolCallEvent:
        call = ToolCall(self.id, self.name, self.arguments or "{}")
        return ToolCallEvent(call, complete=bool(self.name) and _is_object(call.arguments))


class Assembly:
    """Turns the chunks of one streamed answer into events."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._calls: dict[int, _Call] = {}
        self._reason: str | None = None
        self._stats = GenerationStats()

    def add(self, chunk: Any) -> Iterator[Event]:
        """Takes a `ChatCompletionChunk`."""
        if chunk.usage is not None:
            details = chunk.usage.prompt_tokens_details
            self._stats = GenerationStats(
                prompt_tokens=chunk.usage.prompt_tokens,
                output_tokens=chunk.usage.completion_tokens,
                cached_tokens=(details and details.cached_tokens) or 0,
            )
        for choice in chunk.choices[:1]:
            delta = choice.delta
            if thought := getattr(delta, "reasoning_content", None):
                yield ReasoningEvent(thought)
            if delta.content:
                yield TextEvent(delta.content)
            for piece in delta.tool_calls or ():
                self._add_piece(piece)
            self._reason = choice.finish_reason or self._reason

    def finish(self) -> Iterator[Event]:
        """What is left when the stream has ended.

        Raises:
            NetworkError: it broke off.
            ContentFilterError: the service stopped the answer for what it says.
        """
        if self._reason is None:
            raise NetworkError("[openai] the service broke off in an answer; ask again.")
        if self._reason == "content_filter":
            raise ContentFilterError(
                "[openai] the service stopped the answer for what it says; ask in another way.",
                provider_code=self._reason,
            )
        yield from (self._calls[index].event() for index in sorted(self._calls))
        yield FinishEvent(_FINISH.get(self._reason, "stop"), self._stats)

    def cancelled(self) -> FinishEvent:
        """The last event of an answer that the caller ended."""
        return FinishEvent("cancelled", self._stats)

    def _add_piece(self, piece: Any) -> None:
        call = self._calls.setdefault(piece.index, _Call())
        call.id = piece.id or call.id
        if piece.function is not None:
            call.name += piece.function.name or ""
            call.arguments += piece.function.arguments or ""


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
