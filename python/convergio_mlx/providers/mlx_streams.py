"""One streamed answer of a loaded engine, for threads and for asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convergio_mlx.answers.event_stream import AsyncEventStream, EventStream
    from convergio_mlx.answers.events import Event
    from convergio_mlx.providers.models import Lease, Models


class MlxStream:
    """An answer of an engine, which stays loaded for it."""

    def __init__(self, lease: Lease, events: EventStream) -> None:
        """Takes an answer under way, and what its engine stays loaded by."""
        self._lease = lease
        self._events = events

    def __next__(self) -> Event:
        """The next event."""
        return next(self._events)

    def cancel(self) -> None:
        """Ends it soon; from any thread."""
        self._events.cancel()

    def close(self) -> None:
        """Ends it, and lets go of the engine."""
        self._events.cancel()
        self._lease.release()


class AsyncMlxStream:
    """An answer of an engine, which stays loaded for it; for asyncio."""

    def __init__(self, lease: Lease, events: AsyncEventStream) -> None:
        """Takes an answer under way, and what its engine stays loaded by."""
        self._lease = lease
        self._events = events

    async def __anext__(self) -> Event:
        """The next event."""
        return await anext(self._events)

    def cancel(self) -> None:
        """Ends it soon; from any thread."""
        self._events.cancel()

    def close(self) -> None:
        """Ends it, and lets go of the engine."""
        self._events.cancel()
        self._lease.release()


async def acquired(models: Models, model: str) -> Lease:
    """A lease from a thread; one that comes when nobody waits any more is released."""
    future = asyncio.get_running_loop().run_in_executor(None, models.acquire, model)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(_release)
        raise


def _release(future: asyncio.Future[Lease]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().release()
