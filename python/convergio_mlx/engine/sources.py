"""The chunks of a generation as the events of an answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from convergio_mlx.chats.event_parser import EventParser
from convergio_mlx.chats.events import (
    End,
    ReasoningEvent,
    SourceEvent,
    TextEvent,
    ToolCallEvent,
)
from convergio_mlx.generation.generation import AsyncGeneration, Generation
from convergio_mlx.generation.reader import Prepared
from convergio_mlx.generation.stats import Chunk, GenerationStats, TokenLogprob

Release = Callable[[], object]


class Events:
    """Chunks in, events out, up to the end."""

    def __init__(self, prepared: Prepared, parser: EventParser) -> None:
        """Takes the request that is answered, and what reads its text."""
        self._parser = parser
        self._stop_strings = prepared.stop_strings
        self._called = False
        self._token_ids: list[int] = []
        self._logprobs: list[TokenLogprob] = []
        self._placed = 0
        self._reasoning_tokens = 0

    def add(self, chunk: Chunk, stats: Callable[[], GenerationStats]) -> list[SourceEvent]:
        """The events of a chunk; `stats` is called with the last one."""
        self._token_ids += chunk.token_ids
        self._logprobs += chunk.logprobs
        reason = chunk.finish_reason
        events: list[SourceEvent] = [*self._parser.feed(chunk.text)]
        if reason is not None:
            cut = reason != "stop" or self._stop_strings.matched is not None
            events += self._parser.finish(cut)
        self._called = self._called or any(_is_call(event) for event in events)
        self._place_tokens(events)
        if reason is not None:
            called = reason == "stop" and self._called
            end = "tool_calls" if called else reason
            tokens, logprobs = tuple(self._token_ids), tuple(self._logprobs)
            stop_text = self._stop_strings.matched
            taken = replace(stats(), reasoning_tokens=self._reasoning_tokens)
            events.append(End(end, taken, tokens, logprobs, stop_text))
        return events

    def _place_tokens(self, events: list[SourceEvent]) -> None:
        """Counts the tokens that no event was made of yet to the first of the events."""
        if not events:
            return
        first, begin = events[0], self._placed
        self._placed = len(self._token_ids)
        if isinstance(first, ReasoningEvent):
            self._reasoning_tokens += self._placed - begin
        elif isinstance(first, TextEvent) and self._logprobs:
            events[0] = TextEvent(first.text, tuple(self._logprobs[begin : self._placed]))


def _is_call(event: SourceEvent) -> bool:
    return isinstance(event, ToolCallEvent) and event.complete


def nothing() -> None:
    """Stands where nothing is to be released."""


class EngineSource:
    """For threads. Submits its request when it is made."""

    def __init__(self, prepared: Prepared, parser: EventParser, release: Release = nothing) -> None:
        """Takes a request, what reads its answer, and what to call when it is closed."""
        self._release = release
        self._events = Events(prepared, parser)
        self._ready: deque[SourceEvent] = deque()
        self._generation = Generation(prepared)

    def __next__(self) -> SourceEvent:
        """The next event; waits for it. Raises as `Generation` does."""
        while not self._ready:
            chunk = next(self._generation)
            self._ready.extend(self._events.add(chunk, lambda: self.stats))
        return self._ready.popleft()

    def cancel(self) -> None:
        """Ends it soon, inside prefill too; from any thread."""
        self._generation.cancel()

    def close(self) -> None:
        """Ends it, and releases what it holds."""
        self._generation.cancel()
        self._release()

    @property
    def stats(self) -> GenerationStats:
        """What the answer took so far."""
        return self._generation.stats


class AsyncEngineSource:
    """For asyncio. `start` prepares the request off the loop, and submits it."""

    def __init__(
        self,
        prepare: Callable[[], tuple[Prepared, EventParser]],
        release: Release = nothing,
    ) -> None:
        """Takes what makes the request, and what to call when this is closed."""
        self._release = release
        self._make = prepare
        self._events: Events | None = None
        self._ready: deque[SourceEvent] = deque()
        self._generation = AsyncGeneration(self._prepare)

    def _prepare(self) -> Prepared:
        prepared, parser = self._make()
        self._events = Events(prepared, parser)
        return prepared

    async def start(self) -> AsyncEngineSource:
        """Prepares and submits the request; raises what is wrong with it."""
        await self._generation.start()
        return self

    async def __anext__(self) -> SourceEvent:
        """The next event; raises as `AsyncGeneration` does."""
        while not self._ready:
            chunk = await anext(self._generation)
            if self._events is not None:  # the first chunk comes after _prepare
                self._ready.extend(self._events.add(chunk, lambda: self.stats))
        return self._ready.popleft()

    def cancel(self) -> None:
        """Ends it soon; from any thread."""
        self._generation.cancel()

    def close(self) -> None:
        """Ends it, and releases what it holds; from any thread."""
        self._generation.close()
        self._release()

    @property
    def stats(self) -> GenerationStats:
        """What the answer took so far."""
        return self._generation.stats
