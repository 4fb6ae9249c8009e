"""Answers under way: their events as they come, and their end where the client leaves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Protocol, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from convergio_mlx.chats.events import FinishEvent, StreamEvent, ToolCallEvent
from convergio_mlx.chats.response import ChatResponse
from convergio_mlx.chats.stream import AsyncEventStream
from convergio_mlx.server.metrics import Metrics
from convergio_mlx.server.problems import FAULT, STOPPING, Problem, RefusedError, problem_of

LOG = logging.getLogger("convergio_mlx.server")
Result = TypeVar("Result")
Indexed = tuple[int, StreamEvent]


class Answers:
    """One or several answers to a request. They are counted as under way until closed."""

    def __init__(self, streams: Sequence[AsyncEventStream], metrics: Metrics) -> None:
        """Begins nothing yet."""
        self._streams = streams
        self._metrics = metrics
        metrics.under_way += len(streams)

    async def start(self) -> None:
        """Begins them all; raises what is wrong with the request."""
        await asyncio.gather(*(stream.start() for stream in self._streams))

    async def events(self) -> AsyncGenerator[Indexed, None]:
        """Their events, each with the number of its answer."""
        news: asyncio.Queue[tuple[int, StreamEvent | Exception]] = asyncio.Queue(1)
        readers = [
            asyncio.ensure_future(_read(index, stream, news))
            for index, stream in enumerate(self._streams)
        ]
        left = len(readers)
        try:
            while left:
                index, event = await news.get()
                if isinstance(event, Exception):
                    raise event
                if isinstance(event, FinishEvent):
                    left -= 1
                    self._note(event.response)
                if not isinstance(event, ToolCallEvent) or event.call.name:
                    yield index, event  # a call that was cut off before its name is none to clients
        finally:
            for reader in readers:
                reader.cancel()

    async def whole(self) -> list[ChatResponse]:
        """Waits for all of them."""
        done: dict[int, ChatResponse] = {}
        async with aclosing(self.events()) as events:
            async for index, event in events:
                if isinstance(event, FinishEvent):
                    done[index] = event.response
        return [done[index] for index in sorted(done)]

    def close(self) -> None:
        """Cancels what is not finished. Idempotent."""
        streams, self._streams = self._streams, ()
        self._metrics.under_way -= len(streams)
        for stream in streams:
            stream.cancel()

    def _note(self, response: ChatResponse) -> None:
        self._metrics.answered(response.usage, response.timings)
        if response.finish_reason == "cancelled":  # by the provider, which is shut down
            raise RefusedError(STOPPING)


async def _read(
    index: int, stream: AsyncEventStream, news: asyncio.Queue[tuple[int, StreamEvent | Exception]]
) -> None:
    try:
        async for event in stream:
            await news.put((index, event))
    except Exception as error:
        await news.put((index, error))


class Writer(Protocol):
    """Writes the pieces of a streamed answer in the form of one interface."""

    media_type: str

    def begin(self) -> Iterable[bytes]:
        """What comes before the first event."""

    def event(self, index: int, event: StreamEvent) -> Iterable[bytes]:
        """An event of the answer of that number."""

    def end(self) -> Iterable[bytes]:
        """What comes after the last event."""

    def failed(self, problem: Problem) -> Iterable[bytes]:
        """What comes in the place of all further events."""


class EventResponse(StreamingResponse):
    """Answers as they are made. They end where the client leaves, or takes nothing for so long."""

    def __init__(self, answers: Answers, writer: Writer, seconds: float) -> None:
        """Takes answers that have begun, and how long a client may take for a piece."""
        self._answers = answers
        self._seconds = seconds
        self._pieces = _pieces(answers, writer)
        super().__init__(
            self._pieces,
            media_type=writer.media_type,
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends them."""
        finished = False

        async def timed(message: Any) -> None:
            nonlocal finished
            try:
                async with asyncio.timeout(self._seconds):
                    await send(message)
            except TimeoutError:  # one that takes nothing has left
                raise ClientDisconnect from None
            finished = message["type"] == "http.response.body" and not message.get("more_body")

        try:
            await super().__call__(scope, receive, timed)
        finally:
            self._answers.close()
            await self._pieces.aclose()
        if not finished:
            raise ClientDisconnect


async def _pieces(answers: Answers, writer: Writer) -> AsyncGenerator[bytes, None]:
    try:
        for piece in writer.begin():
            yield piece
        async with aclosing(answers.events()) as events:
            async for index, event in events:
                for piece in writer.event(index, event):
                    yield piece
        for piece in writer.end():
            yield piece
    except Exception as error:
        problem = problem_of(error)
        if problem is FAULT:
            LOG.error("an answer failed", exc_info=error)
        for piece in writer.failed(problem):
            yield piece


async def while_there(request: Request, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """What some work gives, which ends where the client leaves.

    Raises:
        ClientDisconnect: it left.
    """
    working = asyncio.ensure_future(work())
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
