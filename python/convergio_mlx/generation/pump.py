"""One thread that wakes asyncio loops when their requests have new tokens."""

from __future__ import annotations

import asyncio
import atexit
import itertools
import os
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from convergio_mlx.errors import OutOfMemoryError
from convergio_mlx.platform.native import native

_RETRY = 0.01
"""Seconds until the pump asks again for what there was no memory for."""


class Pump:
    """Waits natively, without the GIL, and wakes the loop of each request that has new tokens."""

    def __init__(self) -> None:
        """Starts the thread."""
        self._process = os.getpid()
        self._notifier: Any = native().Notifier()
        self._ids = itertools.count(1)
        self._listeners: dict[int, tuple[Any, asyncio.AbstractEventLoop, Callable[[], Any]]] = {}
        self._thread = threading.Thread(target=self._run, name="convergio-mlx-pump", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def subscribe(
        self, request: Any, loop: asyncio.AbstractEventLoop, wake: Callable[[], Any]
    ) -> int:
        """Calls `wake` on `loop` whenever a native request has new tokens, until unsubscribed.
        A request whose loop is closed is cancelled."""
        subscription = next(self._ids)
        self._listeners[subscription] = (request, loop, wake)
        request.notify(self._notifier, subscription)
        return subscription

    def unsubscribe(self, subscription: int) -> None:
        """Stops the calls; unknown ones are ignored."""
        self._listeners.pop(subscription, None)

    def close(self) -> None:
        """Ends the thread: before the interpreter does, which native waits must not outlive."""
        if os.getpid() != self._process:  # a forked child has no such thread, and maybe its lock
            return
        self._notifier.close()
        self._thread.join()

    def _run(self) -> None:
        while subscriptions := self._news():
            for subscription in subscriptions:
                listener = self._listeners.get(subscription)
                if listener is None:
                    continue
                request, loop, wake = listener
                try:
                    loop.call_soon_threadsafe(wake)
                except RuntimeError:  # that loop is closed: nobody can read the answer
                    request.cancel()
                    self.unsubscribe(subscription)

    def _news(self) -> list[int]:
        """The subscriptions with news; none once the pump is closed."""
        while True:
            try:
                return list(self._notifier.wait())
            except OutOfMemoryError:  # for the list alone: what was posted is still there
                time.sleep(_RETRY)


@lru_cache(maxsize=1)
def pump() -> Pump:
    """The process's one pump."""
    return Pump()
