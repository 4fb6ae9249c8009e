"""What a server is set to: where it listens, who may ask, and its limits."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, fields
from typing import Any

from convergio_mlx.errors import InvalidRequestError

HOST = "127.0.0.1"
PORT = 8765
KEY_VARIABLE = "CONVERGIO_API_KEY"


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Settings of a server.

    Raises:
        InvalidRequestError: one is not of its kind, or it would listen beyond this machine without
            a key.
    """

    host: str = HOST
    """The address to listen at. One beyond this machine needs a key."""
    port: int = PORT
    """0 takes a free one."""
    api_key: str | None = None
    """What a request must bring, as `Authorization: Bearer …` or `x-api-key: …`:
    visible ASCII characters."""
    origins: tuple[str, ...] = ()
    """Web pages that may ask (CORS), such as `http://localhost:3000`; others are refused."""
    models: tuple[str, ...] = ()
    """The models that are served; none: all that are installed."""
    max_body_bytes: int = 16 << 20
    """Of a request."""
    max_requests: int = 64
    """Answers under way, waiting ones included; further requests are told to come again."""
    request_seconds: float = 600.0
    """Until an answer must be complete, waiting and prefill included; a model that is loaded first
    has as long for that."""
    body_seconds: float = 30.0
    """Until the head of a request must be there, then its body, and until a client must have taken
    what is sent."""
    stop_seconds: float = 30.0
    """That answers under way get when the server stops."""

    def __post_init__(self) -> None:
        """Checks them."""
        for one in fields(self):
            default, given = one.default, getattr(self, one.name)
            if isinstance(default, int | float) and one.name != "port":
                _check_positive(one.name, given, whole=isinstance(default, int))
        if type(self.port) is not int or not 0 <= self.port < 1 << 16:
            raise InvalidRequestError(
                f"[server] the port is {self.port!r}, which must be a whole number from 0 to 65535."
            )
        if not isinstance(self.host, str):
            raise InvalidRequestError(f"[server] the host is {self.host!r}; give its address.")
        for name in ("origins", "models"):
            _check_texts(name, getattr(self, name))
        if self.api_key is not None and not _is_key(self.api_key):
            raise InvalidRequestError(
                "[server] the key is not one or more visible ASCII characters; set "
                f"{KEY_VARIABLE} to such a one, or leave it out."
            )
        if self.api_key is None and not is_loopback(self.host):
            raise InvalidRequestError(
                f"[server] {self.host} can be reached from other machines, and there is no key; "
                f"set {KEY_VARIABLE} to one, or listen at {HOST}."
            )


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_key(given: Any) -> bool:
    """Whether a header can bring it."""
    return isinstance(given, str) and re.fullmatch("[!-~]+", given) is not None


def _check_texts(name: str, given: Any) -> None:
    if not isinstance(given, tuple) or not all(isinstance(one, str) for one in given):
        raise InvalidRequestError(
            f"[server] {name} is {given!r}, which is no tuple of texts; give one, such as ('…',)."
        )


def _check_positive(name: str, given: Any, whole: bool) -> None:
    kind: Any = int if whole else int | float
    if isinstance(given, bool) or not isinstance(given, kind) or not 0 < given < 1e12:
        what = "a whole number" if whole else "a number"
        raise InvalidRequestError(f"[server] {name} is {given!r}, which must be {what} above 0.")
