"""One streamed answer of a loaded engine, for threads and for asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from convergio_mlx.answers.event_stream import AsyncEventStream, EventStream
    from convergio_mlx.answers.events import Event
    from convergio_mlx.providers.models import Lease, Models


Events = TypeVar("Events", bound="EventStream | AsyncEventStream")


class _Leased(Generic[Events]):
    """An answer of an engine, which stays loaded for it."""

    def __init__(self, lease: Lease, events: Events) -> None:
        """Takes an answer under way, and what its engine stays loaded by."""
        self._lease = lease
        self._events = events

    def cancel(self) -> None:
        """Ends it soon; from any thread."""
        self._events.cancel()

    def close(self) -> None:
        """Ends it, and lets go of the engine."""
        self._events.cancel()
        self._lease.release()


class MlxStream(_Leased["EventStream"]):
    """For threads."""

    def __next__(self) -> Event:
        """The next event."""
        return next(self._events)


class AsyncMlxStream(_Leased["AsyncEventStream"]):
    """For asyncio."""

    async def __anext__(self) -> Event:
        """The next event."""
        return await anext(self._events)


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
