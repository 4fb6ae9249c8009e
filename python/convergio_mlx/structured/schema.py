"""JSON Schemas that can be enforced: every keyword is, or the schema is refused.

llguidance enforces what its documentation lists. What it would pass over is refused here: keywords
of no known meaning, and bounds that it cannot keep.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.text import messages as conversation

ENFORCED = frozenset(
    {"anyOf", "oneOf", "allOf", "$ref", "const", "enum", "type"}
    | {"items", "additionalItems", "prefixItems", "minItems", "maxItems"}
    | {"properties", "additionalProperties", "patternProperties"}
    | {"required", "minProperties", "maxProperties"}
    | {"minLength", "maxLength", "pattern", "format"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)
ANNOTATIONS = frozenset(
    {"$anchor", "$defs", "definitions", "$schema", "$id", "id", "$comment", "title", "description"}
    | {"default", "deprecated", "readOnly", "writeOnly", "example", "examples"}
    | {"contentMediaType", "contentEncoding"}
)
"""Say nothing of what is valid."""
_SCHEMA_MAPS = ("properties", "patternProperties", "$defs", "definitions")
_SCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMAS = ("items", "additionalItems", "additionalProperties")
_ADDING = (
    "allOf",
    "anyOf",
    "oneOf",
    "$ref",
    "patternProperties",
    "additionalProperties",
    "minProperties",
)
_WHITESPACE = r" |\r?\n[ \t]{0,32}"
"""At one place: a space, or a new line and its indent. With more a model can idle for ever."""
_DEEPEST = 100
_STEP = 1e-9
_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DATE = f"(?:{_YEAR}-(?:(?:0[13-9]|1[0-2])-..|02-(?:[01].|2[0-8]))|{_LEAP_YEAR}-02-29)"
_TIME = "[0-9]{2}:[0-9]{2}:[0-5]"
_EXACT = {
    "date": f"^{_DATE}$",
    "time": f"^{_TIME}",
    "date-time": f"^{_DATE}.{_TIME}",
    **dict.fromkeys(("duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri")),
}
"""The formats that llguidance knows, and what it leaves out of them: a day that its year has not
(29 February, and year 0), and a leap second, which only a table of them could tell."""


def json_rule(schema: Any, where: str) -> str:
    """The Lark expression of a JSON value that the schema allows.

    Args:
        schema: a JSON Schema of draft 2020-12 (or older drafts' arrays and bounds): an object or a
            boolean.
        where: what the schema is of, for errors.

    Raises:
        InvalidRequestError: it is no schema, or has a keyword that cannot be enforced; it names it.
    """
    plain = conversation.plain(schema, where)
    if plain is True:
        plain = {}
    if not isinstance(plain, dict):
        raise InvalidRequestError(
            f"[schema] {where} is {plain!r}, which allows nothing or is no schema; give a JSON "
            "Schema as an object."
        )
    for at, part in [*_parts(plain, where, 0)]:
        _check(at, part)
        _close_bounds(part)
        if pattern := _EXACT.get(part.get("format", "")):
            _add_pattern(part, pattern)
    options = {"whitespace_pattern": _WHITESPACE}
    return f"%json {json.dumps({**plain, 'x-guidance': options})}"


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object that leaves out what it does not name, unless it says otherwise.
    Where other keywords add properties of their own it stays as it is."""
    if any(keyword in schema for keyword in _ADDING):
        return schema
    return {"type": "object", "properties": {}, **schema, "additionalProperties": False}


def _parts(schema: Any, at: str, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """All schemas within a schema, itself included, each with its path."""
    if depth > _DEEPEST:
        raise InvalidRequestError(
            f"[schema] {at} is nested more than {_DEEPEST} levels deep; give fewer levels, or "
            "recurse with '$ref'."
        )
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise InvalidRequestError(
            f"[schema] {at} is a {type(schema).__name__}; give an object or a boolean."
        )
    yield at, schema
    for keyword, value in schema.items():
        path = f"{at}.{keyword}"
        if keyword in _SCHEMA_MAPS:
            for name, part in _typed(value, dict, path).items():
                yield from _parts(part, f"{path}.{name}", depth + 1)
        elif keyword in _SCHEMA_LISTS or (keyword == "items" and isinstance(value, list)):
            for index, part in enumerate(_typed(value, list, path)):
                yield from _parts(part, f"{path}[{index}]", depth + 1)
        elif keyword in _SCHEMAS:
            yield from _parts(value, path, depth + 1)


def _typed(value: Any, kind: type, at: str) -> Any:
    if not isinstance(value, kind):
        wanted = "an object" if kind is dict else "a list"
        raise InvalidRequestError(
            f"[schema] {at} is a {type(value).__name__}, which must be {wanted}; correct it."
        )
    return value


def _check(at: str, schema: Mapping[str, Any]) -> None:
    for keyword in schema:
        if keyword in ENFORCED or keyword in ANNOTATIONS:
            continue
        if keyword.startswith("x-") and keyword != "x-guidance":
            continue
        _refuse(at, keyword, "is no keyword that can be enforced")
    least = schema.get("minProperties")
    if isinstance(least, int) and least > max(1, len(schema.get("required", ()))):
        _refuse(at, "minProperties", "can be enforced only for what is required, or as 1")

    form = schema.get("format")
    if form is not None and form not in _EXACT:
        raise InvalidRequestError(
            f"[schema] {at} has the 'format' {form!r}, which cannot be enforced; give one of "
            f"{', '.join(_EXACT)}, or a 'pattern'."
        )


def _close_bounds(schema: dict[str, Any]) -> None:
    """Exclusive bounds of numbers as inclusive ones a little within: llguidance lets a whole number
    through that is an exclusive bound, where the other bound is less than 1 away."""
    if schema.get("type") == "integer":
        return
    for bound, exclusive, step, inner in (
        ("minimum", "exclusiveMinimum", _STEP, max),
        ("maximum", "exclusiveMaximum", -_STEP, min),
    ):
        limit = schema.get(exclusive)
        if limit is True:  # draft 4 has it beside the bound
            limit = schema.get(bound)
        if limit is None or isinstance(limit, bool) or not isinstance(limit, int | float):
            continue
        within = limit + step
        if within == limit:
            within = math.nextafter(limit, limit + step * math.inf)
        schema[bound] = inner(within, schema.get(bound, within))
        del schema[exclusive]


def _add_pattern(schema: dict[str, Any], pattern: str) -> None:
    if "pattern" in schema:
        schema["allOf"] = [*schema.get("allOf", []), {"pattern": pattern}]
    else:
        schema["pattern"] = pattern


def _refuse(at: str, keyword: str, why: str) -> NoReturn:
    raise InvalidRequestError(
        f"[schema] {at} has '{keyword}', which {why}; leave it out, or say it with other keywords."
    )
