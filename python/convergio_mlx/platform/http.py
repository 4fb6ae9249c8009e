"""Requests over huggingface_hub's session (its proxies, certificates and hooks), each bounded in
time and bytes whatever a server sends, with credentials of an address kept out of every text."""

from __future__ import annotations

import base64
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

HEAD_SECONDS = 60.0
"""Until a server has answered with a status and headers, redirects included."""
SLOWEST = 1000
"""Bytes a second, over `SLOW_SECONDS`, below which a body is given up."""
SLOW_SECONDS = 60.0
_REDIRECTS = 10
_GZIP_OR_ZLIB = 47
"""zlib's code for a window of any size, with whichever header comes."""
_USER = re.compile(r"(?<=//)[^\s'\"<>]*@")


class RequestError(Exception):
    """A request that failed; the text says why and is safe to show."""

    def __init__(self, why: object, *, is_passing: bool = True) -> None:
        """Whether the same request may succeed later, with nothing changed on this machine."""
        super().__init__(ascii(without_credentials(str(why) or type(why).__name__))[1:-1][:200])
        self.is_passing = is_passing


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    """Empty unless the status is 200."""


@dataclass(frozen=True)
class Opened:
    """An answer whose body is still to come."""

    status: int
    headers: Mapping[str, str]
    was_redirected: bool
    _response: Any

    def pieces(self) -> Iterator[bytes]:
        """The body as it is sent, not unpacked.

        Raises:
            RequestError: the connection broke, or is slower than `SLOWEST`.
        """
        came, since = 0, time.monotonic()
        iterator = self._response.iter_raw()
        while True:
            try:
                piece = next(iterator, None)
            except Exception as error:
                raise RequestError(error) from error
            if piece is None:
                return
            came += len(piece)
            if (now := time.monotonic()) - since >= SLOW_SECONDS:
                if came < SLOWEST * (now - since):
                    what = f"fewer than {SLOWEST} bytes a second came for {SLOW_SECONDS:.0f} s"
                    raise RequestError(what, is_passing=False)
                came, since = 0, now
            yield piece


def without_credentials(text: str) -> str:
    """A text with `***@` in place of what stands before the @ of an address."""
    return _USER.sub("***@", text)


def split_credentials(url: str) -> tuple[str, dict[str, str]]:
    """An address without user and password, and the header that says them.

    Raises:
        ValueError: it is no address.
    """
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    token = base64.b64encode(unquote(user).encode()).decode()
    plain = urlunsplit((parts.scheme, host, parts.path, parts.query, parts.fragment))
    return plain, {"Authorization": f"Basic {token}"}


def ask(url: str, headers: Mapping[str, str], *, largest: int, seconds: float) -> Answer:
    """A small answer.

    Args:
        url: the address.
        headers: what goes with it.
        largest: bytes that the body may have, unpacked.
        seconds: until all of it has come.

    Raises:
        RequestError: it cannot be had, is larger, or takes longer.
    """
    until = time.monotonic() + seconds
    with opened(url, {"Accept-Encoding": "gzip", **headers}, seconds=seconds) as response:
        if response.status != 200:
            return Answer(response.status, response.headers, b"")
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        body = _unpacked(_in_time(response.pieces(), until, seconds), encoding, largest)
        return Answer(response.status, response.headers, body)


@contextmanager
def opened(
    url: str,
    headers: Mapping[str, str],
    *,
    seconds: float = HEAD_SECONDS,
    read_seconds: float = 10.0,
) -> Iterator[Opened]:
    """Within the block, an answer whose status and headers have come. Redirects are followed, but
    for one that leaves https.

    Args:
        url: the address.
        headers: what goes with it; `Authorization` only as far as the first host.
        seconds: until status and headers have come.
        read_seconds: until a connection without a byte is given up.

    Raises:
        RequestError: the server cannot be reached, or does not answer in time.
    """
    seconds = min(seconds, HEAD_SECONDS)
    call = _Call(lambda: _follow(url, headers, min(read_seconds, seconds)))
    try:
        answer = call.result(seconds)
        yield answer
    finally:
        call.abandon()


class _Call:
    """A request in a thread of its own: looking up a name and a head that comes byte by byte have
    no time limit in any library."""

    def __init__(self, work: Callable[[], Opened]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._answer: Opened | None = None
        self._error: RequestError | None = None
        self._is_abandoned = False
        threading.Thread(target=self._run, name="convergio-request", daemon=True).start()

    def result(self, seconds: float) -> Opened:
        if not self._ended.wait(seconds):
            raise RequestError(f"no answer came within {seconds:.0f} s")
        if self._error is not None:
            raise self._error
        assert self._answer is not None
        return self._answer

    def abandon(self) -> None:
        """Closes the answer, now or when it comes."""
        with self._lock:
            self._is_abandoned = True
        if self._answer is not None:
            _close(self._answer)

    def _run(self) -> None:
        try:
            answer = self._work()
        except RequestError as error:
            self._error = error
        except Exception as error:
            self._error = RequestError(error)
        else:
            with self._lock:
                if not self._is_abandoned:
                    self._answer = answer
                    self._ended.set()
                    return
            _close(answer)
        self._ended.set()


def _close(answer: Opened) -> None:
    with suppress(Exception):  # a connection that is given up has nothing left to say
        answer._response.close()


def _follow(url: str, headers: Mapping[str, str], read_seconds: float) -> Opened:
    session = _session()
    try:
        request = session.build_request("GET", url, headers=dict(headers), timeout=read_seconds)
    except Exception as error:
        raise RequestError(error, is_passing=False) from error
    for hop in range(_REDIRECTS + 1):
        response = session.send(request, stream=True, follow_redirects=False)
        if response.next_request is None:
            return Opened(response.status_code, response.headers, hop > 0, response)
        response.close()  # unread: what stands in it is of no use and of any size
        before, request = request, response.next_request
        if before.url.scheme == "https" != request.url.scheme:
            raise RequestError("it redirects from https to another scheme", is_passing=False)
    raise RequestError(f"it redirects more than {_REDIRECTS} times")


def _session() -> Any:
    """huggingface_hub's HTTP client, made when it is first asked for."""
    from huggingface_hub import get_session

    try:
        return get_session()
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise RequestError(
            f"the settings of proxies or certificates cannot be used: {why}", is_passing=False
        ) from error


def _in_time(pieces: Iterator[bytes], until: float, seconds: float) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        if time.monotonic() > until:
            raise RequestError(f"the answer did not come whole within {seconds:.0f} s")


def _unpacked(pieces: Iterator[bytes], encoding: str, largest: int) -> bytes:
    if encoding not in {"identity", "", "gzip", "x-gzip", "deflate"}:
        raise RequestError(f"the answer is packed as {encoding[:30]!a}")
    unpacker = None if encoding in {"identity", ""} else zlib.decompressobj(_GZIP_OR_ZLIB)
    data = bytearray()
    for piece in pieces:
        rest = piece
        while rest and not (unpacker and unpacker.eof):
            if unpacker is None:
                data += rest
                rest = b""
            else:
                try:
                    data += unpacker.decompress(rest, largest + 1 - len(data))
                except zlib.error as error:
                    raise RequestError(f"the answer cannot be unpacked: {error}") from error
                rest = unpacker.unconsumed_tail
            if len(data) > largest:
                raise RequestError(f"the answer has more than {largest} bytes")
    if unpacker is not None and not unpacker.eof:
        raise RequestError("the answer was cut off")
    return bytes(data)
