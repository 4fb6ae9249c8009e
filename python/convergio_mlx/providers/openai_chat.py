"""OpenAI's chat completions: a request's body, and events out of a stream's chunks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from convergio_mlx.chats.events import (
    End,
    ReasoningEvent,
    SourceEvent,
    TextEvent,
    ToolCallEvent,
)
from convergio_mlx.chats.request import ChatRequest
from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.errors import (
    ContentFilterError,
    InferenceError,
    InvalidRequestError,
    NetworkError,
)
from convergio_mlx.generation.sampling import SAMPLING_OPTIONS, SamplingParams
from convergio_mlx.generation.stats import FinishReason, GenerationStats

_OWN_FIELDS = ("thinking", "reasoning_content")
"""What only local templates read."""
_OF_TEMPLATES = ("allow_lost_messages", "special_tokens_in_messages")
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
    for name in ("reasoning_budget", "chat_template_kwargs", *_OF_TEMPLATES):
        if getattr(request, name) not in (None, False):
            raise _unsupported(name)
    if request.priority != "normal":
        raise _unsupported("priority")
    given: dict[str, Any] = {
        "model": model,
        "messages": [
            {key: value for key, value in message.items() if key not in _OWN_FIELDS}
            for message in request.messages
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        **_sampling(request.params),
    }
    if request.tools:
        given["tools"] = [tool.definition for tool in request.tools]
        given["tool_choice"] = request.choice.openai()
        if not (request.choice.many or request.choice.is_named):
            given["parallel_tool_calls"] = False
    if request.response_format is not None:
        given["response_format"] = request.response_format
    return given


def _sampling(params: SamplingParams) -> dict[str, Any]:
    if params.logprobs is not None:
        raise InvalidRequestError(
            "[openai] OpenAI's chat completions give log-probabilities of texts, and not of token "
            "ids; leave logprobs out."
        )
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
    plain = SamplingParams()
    for name in sorted(SAMPLING_OPTIONS - named.keys()):
        if getattr(params, name) != getattr(plain, name):
            raise _unsupported(name)
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
        self.stats = GenerationStats()

    def add(self, chunk: Any) -> list[SourceEvent]:
        """Takes a `ChatCompletionChunk`; the `openai` package does not check what is in it.

        Raises:
            InferenceError: it is not of that shape.
        """
        try:
            return self._events(chunk)
        except (AttributeError, TypeError, ValueError, KeyError) as error:
            raise InferenceError(
                "[openai] the service's answer is not of the shape of chat completions "
                f"({error}); use a service that speaks them."
            ) from error

    def _events(self, chunk: Any) -> list[SourceEvent]:
        events: list[SourceEvent] = []
        if chunk.usage is not None:
            details = chunk.usage.prompt_tokens_details
            made = getattr(chunk.usage, "completion_tokens_details", None)
            self.stats = GenerationStats(
                prompt_tokens=_count(chunk.usage.prompt_tokens),
                output_tokens=_count(chunk.usage.completion_tokens),
                cached_tokens=_count(details and details.cached_tokens),
                reasoning_tokens=_count(made and made.reasoning_tokens),
            )
        for choice in (chunk.choices or ())[:1]:
            delta = choice.delta
            if delta is not None:
                if thought := _text(getattr(delta, "reasoning_content", None)):
                    events.append(ReasoningEvent(thought))
                if text := _text(delta.content):
                    events.append(TextEvent(text))
                for piece in delta.tool_calls or ():
                    self._add_piece(piece)
            self._reason = _text(choice.finish_reason) or self._reason
        return events

    def finish(self) -> Iterator[SourceEvent]:
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
        yield End(_FINISH.get(self._reason, "stop"), self.stats)

    def cancelled(self) -> End:
        """The last event of an answer that the caller ended."""
        return End("cancelled", self.stats)

    def _add_piece(self, piece: Any) -> None:
        index = piece.index if isinstance(piece.index, int) else len(self._calls)
        call = self._calls.setdefault(index, _Call())
        call.id = _text(piece.id) or call.id
        if piece.function is not None:
            call.name += _text(piece.function.name)
            arguments = piece.function.arguments
            call.arguments += json.dumps(arguments) if _is_plain(arguments) else _text(arguments)


def _text(value: Any) -> str:
    """A field's text: of a list of parts, as some services send it, those that are texts."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "".join(_text(part.get("text")) for part in value if isinstance(part, Mapping))
    if not isinstance(value, str):
        raise TypeError(f"a text is of type {type(value).__name__}")
    return value


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _is_plain(arguments: Any) -> bool:
    """Whether a service sends arguments as an object, rather than its JSON."""
    return isinstance(arguments, Mapping)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
