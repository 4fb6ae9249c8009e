"""What stands before every endpoint: who may ask, how much, and what becomes of failures."""

from __future__ import annotations

import hmac
import re
import secrets
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from convergio_mlx.server.answers import LOG
from convergio_mlx.server.ascii_json import AsciiJsonResponse
from convergio_mlx.server.body import too_large
from convergio_mlx.server.page import ENDPOINTS as PAGE
from convergio_mlx.server.problems import (
    FAULT,
    STOPPING,
    Problem,
    RefusedError,
    problem_of,
    shape_of,
)
from convergio_mlx.server.service import Service
from convergio_mlx.server.settings import is_loopback
from convergio_mlx.server.unserved import why_not_allowed, why_not_found

OPEN_PATHS = frozenset({"/health", *PAGE})
"""Those that need no key."""
_INVALID = "invalid_request_error"
_HOST = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<name>[\w.-]+))(?::\d{0,5})?", re.ASCII)
"""A Host header: an address of IPv6 in brackets, or else a name or an address, and a port, whose
number may be left out."""


class Guard:
    """Lets requests through to the endpoints that may pass, and answers for those that fail."""

    def __init__(self, app: ASGIApp, service: Service, paths: frozenset[str]) -> None:
        """Takes the endpoints and the paths that they have."""
        self._app = app
        self._service = service
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent, path = _Sent(send), _path(scope)
        try:
            self._check(scope, path)
            scope["app"] = self  # has the router raise for what it does not have
            await self._app(scope, receive, sent)
        except ClientDisconnect:
            self._service.metrics.left += 1
        except Exception as error:
            problem = self._problem(error, scope["method"], path)
            if problem is FAULT:
                LOG.error("%s %r failed", scope["method"], scope["path"], exc_info=error)
            if not sent.status:
                asks_anthropic = "anthropic-version" in Headers(scope=scope)
                told = shape_of(path, asks_anthropic)(problem)
                given = error.headers if isinstance(error, HTTPException) else None
                headers = {**problem.headers(), **(given or {})}
                response = AsciiJsonResponse(told, problem.status, headers)
                await response(scope, receive, sent)
        finally:
            known = path if path in self._paths else "other"
            self._service.metrics.requests[known, sent.status] += 1

    def _check(self, scope: Scope, path: str) -> None:
        headers, settings = Headers(scope=scope), self._service.settings
        if self._service.stopping:
            raise RefusedError(STOPPING)
        if settings.api_key is None and not _is_local(headers.get("host", "")):
            raise RefusedError(_forbidden(f"the host {headers.get('host', '')[:200]!r}"))
        origin = headers.get("origin")
        # What the page for chat asks comes from this very address.
        own = {f"{scheme}://{headers.get('host', '')}" for scheme in ("http", "https")}
        if origin is not None and not {origin, "*"} & {*settings.origins, *own}:
            raise RefusedError(_forbidden(f"pages of {origin[:200]!r}"))
        if path not in OPEN_PATHS and settings.api_key is not None:
            _check_key(headers, settings.api_key)
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > settings.max_body_bytes:
            raise too_large(settings.max_body_bytes)

    def _problem(self, error: Exception, method: str, path: str) -> Problem:
        if not isinstance(error, HTTPException):
            return problem_of(error)
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        allowed = (error.headers or {}).get("Allow")
        if allowed is None:
            message = why_not_found(path, self._paths)
        else:
            message = why_not_allowed(method, path, allowed)
        return Problem(error.status_code, _INVALID, code, message)


class _Sent:
    """Sends on, with an id of the request, and notes the status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["x-request-id"] = f"req_{secrets.token_hex(12)}"
        await self._send(message)


def _path(scope: Scope) -> str:
    """A path without the prefix that the application is mounted under, as the router has it."""
    whole, prefix = str(scope["path"]), str(scope.get("root_path", ""))
    return whole[len(prefix) :] if whole.startswith(f"{prefix}/") else whole


def _check_key(headers: Headers, key: str) -> None:
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    given = bearer.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
    if not hmac.compare_digest(given.encode(), key.encode()):
        what = "is not the one of this server" if given else "is missing"
        message = f"[server] the key {what}; give it as `Authorization: Bearer …`."
        raise RefusedError(Problem(401, _INVALID, "invalid_api_key", message))


def _is_local(host: str) -> bool:
    """Whether a Host header names this machine: another name that leads here is a page's trick
    (DNS rebinding)."""
    found = _HOST.fullmatch(host)
    return found is not None and is_loopback((found["six"] or found["name"]).lower())


def _forbidden(who: str) -> Problem:
    message = f"[server] {who} may not ask here; allow it with --origin, or set a key."
    return Problem(403, _INVALID, "forbidden", message)
