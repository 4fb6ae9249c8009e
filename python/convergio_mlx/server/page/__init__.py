"""The page for chat at `/`: files of this folder, which ask the server's own interfaces and nothing
else."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
        *(f"{what} 'none'" for what in ("base-uri", "form-action", "frame-ancestors")),
        # What a model writes can become text alone: no string is ever made into elements.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "cache-control": "no-cache",  # kept, and asked for again by its ETag
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def _endpoint(name: str) -> Callable[[object, Request], Awaitable[Response]]:
    """Answers GET and HEAD of a file."""
    data = files(__name__).joinpath(name).read_bytes()
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {**_HEADERS, "etag": tag}
    kind = _TYPES[name.rpartition(".")[2]]

    async def serve(_: object, request: Request) -> Response:
        known = {one.strip().removeprefix("W/") for one in _known(request).split(",")}
        if known & {tag, "*"}:
            return Response(status_code=304, headers=headers)
        return Response(data, headers=headers, media_type=kind)

    return serve


def _known(request: Request) -> str:
    return request.headers.get("if-none-match", "")


_NAMES = ("chats.js", "icon.svg", "main.js", "markdown.js", "messages.js", "server.js", "style.css")
ENDPOINTS = {"/": _endpoint("index.html")} | {f"/page/{name}": _endpoint(name) for name in _NAMES}
"""By path. They hold nothing that is secret, and need no key."""
