"""The keywords of a JSON Schema: what each must be, what llguidance enforces, what says nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Part = Mapping[str, Any]

SCHEMA_MAPS = ("properties", "patternProperties", "$defs", "definitions")
SCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
SCHEMAS = ("items", "additionalItems", "additionalProperties")
TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")

ANNOTATIONS = frozenset(
    {"$anchor", "$dynamicAnchor", "$schema", "$id", "id", "$comment", "$vocabulary"}
    | {"title", "description", "default", "deprecated", "readOnly", "writeOnly"}
    | {"example", "examples", "contentMediaType", "contentEncoding", "contentSchema"}
    | {"discriminator", "externalDocs", "xml", "nullable", "enumNames", "enumDescriptions"}
    | {"markdownDescription", "propertyOrdering"}
)
"""Say nothing of what is valid. `nullable` allows null more, which need not come."""

NEUTRAL_FORMATS = frozenset(
    {"int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64"}
    | {"float", "double", "decimal", "decimal128", "double-int", "unixtime", "number", "integer"}
    | {"binary", "byte", "base64", "base64url", "char", "string", "text", "password", "json-string"}
    | {"path", "file-path", "directory-path", "file", "commonmark", "markdown", "html"}
)
"""Formats that say how a program holds a value, and nothing that a text of it would show."""

_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DATE = f"(?:{_YEAR}-(?:(?:0[13-9]|1[0-2])-..|02-(?:[01].|2[0-8]))|{_LEAP_YEAR}-02-29)"
_TIME = "[0-9]{2}:[0-9]{2}:[0-5]"
FORMATS = {
    "date": f"^{_DATE}$",
    "time": f"^{_TIME}",
    "date-time": f"^{_DATE}.{_TIME}",
    **dict.fromkeys(("duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri")),
}
"""The formats that llguidance knows, and a pattern for what it leaves out of them: a day that its
year has not (29 February, and year 0), and a leap second, which only a table could tell."""
_UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-%d[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$"
PATTERN_FORMATS = {
    **{f"uuid{version}": _UUID % version for version in range(1, 9)},
    "json-pointer": "^(?:/(?:[^~/]|~[01])*)*$",
    "relative-json-pointer": "^(?:0|[1-9][0-9]*)(?:#|(?:/(?:[^~/]|~[01])*)*)$",
}
"""Formats that a pattern says whole."""


def _is_count(value: Any) -> bool:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return whole and not isinstance(value, bool) and 0 <= value < 1 << 31


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e300 if isinstance(value, int) else math.isfinite(value)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_type(value: Any) -> bool:
    types = value if isinstance(value, list) else [value]
    return bool(types) and all(isinstance(one, str) and one in TYPES for one in types)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


COUNTS = frozenset(
    {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}
)
_TYPE = f"one of {', '.join(TYPES)}, or a list of them"
VALUES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "$ref": (_is_text, "a text"),
    "type": (_is_type, _TYPE),
    "enum": (lambda value: isinstance(value, list) and bool(value), "a list of at least one value"),
    "required": (_is_names, "a list of the names of properties"),
    "pattern": (_is_text, "a text"),
    "format": (_is_text, "a text"),
    "uniqueItems": (lambda value: isinstance(value, bool), "true or false"),
    "multipleOf": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    **dict.fromkeys(("minimum", "maximum"), (_is_number, "a number")),
    **dict.fromkeys(
        ("exclusiveMinimum", "exclusiveMaximum"),
        (lambda value: isinstance(value, bool) or _is_number(value), "a number"),
    ),
    **dict.fromkeys(COUNTS, (_is_count, "a whole number of at least 0")),
}
"""What the value of a keyword must be. Those of `SCHEMAS` and the like are looked at on the way."""

ENFORCED = frozenset(VALUES) - {"uniqueItems"} | {"const", *SCHEMA_MAPS, *SCHEMA_LISTS, *SCHEMAS}


def says_nothing(keyword: str, value: Any, part: Part) -> bool:  # noqa: PLR0911
    """Whether a keyword that cannot be enforced allows everything where it stands."""
    if keyword in ANNOTATIONS or (keyword.startswith("x-") and keyword != "x-guidance"):
        return True
    if keyword in ("then", "else"):
        return "if" not in part
    if keyword == "if":
        return "then" not in part and "else" not in part
    if keyword in ("minContains", "maxContains"):
        return "contains" not in part or (keyword == "minContains" and value == 0)
    if keyword == "contains":
        return part.get("minContains") == 0 and "maxContains" not in part
    if keyword in ("uniqueItems", "not", "$recursiveAnchor"):
        return value is False
    if keyword in ("propertyNames", "unevaluatedItems", "unevaluatedProperties"):
        return value is True or value in ({}, {"type": "string"} if keyword[0] == "p" else {})
    return keyword in ("dependentRequired", "dependentSchemas", "dependencies") and value == {}
