"""A request's body: read within its limits, and its fields taken one by one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from typing import Any, NoReturn

from starlette.requests import Request

from convergio_mlx.server.problems import Problem, RefusedError, refusal
from convergio_mlx.server.settings import ServerSettings


async def read_body(request: Request, settings: ServerSettings) -> dict[str, Any]:
    """The JSON object that a request brings.

    Raises:
        RefusedError: it is none, too large, or too slow.
    """
    try:
        async with asyncio.timeout(settings.body_seconds):
            data = await _collected(request, settings.max_body_bytes)
    except TimeoutError:
        raise RefusedError(
            Problem(
                408,
                "invalid_request_error",
                "request_timeout",
                f"[server] the body did not come within {settings.body_seconds:g} s; send it at "
                "once.",
            )
        ) from None
    try:
        body = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise refusal(
            f"[server] the body is no JSON ({why[:200]}); send an object.", code="invalid_json"
        ) from None
    if not isinstance(body, dict):
        raise refusal(f"[server] the body is {_kind(body)}; send an object.", code="invalid_json")
    return body


async def _collected(request: Request, limit: int) -> bytes:
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > limit:
            raise too_large(limit)
    return bytes(data)


def too_large(limit: int) -> RefusedError:
    """Of a body beyond the limit."""
    message = f"[server] the body has more than {limit} bytes; send a smaller one."
    return RefusedError(Problem(413, "invalid_request_error", "request_too_large", message))


class Fields:
    """The fields of an object, each taken once; `end` refuses what is left, so that nothing a
    client asks for is passed over."""

    def __init__(self, given: Any, where: str = "") -> None:
        """Takes an object; null is as if a field were not there."""
        self._where = where
        if not isinstance(given, dict):
            self._refuse(where, given, "an object")
        self._left = {name: value for name, value in given.items() if value is not None}

    def take(self, name: str, default: Any = None) -> Any:
        """A field of any type."""
        return self._left.pop(name, default)

    def text(self, name: str, default: str | None = None) -> str:
        """A text; refused where it is missing and has no default."""
        value = self._left.pop(name, default)
        if not isinstance(value, str):
            self._refuse(self.path(name), value, "a text")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self._left.pop(name, default)
        if not isinstance(value, bool):
            self._refuse(self.path(name), value, "true or false")
        return value

    def whole(self, name: str, default: int | None, low: int, high: int) -> int:
        """A whole number within bounds; refused where it is missing and has no default."""
        value = self._left.pop(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self._refuse(self.path(name), value, f"a whole number from {low} to {high}")
        return value

    def items(self, name: str) -> list[Any]:
        """A list; empty where it is missing."""
        value = self._left.pop(name, [])
        if not isinstance(value, list):
            self._refuse(self.path(name), value, "a list")
        return value

    def fields(self, name: str) -> Fields | None:
        """An object's fields."""
        value = self._left.pop(name, None)
        return None if value is None else Fields(value, self.path(name))

    def several(self, names: Collection[str]) -> dict[str, Any]:
        """Those of some fields that are there."""
        return {name: self._left.pop(name) for name in names if name in self._left}

    def drop(self, names: Collection[str]) -> None:
        """Passes over fields that change nothing of an answer here."""
        self.several(names)

    def only(self, name: str, allowed: Collection[Any], why: str) -> None:
        """Refuses any other value of a field that has but these here."""
        value = self._left.pop(name, None)
        if value is None:
            return
        if not any(type(value) is type(one) and value == one for one in allowed):
            path = self.path(name)
            raise refusal(f"[server] {path} is {_short(value)}; {why}.", path, "unsupported_value")

    def end(self) -> None:
        """Refuses fields that were not taken."""
        for name in self._left:
            path = self.path(name)
            raise refusal(
                f"[server] there is no field {path[:200]!r} here; leave it out.",
                path[:200],
                "unknown_parameter",
            )

    def path(self, name: str) -> str:
        """A field's name with those of the objects around it."""
        return f"{self._where}.{name}" if self._where else name

    def _refuse(self, path: str, value: Any, wanted: str) -> NoReturn:
        what = f"{path} is {_kind(value)}" if value is not None else f"{path} is missing"
        raise refusal(f"[server] {what}; give {wanted}.", path, "invalid_type")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}
    return names.get(type(value), _short(value))


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 80 else f"{text[:80]}…"
