"""An answer as it is made, from whatever provider: events, and the response they add up to."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Protocol, Self

from convergio_mlx.answers.events import FinishEvent, ReasoningEvent, TextEvent, ToolCallEvent
from convergio_mlx.errors import InferenceError, InvalidRequestError
from convergio_mlx.providers.chat import ChatResponse, ResponseEvent, Timings, TokenUsage
from convergio_mlx.providers.interface import ProviderErrorInfo

if TYPE_CHECKING:
    from convergio_mlx.answers.events import Event
    from convergio_mlx.answers.tool_calls import ToolCall
    from convergio_mlx.generation import GenerationStats

StreamEvent = TextEvent | ReasoningEvent | ToolCallEvent | ResponseEvent


class Source(Protocol):
    """Where a blocking stream's events come from; the last one is a `FinishEvent`."""

    def __next__(self) -> Event:
        """The next event; waits for it."""

    def cancel(self) -> None:
        """Ends it soon, with the reason "cancelled"; from any thread."""

    def close(self) -> None:
        """Lets go of everything; cancels what is not finished. Idempotent."""


class AsyncSource(Protocol):
    """Where an asyncio stream's events come from; the last one is a `FinishEvent`."""

    async def __anext__(self) -> Event:
        """The next event."""

    def cancel(self) -> None:
        """Ends it soon, with the reason "cancelled"; from any thread."""

    def close(self) -> None:
        """Lets go of everything; cancels what is not finished. Idempotent."""


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
                self.response = self._whole(event)
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

    def _whole(self, finish: FinishEvent) -> ChatResponse:
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


def _already_read() -> InvalidRequestError:
    return InvalidRequestError(
        "[provider] another thread or task is reading this answer; give each reader an answer of "
        "its own."
    )


def _unfinished() -> InferenceError:
    return InferenceError(
        "[provider] the answer ended without saying why, so it may be incomplete; ask again."
    )


class ChatStream(Iterator[StreamEvent]):
    """An answer being made: iterate over its events, in one thread at a time. `cancel()` may be
    called from any thread; leaving a `with` block, or dropping the last reference, cancels too."""

    def __init__(self, transcript: Transcript, source: Source) -> None:
        """Made by `Provider.stream`."""
        self._transcript = transcript
        self._source: Source | None = source
        self._reading = threading.Lock()

    def __next__(self) -> StreamEvent:
        """The next event; waits for it. The last one is a `ResponseEvent`."""
        if not self._reading.acquire(blocking=False):
            raise _already_read()
        try:
            return self._next()
        finally:
            self._reading.release()

    def _next(self) -> StreamEvent:
        source = self._source
        if source is None or self._transcript.over:
            raise StopIteration
        try:
            try:
                event = self._transcript.take(next(source))
            except StopIteration:
                raise _unfinished() from None
        except BaseException as error:
            self._transcript.end(error)
            self._close()
            raise
        if self._transcript.over:
            self._close()
        return event

    def response(self) -> ChatResponse:
        """Waits for the end and returns the whole answer."""
        for _ in self:
            pass
        return _whole(self._transcript)

    def cancel(self) -> None:
        """Ends the answer soon; its last event then says "cancelled"."""
        source = self._source
        if source is not None:
            source.cancel()

    def __enter__(self) -> Self:
        """Closes at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Cancels what is not finished; there are no further events."""
        self._close()

    def __del__(self) -> None:
        """An answer nobody can read is not worth making."""
        if getattr(self, "_source", None) is not None:
            self._close()

    def _close(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()


class AsyncChatStream(AsyncIterator[StreamEvent]):
    """An answer being made, for asyncio: the loop is never blocked. Starts when first awaited, and
    is read by one task at a time. `cancel()` may be called from any thread; a task cancelled while
    it reads, leaving an `async with` block, or dropping the last reference cancels too."""

    def __init__(self, transcript: Transcript, start: Callable[[], Awaitable[AsyncSource]]) -> None:
        """Made by `Provider.astream`."""
        self._transcript = transcript
        self._start: Callable[[], Awaitable[AsyncSource]] | None = start
        self._source: AsyncSource | None = None
        self._cancelled = False
        self._reading = False

    async def __anext__(self) -> StreamEvent:
        """The next event. The last one is a `ResponseEvent`."""
        if self._reading:
            raise _already_read()
        self._reading = True
        try:
            return await self._next()
        finally:
            self._reading = False

    async def _next(self) -> StreamEvent:
        try:
            source = await self._opened()
            if source is None or self._transcript.over:
                raise StopAsyncIteration
            event = await self._event(source)
        except StopAsyncIteration:
            raise
        except BaseException as error:
            self._transcript.end(error)
            self._close()
            raise
        if self._transcript.over:
            self._close()
        return event

    async def _opened(self) -> AsyncSource | None:
        start, self._start = self._start, None
        if start is not None:
            self._transcript.begin()
            self._source = await start()
            if self._cancelled:
                self._source.cancel()
        return self._source

    async def _event(self, source: AsyncSource) -> StreamEvent:
        try:
            return self._transcript.take(await anext(source))
        except StopAsyncIteration:
            raise _unfinished() from None

    async def response(self) -> ChatResponse:
        """Waits for the end and returns the whole answer."""
        async for _ in self:
            pass
        return _whole(self._transcript)

    def cancel(self) -> None:
        """Ends the answer soon; its last event then says "cancelled"."""
        self._cancelled = True
        source = self._source
        if source is not None:
            source.cancel()

    async def aclose(self) -> None:
        """Cancels what is not finished; there are no further events."""
        self._start = None
        self._close()

    async def __aenter__(self) -> Self:
        """Closes at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cancels what is not finished."""
        await self.aclose()

    def __del__(self) -> None:
        """An answer nobody can read is not worth making."""
        if getattr(self, "_source", None) is not None:
            self._close()

    def _close(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()


def _whole(transcript: Transcript) -> ChatResponse:
    if transcript.response is None:
        raise InferenceError(
            "[provider] this answer was closed before its end; read it to the end, or ask again."
        )
    return transcript.response
