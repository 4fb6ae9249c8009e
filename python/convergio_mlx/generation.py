"""An answer as it is made: chunks of text, for threads and for asyncio."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.text.stop_strings import StopStrings

if TYPE_CHECKING:
    from convergio_mlx.text.detokenizer import Detokenizer

FinishReason = Literal["stop", "length", "cancelled"]
PrefixMiss = Literal[
    "", "off", "nothing kept", "diverged", "evicted", "trimmed", "other rotary table"
]
_POLL = 0.1
"""Seconds between looks at signals while a thread waits: Ctrl-C is heard this fast."""


@dataclass(frozen=True)
class TokenLogprob:
    """A token's log-probability under the model's own distribution."""

    token_id: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()
    """The likeliest tokens at its place with theirs, likeliest first."""


@dataclass(frozen=True)
class Chunk:
    """What was decided since the last chunk."""

    text: str
    """Whole characters; may be empty while one is incomplete or a stop string may begin."""
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    """One for each token, where asked for."""
    finish_reason: FinishReason | None = None
    """Set in the last chunk: stop (the model or a stop string), length, cancelled."""


@dataclass(frozen=True)
class GenerationStats:
    """What an answer took. Seconds and tokens."""

    template_seconds: float = 0.0
    tokenize_seconds: float = 0.0
    queued_seconds: float = 0.0
    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Of the prompt, those served from the KV cache of an earlier request."""
    prefix_miss: PrefixMiss = ""
    """Why no more were: off; nothing kept; diverged (what is kept differs from the prompt at token
    `prefix_missed_at`); evicted (what goes on to there had to make room); trimmed (its sliding
    layers no longer hold the rows before there); other rotary table (it was made for another
    length). Empty where all of the prompt or of what was kept is served."""
    prefix_missed_at: int = 0
    output_tokens: int = 0
    forced_tokens: int = 0
    """Of the output, those that a constraint forced and no step of the model was spent on."""
    mask_seconds: float = 0.0
    """In the constraint, which works while the model computes."""
    mask_wait_seconds: float = 0.0
    """Of those, what the model may have waited for: calls that outlasted its step."""
    kv_bytes: int = 0

    @property
    def first_token_seconds(self) -> float:
        """From the call to the first token."""
        return (
            self.template_seconds
            + self.tokenize_seconds
            + self.queued_seconds
            + self.prefill_seconds
        )

    @property
    def prefill_tokens_per_second(self) -> float:
        """Prompt tokens a second."""
        tokens = self.prompt_tokens - self.cached_tokens
        return tokens / self.prefill_seconds if self.prefill_seconds > 0 else 0.0

    @property
    def decode_tokens_per_second(self) -> float:
        """Tokens a second after the first."""
        return (self.output_tokens - 1) / self.decode_seconds if self.decode_seconds > 0 else 0.0


@dataclass(frozen=True)
class Prepared:
    """A request that is ready to be submitted, and how to read its tokens."""

    model: Any
    request: Any
    prompt: list[int]
    """Token ids."""
    detokenizer: Detokenizer
    stop_strings: StopStrings
    template_seconds: float
    tokenize_seconds: float


class _Reader:
    """Turns a native request's news into chunks; for one thread at a time."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.finished = False
        self._process = os.getpid()
        self._reading = threading.Lock()
        self._stats: Any = None
        self._output_tokens = 0

    def submit(self) -> None:
        self.prepared.model.submit(self.prepared.request)

    def cancel(self) -> None:
        self.prepared.request.cancel()

    def stats(self) -> GenerationStats:
        text = GenerationStats(
            template_seconds=self.prepared.template_seconds,
            tokenize_seconds=self.prepared.tokenize_seconds,
        )
        stats = self._stats
        if stats is None:
            return text
        return replace(
            text,
            queued_seconds=stats.queued,
            prefill_seconds=stats.prefill,
            decode_seconds=stats.decode,
            prompt_tokens=stats.prompt_tokens,
            cached_tokens=stats.cached_tokens,
            prefix_miss=stats.prefix_miss,
            prefix_missed_at=stats.prefix_missed_at,
            output_tokens=self._output_tokens,
            forced_tokens=stats.forced_tokens,
            mask_seconds=stats.mask,
            mask_wait_seconds=stats.mask_wait,
            kv_bytes=stats.kv_bytes,
        )

    def read(self, timeout: float | None) -> Chunk | None:
        """The next chunk, or None where there was no news in `timeout` seconds."""
        if os.getpid() != self._process:
            raise InvalidRequestError(
                "[engine] this answer is being made in the process that this one was forked off; "
                "ask for one in a process started with multiprocessing's 'spawn' method."
            )
        if not self._reading.acquire(blocking=False):
            raise _already_read()
        try:
            return self._read(timeout)
        finally:
            self._reading.release()

    def _read(self, timeout: float | None) -> Chunk | None:
        news = self.prepared.request.next(timeout)
        tokens = news.tokens
        finish = news.finish
        if not tokens and finish is None:
            return None
        self._stats = news.stats
        if finish == "error" and not tokens:
            self.finished = True
            news.raise_error()
        text, used, stopped = self._text(tokens)
        reason: FinishReason | None = None
        if stopped:
            self.cancel()
            reason = "stop"
        elif finish is not None and finish != "error":  # what came before an error is given first
            text += self._rest()
            reason = finish
        self._output_tokens += used
        self.finished = reason is not None
        kept = tokens[:used]
        return Chunk(text, tuple(kept), self._logprobs(kept, news.logprobs), reason)

    def _text(self, tokens: list[int]) -> tuple[str, int, bool]:
        """The text of some tokens, how many were read, and whether a stop string was met."""
        parts: list[str] = []
        for count, token in enumerate(tokens, start=1):
            text, stopped = self.prepared.stop_strings.feed(self.prepared.detokenizer.add(token))
            parts.append(text)
            if stopped:
                return "".join(parts), count, True
        return "".join(parts), len(tokens), False

    def _rest(self) -> str:
        text, stopped = self.prepared.stop_strings.feed(self.prepared.detokenizer.finish())
        return text if stopped else text + self.prepared.stop_strings.finish()

    @staticmethod
    def _logprobs(tokens: list[int], logprobs: list[Any]) -> tuple[TokenLogprob, ...]:
        pairs = zip(tokens, logprobs, strict=False)
        return tuple(
            TokenLogprob(token, one[0], tuple(map(tuple, one[1])))
            for token, one in pairs
            if one is not None
        )


def _already_read() -> InvalidRequestError:
    return InvalidRequestError(
        "[engine] another thread or task is reading this answer; give each reader an answer of "
        "its own."
    )


class Generation(Iterator[Chunk]):
    """An answer being made: iterate over its chunks, in one thread at a time. Ends early with
    `cancel()`, which any thread may call; leaving a `with` block, or dropping the last reference,
    cancels too."""

    def __init__(self, prepared: Prepared) -> None:
        """Submits a request; made by `Engine.generate`."""
        self._reader = _Reader(prepared)
        self._reader.submit()

    def __next__(self) -> Chunk:
        """The next chunk; waits for it.

        Raises:
            StopIteration: after the chunk with a finish reason, or an error.
            DeadlineExceededError: the deadline passed.
            OutOfMemoryError, InferenceError: the computation failed; the next request works.
            InvalidRequestError: another thread is reading, or this process was forked off.
        """
        while not self._reader.finished:
            chunk = self._reader.read(_POLL)
            if chunk is not None:
                return chunk
        raise StopIteration

    def cancel(self) -> None:
        """Ends the answer soon, inside prefill too; its last chunk says "cancelled"."""
        self._reader.cancel()

    @property
    def stats(self) -> GenerationStats:
        """What the chunks taken so far took."""
        return self._reader.stats()

    def text(self) -> str:
        """Waits for the end and returns the text of all chunks not yet taken."""
        return "".join(chunk.text for chunk in self)

    def __enter__(self) -> Self:
        """Cancels at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Cancels what is not finished."""
        self.cancel()

    def __del__(self) -> None:
        """An answer nobody can read is not worth making."""
        reader = getattr(self, "_reader", None)
        if reader is not None and not reader.finished:
            reader.cancel()


class AsyncGeneration(AsyncIterator[Chunk]):
    """An answer being made, for asyncio: the loop is never blocked. Starts when first awaited, and
    is read by one task at a time. `cancel()` may be called from any thread, all else from the
    loop's; leaving an `async with` block, or dropping the last reference, cancels too."""

    def __init__(self, prepare: Callable[[], Prepared]) -> None:
        """Made by `Engine.agenerate`; `prepare` runs on a thread of its own."""
        self._prepare = prepare
        self._reader: _Reader | None = None
        self._cancelled = False
        self._reading = False
        self._ended = False
        self._news = asyncio.Event()
        self._unsubscribe: Callable[[], None] = _nothing

    async def _start(self) -> _Reader:
        from convergio_mlx.preparing import beside_the_loop
        from convergio_mlx.pump import pump

        reader = _Reader(await beside_the_loop(self._prepare))
        self._reader = reader
        if self._cancelled:
            reader.cancel()
        request, loop = reader.prepared.request, asyncio.get_running_loop()
        subscription = pump().subscribe(request, loop, self._news.set)
        self._unsubscribe = partial(pump().unsubscribe, subscription)
        reader.submit()
        return reader

    def __aiter__(self) -> Self:
        """Itself."""
        return self

    async def __anext__(self) -> Chunk:
        """The next chunk; raises as `Generation` does, StopAsyncIteration at the end. A task that
        is cancelled here cancels the answer."""
        if self._reading:
            raise _already_read()
        self._reading = True
        try:
            chunk = await self._next()
        except BaseException:
            self._end()
            raise
        finally:
            self._reading = False
        if chunk.finish_reason is not None:
            self._end()
        return chunk

    async def _next(self) -> Chunk:
        while not self._ended:
            self._news.clear()
            reader = self._reader or await self._start()
            chunk = reader.read(0)
            if chunk is not None:
                return chunk
            await self._news.wait()
        raise StopAsyncIteration

    def cancel(self) -> None:
        """Ends the answer soon; its last chunk says "cancelled"."""
        self._cancelled = True
        if self._reader is not None:
            self._reader.cancel()

    async def aclose(self) -> None:
        """Cancels what is not finished; there are no further chunks."""
        self._end()
        self._news.set()

    @property
    def stats(self) -> GenerationStats:
        """What the chunks taken so far took."""
        return GenerationStats() if self._reader is None else self._reader.stats()

    async def text(self) -> str:
        """Waits for the end and returns the text of all chunks not yet taken."""
        return "".join([chunk.text async for chunk in self])

    async def __aenter__(self) -> Self:
        """Closes at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cancels what is not finished."""
        await self.aclose()

    def _end(self) -> None:
        self._ended = True
        self.cancel()
        self._unsubscribe()

    def __del__(self) -> None:
        """An answer nobody can read is not worth making."""
        if not getattr(self, "_ended", True):
            self._end()


def _nothing() -> None:
    """Stands where there is no subscription to end."""
