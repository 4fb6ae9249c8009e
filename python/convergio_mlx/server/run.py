"""A server in this process: it listens until it is told to stop."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from convergio_mlx.errors import InvalidRequestError, NetworkError
from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.server.app import make_app
from convergio_mlx.server.connection import TimedConnection
from convergio_mlx.server.settings import ServerSettings, is_loopback

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_CONNECTIONS_PER_ANSWER = 4
"""Connections beyond these are told to come again: each costs a file."""


class _Server(uvicorn.Server):
    """Ends as it was meant to by a signal, with nothing raised; a second one ends it at once."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = threading.Event()
        """Set once it serves, or has failed to."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.begun.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, self.handle_exit) for one in _SIGNALS}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True


class ModelServer:
    """A server that listens, from when it is made, and serves within `run`."""

    def __init__(self, provider: MlxProvider, settings: ServerSettings | None = None) -> None:
        """Listens.

        Raises:
            NetworkError: it cannot at this address.
        """
        self.settings = settings or ServerSettings()
        self._socket = _listening(self.settings)
        stop = self.settings.stop_seconds
        connection: Any = partial(TimedConnection, self.settings.body_seconds)
        self._failure: BaseException | None = None
        config = uvicorn.Config(
            self._noting_failure(make_app(provider, self.settings)),
            http=connection,
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=max(1, round(stop)),
            limit_concurrency=_CONNECTIONS_PER_ANSWER * self.settings.max_requests,
        )
        self._server = _Server(config)

    @property
    def url(self) -> str:
        """Where it is; OpenAI's interface is at `/v1` below."""
        host, port = self._socket.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def run(self) -> None:
        """Serves until `stop`, or a signal where this is the main thread; answers under way are
        then completed within `stop_seconds`.

        Raises:
            ConvergioError: the provider cannot be made ready.
        """
        try:
            self._server.run(sockets=[self._socket])
        except SystemExit:  # uvicorn's way to say that it did not start
            if self._failure is None:
                raise
        finally:
            self._socket.close()
            self._server.begun.set()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Has `run` return soon; from any thread."""
        self._server.should_exit = True

    @property
    def started(self) -> bool:
        """Whether it serves."""
        return self._server.started

    def wait(self) -> bool:
        """Waits until it serves, or `run` failed to; whether it serves."""
        self._server.begun.wait()
        return self.started

    def _noting_failure(self, app: ASGIApp) -> ASGIApp:
        """The application; what its lifespan raises is kept, which uvicorn only writes down."""

        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await app(scope, receive, send)
            except Exception as error:
                if scope["type"] == "lifespan":
                    self._failure = error
                raise

        return noting


@contextmanager
def serving(provider: MlxProvider, settings: ServerSettings | None = None) -> Iterator[ModelServer]:
    """A server on a thread of its own within a block, which begins when it serves.

    Raises:
        NetworkError: it cannot listen at this address.
        ConvergioError: the provider cannot be made ready.
    """
    server = ModelServer(provider, settings or ServerSettings(port=0))
    raised: list[BaseException] = []

    def run() -> None:
        try:
            server.run()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, name="convergio-mlx-server", daemon=True)
    thread.start()
    if not server.wait():
        thread.join()
        raise raised[0]
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def _listening(settings: ServerSettings) -> socket.socket:
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        if settings.api_key is None and not is_loopback(str(address[0])):
            raise InvalidRequestError(
                f"[server] {host} leads to {address[0]}, which other machines reach, and there is "
                "no key; listen at 127.0.0.1."
            )
        # Without the protocol asyncio does not recognize TCP, and leaves Nagle's algorithm on for
        # every connection: answers would wait 40 ms for their heads to be acknowledged.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        raise NetworkError(
            f"[server] port {port} of {host} cannot be listened at ({error.strerror or error}); "
            "give another one."
        ) from error
    return listening
