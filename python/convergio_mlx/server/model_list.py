"""The models that are served, as OpenAI and Anthropic list them, who share the path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from convergio_mlx.providers.interface import ModelConfig
from convergio_mlx.server.ascii_json import AsciiJsonResponse
from convergio_mlx.server.body import Fields
from convergio_mlx.server.problems import refusal
from convergio_mlx.server.service import Service

MOST = 1000
"""Models on a page."""
_NUMBER = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True)
class _Page:
    """What is asked for of the list; Anthropic's names."""

    limit: int | None
    """None: all. Anthropic's is 20 then, but clients of OpenAI's ask for no second page."""
    after_id: str | None
    before_id: str | None


async def models(service: Service, request: Request) -> Response:
    """GET /v1/models: those that are served, or a page of them
    (https://docs.anthropic.com/en/api/models-list)."""
    page = _read(request.query_params)
    found = [_model(model) for model in await service.models()]
    if page.after_id is not None:
        found = found[_place(found, "after_id", page.after_id) + 1 :]
    elif page.before_id is not None:
        found = found[: _place(found, "before_id", page.before_id)]
    here = found
    if page.limit is not None:  # a page before a model ends at it
        here = found[: page.limit] if page.before_id is None else found[-page.limit :]
    ends = {
        "first_id": here[0]["id"] if here else None,
        "last_id": here[-1]["id"] if here else None,
    }
    has_more = len(here) < len(found)
    return AsciiJsonResponse({"object": "list", "data": here, "has_more": has_more, **ends})


async def model(service: Service, request: Request) -> Response:
    """GET /v1/models/{id}: one of them."""
    return AsciiJsonResponse(_model(await service.model(request.path_params["id"])))


def _read(query: QueryParams) -> _Page:
    given: dict[str, Any] = dict(query)
    for name in given:
        if (times := len(query.getlist(name))) > 1:
            message = f"[server] {name[:200]!r} is given {times} times; give it once."
            raise refusal(message, name[:200])
    if _NUMBER.fullmatch(given.get("limit", "")):
        given["limit"] = int(given["limit"])
    fields = Fields(given)
    fields.only("beta", ("true",), "Anthropic's clients send true; leave it out")
    limit = fields.whole("limit", None, 1, MOST) if "limit" in given else None
    page = _Page(limit, fields.take("after_id"), fields.take("before_id"))
    fields.end()
    if page.after_id is not None and page.before_id is not None:
        raise refusal("[server] after_id and before_id are both given; give one.", "before_id")
    return page


def _place(found: list[dict[str, Any]], name: str, wanted: str) -> int:
    ids = [one["id"] for one in found]
    if wanted not in ids:
        raise refusal(
            f"[server] {name} is {wanted[:200]!r}, which is none of the models; give an id of the "
            "list.",
            name,
        )
    return ids.index(wanted)


def _model(config: ModelConfig) -> dict[str, Any]:
    """As both have it; when it was made is not known."""
    named = {"id": config.id, "object": "model", "created": 0, "owned_by": "convergio-mlx"}
    named |= {"type": "model", "created_at": "1970-01-01T00:00:00Z"}
    return {**named, "display_name": config.display_name, "context_window": config.context_window}
