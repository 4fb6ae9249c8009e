"""An answer of several rounds: calls of tools that are functions are run, and the model goes on
with their results."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from convergio_mlx.chats.events import End, SourceEvent, ToolResultEvent
from convergio_mlx.chats.function_tools import Function, bound, error_text, is_async, result_text
from convergio_mlx.chats.request import ChatRequest
from convergio_mlx.chats.response_builder import Turn
from convergio_mlx.chats.stream import Source
from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.errors import DeadlineExceededError, InvalidRequestError
from convergio_mlx.generation.stats import GenerationStats
from convergio_mlx.text.messages import checked

Open = Callable[[ChatRequest], Source]


def opened(request: ChatRequest, open_source: Open) -> Source:
    """The source of an answer, of several rounds where the request wants its tools run."""
    return ToolRuns(request, open_source) if request.run_tools else open_source(request)


class Rounds:
    """What was said in this round, and what becomes of it."""

    def __init__(self, request: ChatRequest) -> None:
        """Takes the request of the first round."""
        self.request = request
        self.earlier: list[GenerationStats] = []
        self._functions = {tool.name: tool.function for tool in request.tools if tool.function}
        self._deadline = None if request.timeout is None else time.monotonic() + request.timeout
        self._turn = Turn()
        self._results: list[dict[str, Any]] = []

    def take(self, event: SourceEvent) -> None:
        """An event of this round."""
        self._turn.take(event)

    def calls(self, end: End) -> list[ToolCall]:
        """The calls to run before the model goes on; none where the answer ends here."""
        calls = self._turn.calls
        known = all(call.name in self._functions for call in calls)
        goes_on = end.reason == "tool_calls" and len(self.earlier) < self.request.max_tool_rounds
        return calls if known and goes_on else []

    def function(self, call: ToolCall) -> Function:
        """What a call calls."""
        return self._functions[call.name]

    def result(self, call: ToolCall, content: str) -> ToolResultEvent:
        """What a call gave, which the next round is told."""
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
        """The end of the answer, with the stats of the rounds before it."""
        return replace(end, earlier=tuple(self.earlier))

    @staticmethod
    def late() -> DeadlineExceededError:
        """What is raised where the deadline has passed."""
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
        self._rounds = Rounds(request)
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


def _run(function: Function, call: ToolCall, rounds: Rounds) -> str:
    """What a call gives, within the deadline."""
    seconds = rounds.left()
    if seconds is None:
        return content_of(function, call.arguments)
    given: list[str | BaseException] = []

    def work() -> None:
        try:
            given.append(content_of(function, call.arguments))
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


def content_of(function: Function, arguments: str) -> str:
    """What a call gives the model: its result, or what is wrong with it."""
    try:
        return result_text(bound(function, arguments)())
    except Exception as error:
        return error_text(error)
