"""Many prompts at once: their answers, as they come or in order."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, Self, TypeVar

from convergio_mlx.errors import ConvergioError
from convergio_mlx.generation.generation import AsyncGeneration
from convergio_mlx.generation.reader import (
    POLL_SECONDS,
    Prepared,
    Reader,
    already_read,
    check_process,
)
from convergio_mlx.generation.stats import Chunk, FinishReason, GenerationStats, TokenLogprob
from convergio_mlx.generation.turns import Turns
from convergio_mlx.platform.deadline import Deadline
from convergio_mlx.platform.native import native

AHEAD = 32
"""Prompts that are taken before their answers were given out: as many as share a pass, and as many
again, so that no place in a pass waits for the reader."""


@dataclass(frozen=True)
class Completion:
    """The answer to one of many prompts, or why there is none."""

    index: int
    """Which prompt it answers, from 0."""
    text: str = ""
    """With an error, what there was until then."""
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    """One for each token, where asked for."""
    finish_reason: FinishReason | None = None
    """stop, length or cancelled; None with an error."""
    stats: GenerationStats = field(default_factory=GenerationStats)
    error: ConvergioError | None = None
    """Why the prompt has no whole answer; it concerns no other."""


ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)


class Job(Protocol[ResultT_co]):
    """One of many prompts: how it is prepared, and what becomes of its chunks."""

    @property
    def timeout(self) -> float | None:
        """Seconds from now until it must be complete; raises what is wrong with the request."""

    def prepare(self, deadline: Deadline) -> Prepared:
        """The request, of whose time some has passed; raises what is wrong with it."""

    def add(self, chunk: Chunk, stats: Callable[[], GenerationStats]) -> None:
        """Takes the next chunk."""

    def result(self, stats: GenerationStats, error: ConvergioError | None) -> ResultT_co:
        """What the chunks make; with the error that ended it."""


class _Results(Generic[ResultT]):
    """What has ended and was not given out yet."""

    def __init__(self, ahead: int, *, ordered: bool) -> None:
        self._ahead = ahead
        self._ordered = ordered
        self._waiting: dict[int, ResultT] = {}
        self._taken = 0
        self._given = 0

    def has_room(self) -> bool:
        return self._taken - self._given < self._ahead

    def next_index(self) -> int:
        self._taken += 1
        return self._taken - 1

    def put(self, index: int, result: ResultT) -> None:
        self._waiting[index] = result

    def is_ready(self) -> bool:
        return self._given in self._waiting if self._ordered else bool(self._waiting)

    def pop(self) -> ResultT:
        index = self._given if self._ordered else next(iter(self._waiting))
        self._given += 1
        return self._waiting.pop(index)


class Batch(Iterator[ResultT]):
    """Answers to many prompts: iterate over them, in one thread at a time. To leave it early, by
    `close()`, at the end of a `with` block or by dropping the last reference, cancels what is not
    finished. `close()` may be called from any thread."""

    def __init__(
        self,
        jobs: Iterator[Job[ResultT]],
        *,
        ahead: int = AHEAD,
        ordered: bool = False,
        on_close: Callable[[], object] | None = None,
    ) -> None:
        """Made by `Engine.generate_many`; takes no prompt before the first answer is asked for."""
        self._jobs: Iterator[Job[ResultT]] | None = jobs
        self._results: _Results[ResultT] = _Results(ahead, ordered=ordered)
        self._running: dict[int, tuple[Job[ResultT], Reader]] = {}
        self._notifier: Any = native().Notifier()
        self._process = os.getpid()
        self._reading = threading.Lock()
        self._ended = False
        self._on_close = on_close

    def __next__(self) -> ResultT:
        """The next answer; waits for it. Raises what the iterable of prompts raises; what goes
        wrong with a prompt is its result's error."""
        check_process(self._process)
        if not self._reading.acquire(blocking=False):
            raise already_read("engine")
        try:
            return self._next()
        except BaseException:
            self.close()
            raise
        finally:
            self._reading.release()

    def _next(self) -> ResultT:
        while not self._ended:
            self._fill()
            if self._results.is_ready():
                return self._results.pop()
            if not self._running:
                break
            for index in sorted(self._notifier.wait(POLL_SECONDS)):
                self._read(index)
        raise StopIteration

    def _fill(self) -> None:
        while (jobs := self._jobs) is not None and self._results.has_room():
            job = next(jobs, None)
            if job is None:
                self._jobs = None
            else:
                self._begin(self._results.next_index(), job)

    def _begin(self, index: int, job: Job[ResultT]) -> None:
        from convergio_mlx.generation.background import within

        try:
            reader = Reader(within(job.timeout, job.prepare))
            self._running[index] = (job, reader)
            reader.wait_for_grammar()
            reader.prepared.request.notify(self._notifier, index)
            reader.submit()
        except ConvergioError as error:
            self._running.pop(index, None)
            self._results.put(index, job.result(GenerationStats(), error))
        else:
            if self._jobs is None:  # cancelled meanwhile, by another thread
                reader.cancel()

    def _read(self, index: int) -> None:
        if index not in self._running:  # the rest of one that a stop string ended
            return
        job, reader = self._running[index]
        error: ConvergioError | None = None
        try:
            while not reader.finished and (chunk := reader.read(0)) is not None:
                job.add(chunk, reader.stats)
        except ConvergioError as failure:
            reader.cancel()
            error = failure
        if reader.finished or error is not None:
            del self._running[index]
            self._results.put(index, job.result(reader.stats(), error))

    def cancel(self) -> None:
        """Takes no further prompt, and ends the answers at work soon: they say "cancelled". From
        any thread."""
        self._jobs = None
        for _, reader in list(self._running.values()):
            reader.cancel()

    def close(self) -> None:
        """Cancels what is not finished; there are no further answers. Idempotent."""
        self._ended = True
        self.cancel()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()

    def __enter__(self) -> Self:
        """Closes at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Cancels what is not finished."""
        self.close()

    def __del__(self) -> None:
        """Cancels what nothing can read any more."""
        if not getattr(self, "_ended", True):
            self.close()


Asking = Callable[[], Awaitable[ResultT]]
"""Asks for one of many answers."""


class AsyncBatch(AsyncIterator[ResultT]):
    """As `Batch`, for asyncio: the loop is never blocked, unless by an iterable of prompts that is
    not asynchronous. Read by one task at a time, on one loop."""

    def __init__(
        self,
        asking: Iterator[Asking[ResultT]] | AsyncIterator[Asking[ResultT]],
        *,
        ahead: int = AHEAD,
        ordered: bool = False,
    ) -> None:
        """Made by `Engine.agenerate_many`; takes no prompt before the first answer is asked for."""
        self._asking: Iterator[Asking[ResultT]] | AsyncIterator[Asking[ResultT]] | None = asking
        self._results: _Results[ResultT] = _Results(ahead, ordered=ordered)
        self._running: dict[asyncio.Future[ResultT], int] = {}
        self._taking: asyncio.Future[Asking[ResultT] | None] | None = None
        self._turns = Turns("engine")
        self._ended = False

    def __aiter__(self) -> Self:
        """Itself."""
        return self

    async def __anext__(self) -> ResultT:
        """The next answer; raises as `Batch` does. A task that is cancelled here cancels all."""
        with self._turns.one(lambda _: self._cancel()):
            return await self._next()

    async def _next(self) -> ResultT:
        while not self._ended:
            self._fill()
            if self._results.is_ready():
                return self._results.pop()
            pending = self._pending()
            if not pending:
                break
            done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                self._take(one)
        raise StopAsyncIteration

    def _fill(self) -> None:
        while self._asking is not None and self._taking is None and self._results.has_room():
            if isinstance(self._asking, AsyncIterator):
                self._taking = asyncio.ensure_future(_taken(self._asking))
            else:
                self._begin(next(self._asking, None))

    def _begin(self, ask: Asking[ResultT] | None) -> None:
        if ask is None:
            self._asking = None
        else:
            self._running[asyncio.ensure_future(ask())] = self._results.next_index()

    def _take(self, done: asyncio.Future[Any]) -> None:
        if done is self._taking:
            self._taking = None
            self._begin(done.result())
        else:
            self._results.put(self._running.pop(done), done.result())

    def _pending(self) -> list[asyncio.Future[Any]]:
        pending: list[asyncio.Future[Any]] = [*self._running]
        return pending if self._taking is None else [*pending, self._taking]

    def _cancel(self) -> list[asyncio.Future[Any]]:
        """Cancels what is not finished; on the loop."""
        self._ended = True
        left = self._pending()
        self._running.clear()
        self._taking = None
        for one in left:
            one.cancel()
        return left

    async def aclose(self) -> None:
        """Cancels what is not finished, and waits until it is; there are no further answers."""
        await asyncio.gather(*self._cancel(), return_exceptions=True)

    async def __aenter__(self) -> Self:
        """Closes at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cancels what is not finished."""
        await self.aclose()

    def __del__(self) -> None:
        """Cancels what nothing can read any more."""
        loop = self._turns.loop
        if loop is not None and not self._ended:
            with suppress(RuntimeError):  # that loop is closed
                for one in self._pending():
                    loop.call_soon_threadsafe(one.cancel)


async def answered(job: Job[ResultT]) -> ResultT:
    """The result of a job, for asyncio; prepared off the loop."""
    generation = AsyncGeneration(job.prepare, lambda: job.timeout)
    error: ConvergioError | None = None
    try:
        async for chunk in generation:
            job.add(chunk, lambda: generation.stats)
    except ConvergioError as failure:
        error = failure
    return job.result(generation.stats, error)


async def _taken(asking: AsyncIterator[Asking[ResultT]]) -> Asking[ResultT] | None:
    async for ask in asking:
        return ask
    return None
