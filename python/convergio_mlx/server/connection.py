"""A connection that is closed where no request comes on it."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class TimedConnection(H11Protocol):
    """A connection of uvicorn's that a client holds only while it asks: the head of a request must
    be there some seconds after the connection, and after its first byte where one went before, and
    so must the rest of a body that was answered early. One that does not take what is written for
    so long is cut off. Bodies and answers have limits of their own (body.py, answers.py)."""

    def __init__(self, seconds: float, **given: Any) -> None:
        """Takes how long each of these may take, and what uvicorn gives."""
        super().__init__(**given)
        self._seconds = seconds
        self._limit: asyncio.TimerHandle | None = None
        self._write_limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Waits for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Takes what came."""
        was_answered = self._is_answered()
        super().data_received(data)
        if self._is_answered():  # each byte of it would keep the connection otherwise
            return
        is_idle = self.conn.their_state is h11.IDLE
        if was_answered or not is_idle:
            self._stop()
        if is_idle and self._limit is None:
            self._wait()

    def on_response_complete(self) -> None:
        """Waits for the rest of the body where the answer came before it."""
        super().on_response_complete()
        if self._is_answered():
            self._stop()
            self._wait()

    def pause_writing(self) -> None:
        """Waits for the client to take what is written."""
        super().pause_writing()
        self._wait_to_write()

    def resume_writing(self) -> None:
        """It has taken enough."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop_write_limit()

    def timeout_keep_alive_handler(self) -> None:
        """Closes a connection that is not used."""
        super().timeout_keep_alive_handler()
        self._wait_to_write()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        self._stop()
        self._stop_write_limit()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._limit = asyncio.get_running_loop().call_later(self._seconds, self._close)

    def _stop(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _is_answered(self) -> bool:
        """Whether a request is answered whose body is not all here."""
        return self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY

    def _close(self) -> None:
        self.transport.close()
        self._wait_to_write()  # closing waits until all is written

    def _wait_to_write(self) -> None:
        if self._write_limit is None:
            loop = asyncio.get_running_loop()
            self._write_limit = loop.call_later(self._seconds, self.transport.abort)

    def _stop_write_limit(self) -> None:
        if self._write_limit is not None:
            self._write_limit.cancel()
            self._write_limit = None
