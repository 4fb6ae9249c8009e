"""A connection that is closed where no request comes on it."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class TimedConnection(H11Protocol):
    """A connection of uvicorn's that a client holds only while it asks: the head of a request must
    be there some seconds after the connection, and after its first byte where one went before.
    Bodies and answers have limits of their own (body.py, answers.py)."""

    def __init__(self, seconds: float, **given: Any) -> None:
        """Takes how long a head may take, and what uvicorn gives."""
        super().__init__(**given)
        self._seconds = seconds
        self._limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Waits for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Takes what came."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._limit is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._limit = asyncio.get_running_loop().call_later(self._seconds, self.transport.close)

    def _stop(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
