"""The application: its paths, and what each is answered by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.server import ollama
from convergio_mlx.server.anthropic_messages import count_tokens, messages
from convergio_mlx.server.ascii_json import AsciiJsonResponse
from convergio_mlx.server.guard import Guard
from convergio_mlx.server.model_list import model, models
from convergio_mlx.server.openai_chat import chat_completions
from convergio_mlx.server.openai_completions import completions
from convergio_mlx.server.openai_responses import responses
from convergio_mlx.server.openapi import description
from convergio_mlx.server.page import ENDPOINTS as PAGE
from convergio_mlx.server.service import Service
from convergio_mlx.server.settings import ServerSettings
from convergio_mlx.version import __version__

Endpoint = Callable[[Service, Request], Awaitable[Response]]


async def health(service: Service, _: Request) -> Response:
    """GET /health: whether it serves."""
    return AsciiJsonResponse({"status": "ok", "version": __version__})


async def metrics(service: Service, _: Request) -> Response:
    """GET /metrics: what it has done, for Prometheus."""
    text = service.metrics.text(service.provider.loaded())
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


async def openapi(service: Service, _: Request) -> Response:
    """GET /openapi.json: these interfaces, for programs."""
    ids = [model.id for model in await service.models()]
    has_key = service.settings.api_key is not None
    return AsciiJsonResponse(description(ids, has_key=has_key))


_GET: dict[str, Endpoint] = {
    "/health": health,
    "/metrics": metrics,
    "/openapi.json": openapi,
    "/v1/models": models,
    "/v1/models/{id:path}": model,
    "/api/tags": ollama.tags,
    **PAGE,
}
_POST: dict[str, Endpoint] = {
    "/v1/chat/completions": chat_completions,
    "/v1/completions": completions,
    "/v1/responses": responses,
    "/v1/messages": messages,
    "/v1/messages/count_tokens": count_tokens,
    "/api/chat": ollama.chat,
}


def make_app(provider: MlxProvider, settings: ServerSettings | None = None) -> ASGIApp:
    """The application, for any server of ASGI. Its lifespan makes a provider ready that is not,
    and then shuts it down. Starlette runs no lifespan of an application that is mounted in another:
    there whoever mounts it makes the provider ready and shuts it down.

    Args:
        provider: whose models are served.
        settings: its limits; host, port and `stop_seconds` are for who listens.
    """
    service = Service(provider, settings or ServerSettings())

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        is_ours = not provider.initialized
        await asyncio.to_thread(provider.init)
        try:
            yield
        finally:
            service.stopping = True
            if is_ours:
                await asyncio.to_thread(provider.shutdown)

    routes = [_route(service, path, "GET", endpoint) for path, endpoint in _GET.items()]
    routes += [_route(service, path, "POST", endpoint) for path, endpoint in _POST.items()]
    paths = frozenset((*_GET, *_POST))
    app: ASGIApp = Guard(Router(routes, lifespan=lifespan), service, paths)
    if service.settings.origins:
        app = CORSMiddleware(
            app,
            allow_origins=service.settings.origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
        )
    return app


def _route(service: Service, path: str, method: str, endpoint: Endpoint) -> Route:
    async def serve(request: Request) -> Response:
        return await endpoint(service, request)

    return Route(path, serve, methods=[method])
