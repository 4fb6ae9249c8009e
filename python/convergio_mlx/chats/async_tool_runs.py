"""An answer of several rounds, for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import AsyncIterator, Awaitable, Callable

from convergio_mlx.chats.events import End, SourceEvent
from convergio_mlx.chats.function_tools import Function, bound, error_text, is_async, result_text
from convergio_mlx.chats.request import ChatRequest
from convergio_mlx.chats.stream import AsyncSource
from convergio_mlx.chats.tool_runs import Rounds, content_of
from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.generation.stats import GenerationStats

AsyncOpen = Callable[[ChatRequest], Awaitable[AsyncSource]]


async def aopened(request: ChatRequest, open_source: AsyncOpen) -> AsyncSource:
    """As `opened`, for asyncio."""
    if not request.run_tools:
        return await open_source(request)
    return await AsyncToolRuns(request, open_source).start()


class AsyncToolRuns:
    """As `ToolRuns`, for asyncio. Functions that are not async run on threads of their own."""

    def __init__(self, request: ChatRequest, open_source: AsyncOpen) -> None:
        """Opens nothing yet; see `start`."""
        self._rounds = Rounds(request)
        self._open = open_source
        self._loop = asyncio.get_running_loop()
        self._cancelled = False
        self._source: AsyncSource | None = None
        self._running: asyncio.Future[str] | None = None
        self._events = self._read()

    async def start(self) -> AsyncToolRuns:
        """Opens the first round; raises what is wrong with the request."""
        self._source = await self._open(self._rounds.request)
        return self

    async def __anext__(self) -> SourceEvent:
        """The next event."""
        return await anext(self._events)

    def cancel(self) -> None:
        """Ends it soon; from any thread."""
        self._cancelled = True
        if self._source is not None:
            self._source.cancel()
        with contextlib.suppress(RuntimeError):  # that loop is closed
            self._loop.call_soon_threadsafe(self._leave)

    def close(self) -> None:
        """Releases everything; from any thread."""
        self.cancel()
        if self._source is not None:
            self._source.close()

    @property
    def stats(self) -> GenerationStats:
        """What the round under way took."""
        return GenerationStats() if self._source is None else self._source.stats

    def _leave(self) -> None:
        """Leaves the function that runs."""
        if self._running is not None:
            self._running.cancel()

    async def _read(self) -> AsyncIterator[SourceEvent]:
        rounds, source = self._rounds, self._source
        while source is not None:
            event = await anext(source)
            if not isinstance(event, End):
                rounds.take(event)
                yield event
                continue
            calls = rounds.calls(event)
            if not calls:
                yield rounds.last(event)
                return
            source.close()
            for call in calls:
                content = await self._run(rounds.function(call), call)
                if content is None:
                    yield rounds.last(End("cancelled", event.stats))
                    return
                yield rounds.result(call, content)
            source = self._source = await self._open(rounds.next(event))
            if self._cancelled:
                source.cancel()

    async def _run(self, function: Function, call: ToolCall) -> str | None:
        """What a call gives, within the deadline; None where the answer was cancelled."""
        if self._cancelled:
            return None
        seconds = self._rounds.left()
        work = _awaited if is_async(function) else _on_a_thread
        self._running = asyncio.ensure_future(work(function, call.arguments))
        try:
            async with asyncio.timeout(seconds):
                return await self._running
        except TimeoutError as error:
            raise self._rounds.late() from error
        except asyncio.CancelledError:
            if self._cancelled and self._running.cancelled():
                return None
            raise
        finally:
            self._running.cancel()
            self._running = None


async def _awaited(function: Function, arguments: str) -> str:
    try:
        return result_text(await bound(function, arguments)())
    except Exception as error:
        return error_text(error)


async def _on_a_thread(function: Function, arguments: str) -> str:
    """As `content_of`, on a thread that nothing waits for when the loop ends."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[str] = loop.create_future()

    def settle(content: str | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(content or "")
        else:
            done.set_exception(error)

    def work() -> None:
        content, failure = None, None
        try:
            content = content_of(function, arguments)
        except BaseException as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # that loop is closed
            loop.call_soon_threadsafe(settle, content, failure)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), daemon=True).start()
    return await done
