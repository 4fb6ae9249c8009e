"""An answer as a stream of events: text, reasoning, tool calls, and how it ended."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Self

from convergio_mlx.answers.events import (
    Answer,
    Event,
    FinishEvent,
    ReasoningEvent,
    TextEvent,
    ToolCallEvent,
    whole,
)
from convergio_mlx.answers.reasoning import Splitter
from convergio_mlx.answers.tool_parser import ToolParser
from convergio_mlx.generation import (
    AsyncGeneration,
    Chunk,
    Generation,
    GenerationStats,
    Prepared,
    TokenLogprob,
)


class EventParser:
    """Turns an answer's text into events. They depend on the text alone, not on its pieces, but
    that adjoining text may come in one event or in several."""

    def __init__(self, splitter: Splitter | None, tools: ToolParser | None) -> None:
        """Takes what splits off the reasoning, and what finds the calls, where there are such."""
        self._splitter = splitter
        self._tools = tools

    def feed(self, text: str) -> list[Event]:
        """Takes the next piece of the answer; returns what is certain now."""
        if self._splitter is None:
            return self._answer(text)
        out: list[Event] = []
        for kind, piece in self._splitter.feed(text):
            out += [ReasoningEvent(piece)] if kind == "reasoning" else self._answer(piece)
        return out

    def finish(self, cut: bool) -> list[Event]:
        """Returns what was held back; `cut` where the answer was ended from outside."""
        out: list[Event] = []
        if self._splitter is not None:
            for kind, piece in self._splitter.finish():
                out += [ReasoningEvent(piece)] if kind == "reasoning" else self._answer(piece)
        return out if self._tools is None else [*out, *self._tools.finish(cut)]

    def _answer(self, text: str) -> list[Event]:
        if self._tools is not None:
            return [*self._tools.feed(text)]
        return [TextEvent(text)] if text else []


class _Events:
    """Chunks in, events out, up to the FinishEvent."""

    def __init__(self, parser: EventParser, prepared: Prepared) -> None:
        self._parser = parser
        self._stop_strings = prepared.stop_strings
        self._calls = False
        self._token_ids: list[int] = []
        self._logprobs: list[TokenLogprob] = []

    def add(self, chunk: Chunk, stats: GenerationStats) -> list[Event]:
        self._token_ids += chunk.token_ids
        self._logprobs += chunk.logprobs
        events = self._parser.feed(chunk.text)
        reason = chunk.finish_reason
        if reason is not None:
            cut = reason != "stop" or self._stop_strings.matched is not None
            events += self._parser.finish(cut)
        self._calls = self._calls or any(_is_call(event) for event in events)
        if reason is not None:
            called = reason == "stop" and self._calls
            events.append(
                FinishEvent(
                    "tool_calls" if called else reason,
                    stats,
                    tuple(self._token_ids),
                    tuple(self._logprobs),
                )
            )
        return events


def _is_call(event: Event) -> bool:
    return isinstance(event, ToolCallEvent) and event.complete


class EventStream(Iterator[Event]):
    """The events of an answer being made, the last of them a FinishEvent; as `Generation`, it is
    read by one thread at a time and cancelled by any."""

    def __init__(self, prepared: Prepared, parser: EventParser) -> None:
        """Submits a request; made by `Engine.stream`."""
        self._generation = Generation(prepared)
        self._events = _Events(parser, prepared)
        self._ready: deque[Event] = deque()

    def __next__(self) -> Event:
        """The next event; waits for it. Raises as `Generation` does."""
        while not self._ready:
            chunk = next(self._generation)
            self._ready.extend(self._events.add(chunk, self._generation.stats))
        return self._ready.popleft()

    def cancel(self) -> None:
        """Ends the answer soon, inside prefill too; its FinishEvent says "cancelled"."""
        self._generation.cancel()

    @property
    def stats(self) -> GenerationStats:
        """What the answer took so far."""
        return self._generation.stats

    def answer(self) -> Answer:
        """Waits for the end and returns what all events not yet taken add up to."""
        return whole(list(self))

    def __enter__(self) -> Self:
        """Cancels at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Cancels what is not finished."""
        self.cancel()


class AsyncEventStream(AsyncIterator[Event]):
    """As `EventStream`, for asyncio; as `AsyncGeneration`, it starts when first awaited and never
    blocks the loop."""

    def __init__(self, prepare: Callable[[], tuple[Prepared, EventParser]]) -> None:
        """Made by `Engine.astream`; `prepare` runs on a thread of its own."""
        self._make = prepare
        self._generation = AsyncGeneration(self._prepare)
        self._events: _Events | None = None
        self._ready: deque[Event] = deque()

    def _prepare(self) -> Prepared:
        prepared, parser = self._make()
        self._events = _Events(parser, prepared)
        return prepared

    def __aiter__(self) -> Self:
        """Itself."""
        return self

    async def __anext__(self) -> Event:
        """The next event; raises as `EventStream` does, StopAsyncIteration at the end."""
        while not self._ready:
            chunk = await anext(self._generation)
            if self._events is not None:  # the first chunk comes after _prepare
                self._ready.extend(self._events.add(chunk, self._generation.stats))
        return self._ready.popleft()

    def cancel(self) -> None:
        """Ends the answer soon; its FinishEvent says "cancelled"."""
        self._generation.cancel()

    async def aclose(self) -> None:
        """Cancels what is not finished; there are no further events."""
        self._ready.clear()
        await self._generation.aclose()

    @property
    def stats(self) -> GenerationStats:
        """What the answer took so far."""
        return self._generation.stats

    async def answer(self) -> Answer:
        """Waits for the end and returns what all events not yet taken add up to."""
        return whole([event async for event in self])

    async def __aenter__(self) -> Self:
        """Closes at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cancels what is not finished."""
        await self.aclose()
