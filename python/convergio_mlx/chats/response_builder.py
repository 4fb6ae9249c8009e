"""Adds up the events of an answer to the response."""

from __future__ import annotations

import time
from collections.abc import Callable

from convergio_mlx.chats.events import (
    End,
    FinishEvent,
    ReasoningEvent,
    SourceEvent,
    StreamEvent,
    TextEvent,
    ToolCallEvent,
)
from convergio_mlx.chats.response import ChatResponse, Timings, TokenUsage
from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.errors import InferenceError
from convergio_mlx.generation.stats import GenerationStats


def _free(_: GenerationStats) -> float:
    return 0.0


def _ignored(_: BaseException | None) -> None:
    """The default of `on_end`."""


class ResponseBuilder:
    """Adds up the events of one answer."""

    def __init__(
        self,
        model: str,
        on_end: Callable[[BaseException | None], None] = _ignored,
        cost: Callable[[GenerationStats], float] = _free,
    ) -> None:
        """Starts the clock.

        Args:
            model: whose answer it is.
            on_end: called once, by whoever reads the end, with None or the error.
            cost: dollars of an answer that took so many tokens.
        """
        self.response: ChatResponse | None = None
        self.ended = False
        self._model = model
        self._on_end = on_end
        self._cost = cost
        self._began = time.perf_counter()
        self._first: float | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[ToolCall] = []
        self._incomplete: ToolCall | None = None

    def begin(self) -> None:
        """Restarts the clock."""
        self._began = time.perf_counter()

    def take(self, event: SourceEvent) -> StreamEvent:
        """Adds an event; the last one becomes the response."""
        if self._first is None:
            self._first = time.perf_counter()
        match event:
            case End():
                self.response = self._whole(event)
                self.end(None)
                return FinishEvent(self.response)
            case TextEvent():
                self._text.append(event.text)
            case ReasoningEvent():
                self._reasoning.append(event.text)
            case ToolCallEvent(call, complete=True):
                self._calls.append(call)
            case ToolCallEvent(call):
                self._incomplete = call
        return event

    def end(self, error: BaseException | None) -> None:
        """There is no more."""
        if not self.ended:
            self.ended = True
            self._on_end(error)

    def whole(self) -> ChatResponse:
        """The response.

        Raises:
            InferenceError: the answer was closed before there was one.
        """
        if self.response is None:
            raise InferenceError(
                "[chat] this answer was closed before its end; read it to the end, or ask again."
            )
        return self.response

    def _whole(self, end: End) -> ChatResponse:
        stats = end.stats
        now = time.perf_counter()
        return ChatResponse(
            text="".join(self._text),
            finish_reason=end.reason,
            model=self._model,
            tool_calls=tuple(self._calls),
            incomplete_tool_call=self._incomplete,
            reasoning="".join(self._reasoning),
            usage=TokenUsage(
                stats.prompt_tokens, stats.output_tokens, stats.cached_tokens, self._cost(stats)
            ),
            timings=Timings((self._first or now) - self._began, now - self._began),
            stats=stats,
            token_ids=end.token_ids,
            logprobs=end.logprobs,
        )
