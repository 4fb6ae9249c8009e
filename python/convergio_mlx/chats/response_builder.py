"""Adds up the events of an answer to the response."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from convergio_mlx.chats.events import (
    End,
    FinishEvent,
    ReasoningEvent,
    SourceEvent,
    StreamEvent,
    TextEvent,
    ToolCallEvent,
    ToolResultEvent,
)
from convergio_mlx.chats.response import ChatResponse, Timings, TokenUsage, assistant_message
from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.errors import InferenceError
from convergio_mlx.generation.stats import GenerationStats, TokenLogprob


def _free(_: GenerationStats) -> float:
    return 0.0


def _ignored(_: BaseException | None) -> None:
    """The default of `on_end`."""


@dataclass
class Turn:
    """What a model has said since the last results of tools."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    incomplete: ToolCall | None = None
    logprobs: list[TokenLogprob] = field(default_factory=list)
    """Of the text's tokens."""

    def take(self, event: SourceEvent) -> None:
        """Adds an event; those that say nothing change nothing."""
        match event:
            case TextEvent():
                self.text.append(event.text)
                self.logprobs += event.logprobs
            case ReasoningEvent():
                self.reasoning.append(event.text)
            case ToolCallEvent(call, complete=True):
                self.calls.append(call)
            case ToolCallEvent(call):
                self.incomplete = call

    def message(self) -> dict[str, Any]:
        """The assistant's message of it."""
        return assistant_message("".join(self.text), "".join(self.reasoning), self.calls)


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
        self._turn = Turn()
        self._round: list[dict[str, Any]] = []
        self._missing = 0
        self._tool_messages: list[dict[str, Any]] = []
        self.answer_type: Any = None

    def begin(self) -> None:
        """Restarts the clock."""
        self._began = time.perf_counter()

    def take(self, event: SourceEvent) -> StreamEvent:
        """Adds an event; the last one becomes the response."""
        if self._first is None:
            self._first = time.perf_counter()
        if isinstance(event, End):
            self.response = self._whole(event)
            self.end(None)
            return FinishEvent(self.response)
        if isinstance(event, ToolResultEvent):
            self._take_result(event)
        self._turn.take(event)
        return event

    def _take_result(self, event: ToolResultEvent) -> None:
        """Adds a result; a round is kept once it has all of its results."""
        if not self._missing:
            self._round, self._missing = [self._turn.message()], len(self._turn.calls)
            self._turn = Turn()
        self._round.append(event.message())
        self._missing -= 1
        if not self._missing:
            self._tool_messages += self._round

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
        turn, now = self._turn, time.perf_counter()
        return ChatResponse(
            text="".join(turn.text),
            finish_reason=end.reason,
            model=self._model,
            tool_calls=tuple(turn.calls),
            incomplete_tool_call=turn.incomplete,
            reasoning="".join(turn.reasoning),
            usage=self._usage((*end.earlier, end.stats)),
            timings=Timings((self._first or now) - self._began, now - self._began),
            stats=end.stats,
            token_ids=end.token_ids,
            logprobs=end.logprobs,
            text_logprobs=tuple(turn.logprobs),
            stop_text=end.stop_text,
            tool_messages=tuple(self._tool_messages),
            answer_type=self.answer_type,
        )

    def _usage(self, rounds: tuple[GenerationStats, ...]) -> TokenUsage:
        return TokenUsage(
            sum(stats.prompt_tokens for stats in rounds),
            sum(stats.output_tokens for stats in rounds),
            sum(stats.cached_tokens for stats in rounds),
            sum(self._cost(stats) for stats in rounds),
            sum(stats.reasoning_tokens for stats in rounds),
        )
