"""What the events of an answer add up to, as they are read."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from convergio_mlx.answers.events import FinishEvent, ReasoningEvent, TextEvent, ToolCallEvent
from convergio_mlx.errors import InferenceError
from convergio_mlx.providers.chat import ChatResponse, ResponseEvent, Timings, TokenUsage
from convergio_mlx.providers.interface import ProviderErrorInfo

if TYPE_CHECKING:
    from convergio_mlx.answers.events import Event
    from convergio_mlx.answers.tool_calls import ToolCall
    from convergio_mlx.generation import GenerationStats

StreamEvent = TextEvent | ReasoningEvent | ToolCallEvent | ResponseEvent


class Transcript:
    """Adds up the events of one answer."""

    def __init__(
        self,
        model: str,
        ended: Callable[[ProviderErrorInfo], None],
        cost: Callable[[GenerationStats], float],
    ) -> None:
        """Starts the clock.

        Args:
            model: whose answer it is.
            ended: told once how the answer ended, by whoever reads the end.
            cost: dollars of an answer that took so many tokens.
        """
        self.response: ChatResponse | None = None
        self.over = False
        self._model = model
        self._told = ended
        self._cost = cost
        self._began = time.perf_counter()
        self._first: float | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[ToolCall] = []
        self._cut_call: ToolCall | None = None

    def begin(self) -> None:
        """Starts the clock anew."""
        self._began = time.perf_counter()

    def take(self, event: Event) -> StreamEvent:
        """Notes an event; a `FinishEvent` becomes the response."""
        if self._first is None:
            self._first = time.perf_counter()
        match event:
            case FinishEvent():
                self.response = self._response(event)
                self.end(None)
                return ResponseEvent(self.response)
            case TextEvent():
                self._text.append(event.text)
            case ReasoningEvent():
                self._reasoning.append(event.text)
            case ToolCallEvent(call, complete=True):
                self._calls.append(call)
            case ToolCallEvent(call):
                self._cut_call = call
        return event

    def end(self, error: BaseException | None) -> None:
        """Notes that there is no more."""
        if not self.over:
            self.over = True
            self._told(ProviderErrorInfo() if error is None else ProviderErrorInfo.of(error))

    def whole(self) -> ChatResponse:
        """The response.

        Raises:
            InferenceError: the answer was closed before there was one.
        """
        if self.response is None:
            raise InferenceError(
                "[provider] this answer was closed before its end; read it to the end, or ask "
                "again."
            )
        return self.response

    def _response(self, finish: FinishEvent) -> ChatResponse:
        stats = finish.stats
        now = time.perf_counter()
        return ChatResponse(
            text="".join(self._text),
            finish_reason=finish.reason,
            model=self._model,
            tool_calls=tuple(self._calls),
            cut_call=self._cut_call,
            reasoning="".join(self._reasoning),
            usage=TokenUsage(
                stats.prompt_tokens, stats.output_tokens, stats.cached_tokens, self._cost(stats)
            ),
            timings=Timings((self._first or now) - self._began, now - self._began),
            stats=stats,
        )
