"""An answer of several rounds: calls of tools that are functions are run, and the model goes on
with their results."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

from convergio_mlx.chats.events import End, SourceEvent, ToolResultEvent
from convergio_mlx.chats.function_tools import Function, bound, error_text, is_async, result_text
from convergio_mlx.chats.request import ChatRequest
from convergio_mlx.chats.response_builder import Turn
from convergio_mlx.chats.stream import AsyncSource, Source
from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.errors import DeadlineExceededError, InvalidRequestError
from convergio_mlx.generation.stats import GenerationStats
from convergio_mlx.text.messages import checked

Open = Callable[[ChatRequest], Source]
AsyncOpen = Callable[[ChatRequest], Awaitable[AsyncSource]]


def opened(request: ChatRequest, open_source: Open) -> Source:
    """The source of an answer, of several rounds where the request wants its tools run."""
    return ToolRuns(request, open_source) if request.run_tools else open_source(request)


async def aopened(request: ChatRequest, open_source: AsyncOpen) -> AsyncSource:
    """As `opened`, for asyncio."""
    if not request.run_tools:
        return await open_source(request)
    return await AsyncToolRuns(request, open_source).start()


class _Rounds:
    """What was said in this round, and what becomes of it."""

    def __init__(self, request: ChatRequest) -> None:
        self.request = request
        self.earlier: list[GenerationStats] = []
        self._functions = {tool.name: tool.function for tool in request.tools if tool.function}
        self._deadline = None if request.timeout is None else time.monotonic() + request.timeout
        self._turn = Turn()
        self._results: list[dict[str, Any]] = []

    def take(self, event: SourceEvent) -> None:
        self._turn.take(event)

    def calls(self, end: End) -> list[ToolCall]:
        """The calls to run before the model goes on; none where the answer ends here."""
        calls = self._turn.calls
        known = all(call.name in self._functions for call in calls)
        goes_on = end.reason == "tool_calls" and len(self.earlier) < self.request.max_tool_rounds
        return calls if known and goes_on else []

    def function(self, call: ToolCall) -> Function:
        return self._functions[call.name]

    def result(self, call: ToolCall, content: str) -> ToolResultEvent:
        event = ToolResultEvent(call, content)
        self._results.append(event.message())
        return event

    def next(self, end: End) -> ChatRequest:
        """The request of the next round."""
        request = self.request
        self.earlier.append(end.stats)
        added = checked([self._turn.message(), *self._results])
        choice = request.choice
        if choice.mode == "required":  # it was called: from now on the model may answer
            left = request.tools if choice.is_named else choice.callable
            choice = replace(choice, mode="auto", callable=left, is_named=False)
        messages = [*request.messages, *added]
        self._turn, self._results = Turn(), []
        self.request = replace(request, messages=messages, choice=choice, timeout=self.left())
        return self.request

    def left(self) -> float | None:
        """Seconds until the deadline.

        Raises:
            DeadlineExceededError: it has passed.
        """
        if self._deadline is None:
            return None
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self.late()
        return left

    def last(self, end: End) -> End:
        return replace(end, earlier=tuple(self.earlier))

    @staticmethod
    def late() -> DeadlineExceededError:
        return DeadlineExceededError(
            "[tools] the deadline passed while tools were run; allow more time, or ask for less."
        )


class ToolRuns:
    """For threads. Functions run on the thread that reads."""

    def __init__(self, request: ChatRequest, open_source: Open) -> None:
        """Opens the first round."""
        if odd := [tool for tool in request.tools if tool.function and is_async(tool.function)]:
            raise InvalidRequestError(
                f"[tools] {odd[0].name!r} is an async function; use achat or astream, or give "
                "another."
            )
        self._rounds = _Rounds(request)
        self._open = open_source
        self._cancelled = False
        self._source = open_source(request)
        self._events = self._read()

    def __next__(self) -> SourceEvent:
        """The next event."""
        return next(self._events)

    def cancel(self) -> None:
        """Ends it soon, after the function that runs; from any thread."""
        self._cancelled = True
        self._source.cancel()

    def close(self) -> None:
        """Releases everything."""
        self._cancelled = True
        self._source.close()

    @property
    def stats(self) -> GenerationStats:
        """What the round under way took."""
        return self._source.stats

    def _read(self) -> Iterator[SourceEvent]:
        rounds = self._rounds
        while True:
            event = next(self._source)
            if not isinstance(event, End):
                rounds.take(event)
                yield event
                continue
            calls = rounds.calls(event)
            if not calls:
                yield rounds.last(event)
                return
            self._source.close()
            for call in calls:
                if self._cancelled:
                    yield rounds.last(End("cancelled", event.stats))
                    return
                yield rounds.result(call, _run(rounds.function(call), call, rounds))
            self._source = self._open(rounds.next(event))
            if self._cancelled:
                self._source.cancel()


def _run(function: Function, call: ToolCall, rounds: _Rounds) -> str:
    """What a call gives, within the deadline."""
    seconds = rounds.left()
    if seconds is None:
        return _content(function, call.arguments)
    given: list[str | BaseException] = []

    def work() -> None:
        try:
            given.append(_content(function, call.arguments))
        except BaseException as error:
            given.append(error)

    context = contextvars.copy_context()
    thread = threading.Thread(
        target=context.run, args=(work,), name=f"convergio-mlx-{call.name}", daemon=True
    )
    thread.start()
    thread.join(seconds)
    if not given:
        raise rounds.late()
    if isinstance(given[0], BaseException):
        raise given[0]
    return given[0]


def _content(function: Function, arguments: str) -> str:
    try:
        return result_text(bound(function, arguments)())
    except Exception as error:
        return error_text(error)


class AsyncToolRuns:
    """For asyncio. Functions that are not async run on threads of their own."""

    def __init__(self, request: ChatRequest, open_source: AsyncOpen) -> None:
        """Opens nothing yet; see `start`."""
        self._rounds = _Rounds(request)
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
    """As `_content`, on a thread that nothing waits for when the loop ends."""
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
            content = _content(function, arguments)
        except BaseException as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # that loop is closed
            loop.call_soon_threadsafe(settle, content, failure)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), daemon=True).start()
    return await done
