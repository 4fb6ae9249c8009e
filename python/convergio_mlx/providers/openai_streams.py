"""One streamed answer of an OpenAI-compatible service, for threads and for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from convergio_mlx.errors import DeadlineExceededError
from convergio_mlx.providers.openai_chat import Assembly
from convergio_mlx.providers.openai_chat import body as body_of
from convergio_mlx.providers.openai_errors import translated

if TYPE_CHECKING:
    import openai

    from convergio_mlx.chats.events import SourceEvent
    from convergio_mlx.chats.request import ChatRequest
    from convergio_mlx.generation.stats import GenerationStats


class OpenAIStream:
    """A streamed answer. `cancel` and the deadline wake a blocked read by closing its socket."""

    def __init__(self, client: openai.OpenAI, model: str, request: ChatRequest) -> None:
        """Sends the request and waits until the answer begins."""
        self._parts = Assembly()
        self._ended: str | None = None
        self._timer: threading.Timer | None = None
        seconds = request.timeout
        began = time.monotonic()
        options = {} if seconds is None else {"timeout": seconds}
        create: Any = client.chat.completions.create
        body = body_of(model, request)
        try:
            self._stream: Any = create(**body, **options)
        except Exception as error:
            raise translated(error) from error
        if seconds is not None:
            left = max(began + seconds - time.monotonic(), 0)
            self._timer = threading.Timer(left, self._end, ["timeout"])
            self._timer.daemon = True
            self._timer.start()
        self._events = self._read(seconds)

    def __next__(self) -> SourceEvent:
        """The next event."""
        return next(self._events)

    def cancel(self) -> None:
        """Ends it soon; from any thread."""
        self._end("cancelled")

    def close(self) -> None:
        """Gives the connection back, or closes it amid an answer."""
        if self._timer is not None:
            self._timer.cancel()
        self._stream.close()

    @property
    def stats(self) -> GenerationStats:
        """The token counts that the service has reported so far."""
        return self._parts.stats

    def _end(self, why: str) -> None:
        self._ended = self._ended or why
        network = self._stream.response.extensions.get("network_stream")
        connection: Any = None if network is None else network.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):  # closed already
            connection.shutdown(socket.SHUT_RDWR)

    def _read(self, seconds: float | None) -> Iterator[SourceEvent]:
        try:
            for chunk in self._stream:
                yield from self._parts.add(chunk)
                if self._ended:
                    break
        except Exception as error:
            if not self._ended:
                raise translated(error) from error
        if self._ended == "timeout":
            raise _late(seconds)
        if self._ended:
            yield self._parts.cancelled()
        else:
            yield from self._parts.finish()


class AsyncOpenAIStream:
    """A streamed answer for asyncio. `cancel` moves the deadline of the read under way to now."""

    def __init__(self, client: openai.AsyncOpenAI, model: str, request: ChatRequest) -> None:
        """Checks the request; `open` sends it."""
        self._parts = Assembly()
        self._client = client
        self._body = body_of(model, request)
        self._loop = asyncio.get_running_loop()
        self._seconds = request.timeout
        self._deadline = None if self._seconds is None else self._loop.time() + self._seconds
        self._cancelled = False
        self._limit: asyncio.Timeout | None = None
        self._stream: Any = None
        self._events = self._read()

    async def open(self) -> None:
        """Sends the request and waits until the answer begins."""
        try:
            async with asyncio.timeout_at(self._deadline):
                self._stream = await self._client.chat.completions.create(**self._body)
        except TimeoutError as error:
            raise _late(self._seconds) from error
        except Exception as error:
            raise translated(error) from error

    async def __anext__(self) -> SourceEvent:
        """The next event."""
        return await anext(self._events)

    def cancel(self) -> None:
        """Ends it soon; from any thread."""
        self._cancelled = True
        with contextlib.suppress(RuntimeError):  # that loop is closed
            self._loop.call_soon_threadsafe(self._expire)

    def close(self) -> None:
        """Gives the connection back, or closes it amid an answer."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(RuntimeError):  # that loop is closed, and the socket with it
                self._loop.call_soon_threadsafe(_spawn, self._loop, stream)

    @property
    def stats(self) -> GenerationStats:
        """The token counts that the service has reported so far."""
        return self._parts.stats

    def _expire(self) -> None:
        if self._limit is not None and not self._limit.expired():
            with contextlib.suppress(RuntimeError):  # between two reads
                self._limit.reschedule(self._loop.time())

    async def _read(self) -> AsyncIterator[SourceEvent]:
        chunks = aiter(self._stream)
        while not self._cancelled:
            try:
                async with asyncio.timeout_at(self._deadline) as self._limit:
                    chunk = await anext(chunks, None)
            except TimeoutError as error:
                if self._cancelled:
                    break
                raise _late(self._seconds) from error
            except Exception as error:
                raise translated(error) from error
            if chunk is None:
                for event in self._parts.finish():
                    yield event
                return
            for event in self._parts.add(chunk):
                yield event
        yield self._parts.cancelled()


_closing: set[asyncio.Task[None]] = set()


def _spawn(loop: asyncio.AbstractEventLoop, stream: Any) -> None:
    """Closes a stream on its loop."""
    task = loop.create_task(stream.close())
    _closing.add(task)
    task.add_done_callback(_closing.discard)


def _late(seconds: float | None) -> DeadlineExceededError:
    return DeadlineExceededError(
        f"[openai] the request took longer than its deadline of {seconds} s; allow it more time, "
        "or ask for less."
    )
