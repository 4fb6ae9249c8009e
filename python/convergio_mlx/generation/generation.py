"""An answer as it is made: chunks of text, for threads and for asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Self

from convergio_mlx.generation.reader import POLL_SECONDS, Prepared, Reader
from convergio_mlx.generation.stats import Chunk, GenerationStats
from convergio_mlx.generation.turns import Turns
from convergio_mlx.platform.deadline import Deadline


class Generation(Iterator[Chunk]):
    """An answer being made: iterate over its chunks, in one thread at a time. Ends early with
    `cancel()`, which any thread may call; leaving a `with` block, or dropping the last reference,
    cancels too."""

    def __init__(self, prepared: Prepared) -> None:
        """Submits a request; made by `Engine.generate`."""
        self._reader = Reader(prepared)
        self._reader.wait_for_grammar()
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
            chunk = self._reader.read(POLL_SECONDS)
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
        """Cancels an answer that nothing can read any more."""
        reader = getattr(self, "_reader", None)
        if reader is not None and not reader.finished:
            reader.cancel()


class AsyncGeneration(AsyncIterator[Chunk]):
    """An answer being made, for asyncio: the loop is never blocked. Starts with `start` or when
    first awaited, and is read by one task at a time, on one loop. `cancel()` and `close()` may be
    called from any thread, all else from the loop's; leaving an `async with` block, or dropping the
    last reference, cancels too."""

    def __init__(
        self,
        prepare: Callable[[Deadline], Prepared],
        timeout: Callable[[], float | None] = lambda: None,
    ) -> None:
        """Made by `Engine.agenerate`; `prepare` runs on a thread of its own, `timeout` says at the
        start in how many seconds the answer must be complete."""
        import asyncio

        self._prepare = prepare
        self._timeout = timeout
        self._reader: Reader | None = None
        self._cancelled = False
        self._turns = Turns("engine")
        self._ended = False
        self._news = asyncio.Event()
        self._unsubscribe: Callable[[], None] = _nothing

    async def start(self) -> Self:
        """Prepares and submits the request, so that what is wrong with it is raised here and not
        with the first chunk. A second call does nothing."""
        with self._turn():
            if self._reader is None and not self._ended:
                await self._start()
        return self

    async def _start(self) -> Reader:
        import asyncio

        from convergio_mlx.generation.background import off_the_loop
        from convergio_mlx.generation.pump import pump

        reader = Reader(await off_the_loop(self._prepare, self._timeout()))
        self._reader = reader
        if self._cancelled:
            reader.cancel()
        await reader.compiled()
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
        with self._turn():
            chunk = await self._next()
        if chunk.finish_reason is not None:
            self.close()
        return chunk

    def _turn(self) -> AbstractContextManager[None]:
        """What goes wrong ends the answer."""
        return self._turns.one(lambda _: self.close())

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
        self.close()
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

    def close(self) -> None:
        """Cancels what is not finished; from any thread."""
        self._ended = True
        self.cancel()
        self._unsubscribe()

    def __del__(self) -> None:
        """Cancels an answer that nothing can read any more."""
        if not getattr(self, "_ended", True):
            self.close()


def _nothing() -> None:
    """Stands where there is no subscription to end."""
