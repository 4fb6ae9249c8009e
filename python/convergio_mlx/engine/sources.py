"""The chunks of a generation as the events of an answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from convergio_mlx.chats.event_parser import EventParser, ParsedEvent
from convergio_mlx.chats.events import (
    End,
    ReasoningEvent,
    SourceEvent,
    TextEvent,
    ToolCallEvent,
)
from convergio_mlx.chats.token_spans import TokenSpans
from convergio_mlx.generation.generation import AsyncGeneration, Generation
from convergio_mlx.generation.reader import Prepared
from convergio_mlx.generation.stats import Chunk, GenerationStats, TokenLogprob
from convergio_mlx.platform.deadline import Deadline

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
        self._spans = TokenSpans()
        self._reasoning_tokens = 0

    def add(self, chunk: Chunk, stats: Callable[[], GenerationStats]) -> list[SourceEvent]:
        """The events of a chunk; `stats` is called with the last one."""
        self._logprobs += chunk.logprobs
        events: list[SourceEvent] = []
        for token, piece in zip(chunk.token_ids, chunk.pieces, strict=True):
            self._spans.add(len(self._token_ids), piece)
            self._token_ids.append(token)
            self._say(self._parser.feed(piece), events)
        reason = chunk.finish_reason
        if reason is not None:
            cut = reason != "stop" or self._stop_strings.matched is not None
            rest = self._parser.feed(chunk.text[sum(map(len, chunk.pieces)) :])
            self._say([*rest, *self._parser.finish(cut)], events)
        self._called = self._called or any(_is_call(event) for event in events)
        if reason is not None:
            called = reason == "stop" and self._called
            end = "tool_calls" if called else reason
            tokens, logprobs = tuple(self._token_ids), tuple(self._logprobs)
            stop_text = self._stop_strings.matched
            taken = replace(stats(), reasoning_tokens=self._reasoning_tokens)
            events.append(End(end, taken, tokens, logprobs, stop_text))
        return events

    def _say(self, found: Sequence[ParsedEvent], events: list[SourceEvent]) -> None:
        """Adds events to those of a chunk; adjoining text becomes one."""
        for event, tokens in zip(found, self._spans.take(found), strict=True):
            before = events[-1] if events else None
            match event:
                case TextEvent(text):
                    logprobs = tuple(self._logprobs[i] for i in tokens) if self._logprobs else ()
                    if isinstance(before, TextEvent):
                        text, logprobs = before.text + text, before.logprobs + logprobs
                        events.pop()
                    events.append(TextEvent(text, logprobs))
                case ReasoningEvent(text):
                    self._reasoning_tokens += len(tokens)
                    if isinstance(before, ReasoningEvent):
                        text = before.text + text
                        events.pop()
                    events.append(ReasoningEvent(text))
                case _:
                    events.append(event)


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
        prepare: Callable[[Deadline], tuple[Prepared, EventParser]],
        timeout: float | None,
        release: Release = nothing,
    ) -> None:
        """Takes what makes the request, in how many seconds from the start the answer must be
        complete, and what to call when this is closed."""
        self._release = release
        self._make = prepare
        self._events: Events | None = None
        self._ready: deque[SourceEvent] = deque()
        self._generation = AsyncGeneration(self._prepare, lambda: timeout)

    def _prepare(self, deadline: Deadline) -> Prepared:
        prepared, parser = self._make(deadline)
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
