"""Many prompts at once, for asyncio: their answers, as they come or in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, Self

from convergio_mlx.errors import ConvergioError
from convergio_mlx.generation.batch import AHEAD, Job, Results, ResultT
from convergio_mlx.generation.generation import AsyncGeneration
from convergio_mlx.generation.turns import Turns

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
        self._results: Results[ResultT] = Results(ahead, ordered=ordered)
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
