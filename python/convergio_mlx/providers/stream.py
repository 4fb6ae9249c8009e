"""An answer as it is made, from whatever provider, for threads and for asyncio."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

from convergio_mlx.errors import InferenceError, InvalidRequestError
from convergio_mlx.providers.transcript import StreamEvent, Transcript

if TYPE_CHECKING:
    from convergio_mlx.answers.events import Event
    from convergio_mlx.providers.chat import ChatResponse


class _Origin(Protocol):
    """Where events come from."""

    def cancel(self) -> None:
        """Ends it soon, with the reason "cancelled"; from any thread."""

    def close(self) -> None:
        """Lets go of everything; cancels what is not finished. Idempotent."""


class Source(_Origin, Protocol):
    """Where a blocking stream's events come from; the last one is a `FinishEvent`."""

    def __next__(self) -> Event:
        """The next event; waits for it."""


class AsyncSource(_Origin, Protocol):
    """Where an asyncio stream's events come from; the last one is a `FinishEvent`."""

    async def __anext__(self) -> Event:
        """The next event."""


OriginT = TypeVar("OriginT", bound=_Origin)


class _Stream(Generic[OriginT]):
    """Reads a source, and lets go of it when the answer has ended or nobody can read it."""

    _source: OriginT | None = None

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript

    def __del__(self) -> None:
        """An answer nobody can read is not worth making."""
        self._close()

    def _taken(self, event: Event) -> StreamEvent:
        taken = self._transcript.take(event)
        if self._transcript.over:
            self._close()
        return taken

    def _failed(self, error: BaseException) -> None:
        self._transcript.end(error)
        self._close()

    def _close(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()


def _already_read() -> InvalidRequestError:
    return InvalidRequestError(
        "[provider] another thread or task is reading this answer; give each reader an answer of "
        "its own."
    )


def _unfinished() -> InferenceError:
    return InferenceError(
        "[provider] the answer ended without saying why, so it may be incomplete; ask again."
    )


class ChatStream(_Stream[Source], Iterator[StreamEvent]):
    """An answer being made: iterate over its events, in one thread at a time. `cancel()` may be
    called from any thread; leaving a `with` block, or dropping the last reference, cancels too."""

    def __init__(self, transcript: Transcript, source: Source) -> None:
        """Made by `Provider.stream`."""
        super().__init__(transcript)
        self._source = source
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
        return self._transcript.whole()

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


class AsyncChatStream(_Stream[AsyncSource], AsyncIterator[StreamEvent]):
    """An answer being made, for asyncio: the loop is never blocked. Starts when first awaited, and
    is read by one task at a time. `cancel()` may be called from any thread; a task cancelled while
    it reads, leaving an `async with` block, or dropping the last reference cancels too."""

    def __init__(self, transcript: Transcript, start: Callable[[], Awaitable[AsyncSource]]) -> None:
        """Made by `Provider.astream`."""
        super().__init__(transcript)
        self._start: Callable[[], Awaitable[AsyncSource]] | None = start
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
            if source is not None and not self._transcript.over:
                return await self._event(source)
        except BaseException as error:
            self._failed(error)
            raise
        raise StopAsyncIteration

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
            return self._taken(await anext(source))
        except StopAsyncIteration:
            raise _unfinished() from None

    async def response(self) -> ChatResponse:
        """Waits for the end and returns the whole answer."""
        async for _ in self:
            pass
        return self._transcript.whole()

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
