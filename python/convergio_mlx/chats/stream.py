"""An answer as it is made, from whatever source: one stream for threads, one for asyncio."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

from convergio_mlx.chats.events import End, SourceEvent, StreamEvent
from convergio_mlx.chats.response import ChatResponse
from convergio_mlx.chats.response_builder import ResponseBuilder
from convergio_mlx.errors import InferenceError
from convergio_mlx.generation.reader import already_read
from convergio_mlx.generation.stats import GenerationStats
from convergio_mlx.generation.turns import Turns

if TYPE_CHECKING:
    import asyncio


class _Cancellable(Protocol):
    """Where events come from."""

    def cancel(self) -> None:
        """Ends it soon, with the reason "cancelled"; from any thread."""

    def close(self) -> None:
        """Releases everything and cancels what is not finished. Idempotent, from any thread."""

    @property
    def stats(self) -> GenerationStats:
        """What the answer took so far."""


class Source(_Cancellable, Protocol):
    """Where a blocking stream's events come from; the last one is an `End`."""

    def __next__(self) -> SourceEvent:
        """The next event; waits for it."""


class AsyncSource(_Cancellable, Protocol):
    """Where an asyncio stream's events come from; the last one is an `End`."""

    async def __anext__(self) -> SourceEvent:
        """The next event."""


SourceT = TypeVar("SourceT", bound=_Cancellable)


class _Stream(Generic[SourceT]):
    """Reads a source, and closes it when the answer has ended or nothing can read it any more."""

    _source: SourceT | None = None
    _stats = GenerationStats()

    def __init__(self, builder: ResponseBuilder) -> None:
        self._builder = builder

    @property
    def stats(self) -> GenerationStats:
        """What the answer took so far."""
        source = self._source
        return self._stats if source is None else source.stats

    def __del__(self) -> None:
        """Cancels an answer that nothing can read any more."""
        self._close()

    def _taken(self, event: SourceEvent) -> StreamEvent:
        taken = self._builder.take(event)
        if self._builder.ended:
            self._close()
        return taken

    def _failed(self, error: BaseException) -> None:
        self._builder.end(error)
        self._close()

    def _close(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            self._stats = source.stats
            source.close()


def _unfinished() -> InferenceError:
    return InferenceError(
        "[chat] the answer ended without saying why, so it may be incomplete; ask again."
    )


class EventStream(_Stream[Source], Iterator[StreamEvent]):
    """An answer being made: iterate over its events, in one thread at a time. `cancel()` may be
    called from any thread; leaving a `with` block, or dropping the last reference, cancels too."""

    def __init__(self, builder: ResponseBuilder, source: Source) -> None:
        """Made by `Engine.stream` and `Provider.stream`."""
        super().__init__(builder)
        self._source = source
        self._reading = threading.Lock()

    def __next__(self) -> StreamEvent:
        """The next event; waits for it. The last one is a `FinishEvent`."""
        if not self._reading.acquire(blocking=False):
            raise already_read("chat")
        try:
            return self._next()
        finally:
            self._reading.release()

    def _next(self) -> StreamEvent:
        source = self._source
        if source is None or self._builder.ended:
            raise StopIteration
        try:
            try:
                return self._taken(next(source))
            except StopIteration:
                raise _unfinished() from None
        except BaseException as error:
            self._failed(error)
            raise

    def response(self) -> ChatResponse:
        """Waits for the end and returns the whole answer."""
        for _ in self:
            pass
        return self._builder.whole()

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


class AsyncEventStream(_Stream[AsyncSource], AsyncIterator[StreamEvent]):
    """An answer being made, for asyncio: the loop is never blocked. Starts with `start` or when
    first awaited, and is read by one task at a time, on one loop. `cancel()` may be called from any
    thread; a task cancelled while it reads, leaving an `async with` block, or dropping the last
    reference cancels too."""

    def __init__(
        self, builder: ResponseBuilder, open_source: Callable[[], Awaitable[AsyncSource]]
    ) -> None:
        """Made by `Engine.astream` and `Provider.astream`."""
        super().__init__(builder)
        self._open: Callable[[], Awaitable[AsyncSource]] | None = open_source
        self._opening: asyncio.Future[AsyncSource] | None = None
        self._turns = Turns("chat")
        self._cancelled = False

    async def start(self) -> Self:
        """Begins the answer, so that what is wrong with the request is raised here and not with the
        first event: before a web response has begun, say. A second call does nothing."""
        with self._reader():
            await self._source_opened()
        return self

    async def __anext__(self) -> StreamEvent:
        """The next event. The last one is a `FinishEvent`."""
        with self._reader():
            source = await self._source_opened()
            if self._builder.ended:
                raise StopAsyncIteration
            if source is None and self._cancelled:
                return self._taken(End("cancelled", GenerationStats()))
            if source is None:
                raise StopAsyncIteration
            try:
                return self._taken(await anext(source))
            except StopAsyncIteration:
                raise _unfinished() from None

    def _reader(self) -> AbstractContextManager[None]:
        """What goes wrong ends the answer; its end is none."""

        def failed(error: BaseException) -> None:
            if not isinstance(error, StopAsyncIteration):
                self._failed(error)

        return self._turns.one(failed)

    async def _source_opened(self) -> AsyncSource | None:
        open_source, self._open = self._open, None
        if open_source is not None:
            self._builder.begin()
            self._source = await self._opened(open_source)
            if self._cancelled and self._source is not None:
                self._source.cancel()
        return self._source

    async def _opened(
        self, open_source: Callable[[], Awaitable[AsyncSource]]
    ) -> AsyncSource | None:
        """The source; None where `cancel()` came meanwhile."""
        import asyncio

        opening = self._opening = asyncio.ensure_future(open_source())
        try:
            return await opening
        except asyncio.CancelledError:
            if opening.cancelled() and self._cancelled:
                return None
            # The reading task was cancelled, and not the answer: perhaps just after it was opened.
            is_done = not opening.cancel() and not opening.cancelled()
            if is_done and opening.exception() is None:
                opening.result().close()
            raise
        finally:
            self._opening = None

    async def response(self) -> ChatResponse:
        """Waits for the end and returns the whole answer."""
        async for _ in self:
            pass
        return self._builder.whole()

    def cancel(self) -> None:
        """Ends the answer soon; its last event then says "cancelled"."""
        self._cancelled = True
        source, opening, loop = self._source, self._opening, self._turns.loop
        if source is not None:
            source.cancel()
        elif opening is not None and loop is not None:
            with suppress(RuntimeError):  # that loop is closed
                loop.call_soon_threadsafe(opening.cancel)

    async def aclose(self) -> None:
        """Cancels what is not finished; there are no further events."""
        self._open = None
        self._close()

    async def __aenter__(self) -> Self:
        """Closes at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cancels what is not finished."""
        await self.aclose()
