"""The interfaces as OpenAPI describes them (https://spec.openapis.org/oas/v3.1.0), for programs
that make clients of such a description, and tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convergio_mlx.server import model_list
from convergio_mlx.server.request_schemas import OBJECT, TEXT, WHOLE, Schema, requests
from convergio_mlx.version import __version__

_OPENAI_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"message": TEXT, "type": TEXT, "param": {}, "code": {}},
            "required": ["message", "type", "param", "code"],
            "additionalProperties": False,
        }
    },
    "required": ["error"],
}
_ANTHROPIC_ERROR = {
    "type": "object",
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "properties": {"type": TEXT, "message": TEXT},
            "required": ["type", "message"],
        },
    },
    "required": ["type", "error"],
}
_OLLAMA_ERROR = {"type": "object", "properties": {"error": TEXT}, "required": ["error"]}
_USAGE = {
    "type": "object",
    "properties": dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), WHOLE),
    "required": ["prompt_tokens", "completion_tokens", "total_tokens"],
}


def _object(**fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, "required": [*fields]}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_REASON: Schema = {"enum": ["stop", "length", "tool_calls"]}
_SAID = _object(role={"const": "assistant"}, content={"type": ["string", "null"]})
_MODEL = _object(id=TEXT, object={"const": "model"}, created=WHOLE, owned_by=TEXT)
_WHOLE = {
    "/v1/chat/completions": _object(
        id=TEXT,
        object={"const": "chat.completion"},
        created=WHOLE,
        model=TEXT,
        choices=_list(_object(index=WHOLE, message=_SAID, finish_reason=_REASON)),
        usage=_USAGE,
    ),
    "/v1/completions": _object(
        id=TEXT,
        object={"const": "text_completion"},
        created=WHOLE,
        model=TEXT,
        choices=_list(_object(index=WHOLE, text=TEXT, finish_reason=_REASON)),
        usage=_USAGE,
    ),
    "/v1/responses": _object(
        id=TEXT,
        object={"const": "response"},
        status={"enum": ["completed", "incomplete"]},
        model=TEXT,
        output=_list(_object(type={"enum": ["message", "reasoning", "function_call"]})),
        usage=OBJECT,
    ),
    "/v1/messages": _object(
        id=TEXT,
        type={"const": "message"},
        role={"const": "assistant"},
        model=TEXT,
        content=_list(_object(type={"enum": ["text", "thinking", "tool_use"]})),
        stop_reason={"enum": ["end_turn", "max_tokens", "stop_sequence", "tool_use"]},
        usage=_object(input_tokens=WHOLE, output_tokens=WHOLE),
    ),
    "/v1/messages/count_tokens": _object(input_tokens=WHOLE),
    "/api/chat": _object(
        model=TEXT, created_at=TEXT, message=_SAID, done={"const": True}, done_reason=TEXT
    ),
    "/health": _object(status={"const": "ok"}, version=TEXT),
    "/v1/models": _object(
        object={"const": "list"},
        data=_list(_MODEL),
        has_more={"type": "boolean"},
        first_id={"type": ["string", "null"]},
        last_id={"type": ["string", "null"]},
    ),
    "/v1/models/{id}": _MODEL,
    "/api/tags": _object(models=_list(_object(name=TEXT, model=TEXT))),
    "/openapi.json": _object(openapi=TEXT, info=OBJECT, paths=OBJECT),
    "/metrics": TEXT,
}
"""What a whole answer of each path is."""
_QUERIES: dict[str, dict[str, Schema]] = {
    "/v1/models": {
        "limit": {"type": "integer", "minimum": 1, "maximum": model_list.MOST},
        **dict.fromkeys(("after_id", "before_id"), TEXT),
        "beta": {"const": "true"},
    }
}
"""The parameters of a path, none of which is needed."""
_STREAMS = {
    **dict.fromkeys(
        ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"),
        "text/event-stream",
    ),
    "/api/chat": "application/x-ndjson",
}
_REFUSALS = ("400", "401", "403", "404", "408", "413", "500", "503", "504")
"""Statuses of errors; docs/server.md says when each comes."""


def description(models: Iterable[str], *, has_key: bool) -> dict[str, Any]:
    """The whole of it.

    Args:
        models: ids of those that are served.
        has_key: whether requests must bring one.
    """
    taken = requests({"enum": [*models]})
    paths = {
        path: {"post" if path in taken else "get": _operation(path, taken.get(path))}
        for path in _WHOLE
    }
    made = {
        "openapi": "3.1.0",
        "info": {"title": "convergio-mlx", "version": __version__},
        "paths": paths,
    }
    if not has_key:
        return made
    schemes = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    }
    security: list[dict[str, list[str]]] = [{name: []} for name in schemes]
    paths["/health"]["get"]["security"] = []
    return {**made, "components": {"securitySchemes": schemes}, "security": security}


def _operation(path: str, request: Schema | None) -> dict[str, Any]:
    kind = "text/plain" if path == "/metrics" else "application/json"
    content: dict[str, Schema] = {kind: {"schema": _WHOLE[path]}}
    if path in _STREAMS:
        content[_STREAMS[path]] = {}
    error = _OPENAI_ERROR
    if path.startswith("/v1/messages"):
        error = _ANTHROPIC_ERROR
    elif path.startswith("/api/"):
        error = _OLLAMA_ERROR
    refused = {"description": "Why not.", "content": {"application/json": {"schema": error}}}
    made: dict[str, Any] = {
        "responses": {
            "200": {"description": "The answer.", "content": content},
            **dict.fromkeys(_REFUSALS, refused),
        }
    }
    if request is not None:
        made["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": request}},
        }
    parameters: list[Schema] = [
        {"name": name, "in": "query", "schema": schema}
        for name, schema in _QUERIES.get(path, {}).items()
    ]
    if "{id}" in path:
        parameters.append({"name": "id", "in": "path", "required": True, "schema": TEXT})
    if parameters:
        made["parameters"] = parameters
    return made
