"""Texts that stand in an answer as they are, without quotes: their schema as a regular expression.

A text may be held to less than its schema allows, never to more: of a format's texts the common
ones are enough.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from convergio_mlx.structured import ecma
from convergio_mlx.structured import schema_keywords as keywords

ANYTHING = "/(?s:.*)/"
SOMETHING = "/(?s:.+)/"
_DEEPEST = 32
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,20}[A-Za-z0-9])?"
_DATE = "[1-9][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:Z|[+-](?:0[0-9]|1[0-2]):[0-5][0-9])"
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_FORMATS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}T{_TIME}",
    "duration": "P(?:[1-9][0-9]{0,4}[YMD]|[1-9][0-9]{0,3}W|T[1-9][0-9]{0,4}[HMS])",
    "email": rf"[A-Za-z0-9_+-]{{1,30}}(?:\.[A-Za-z0-9_+-]{{1,20}}){{0,2}}@{_LABEL}(?:\.{_LABEL})+",
    "hostname": rf"{_LABEL}(?:\.{_LABEL}){{0,5}}",
    "ipv4": rf"{_BYTE}(?:\.{_BYTE}){{3}}",
    "ipv6": "[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){7}",
    "uuid": "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "uri": rf"[a-z]{{2,10}}:\/\/{_LABEL}(?:\.{_LABEL}){{0,5}}(?:\/[A-Za-z0-9._~-]*)*"
    r"(?:\?[A-Za-z0-9._~=-]*)?",
}
_KNOWN = frozenset(
    {"type", "enum", "const", "minLength", "maxLength", "pattern", "format", "$defs"}
    | {"anyOf", "oneOf", "allOf", "$ref", "definitions"}
)


def expression(schema: Any, refer: Callable[[str], Any], unlike: Iterable[str] = ()) -> str | None:
    """A terminal of Lark: the texts, without quotes, that a schema allows.

    Args:
        schema: of a text, or of a text or null.
        refer: what a `$ref` leads to.
        unlike: what no text has in it.

    Returns:
        None where no regular expression of this kind says it.
    """
    try:
        found = _texts(schema, refer, 0)
    except (_OtherError, ecma.RegexError):
        return None
    return " & ".join([found, *(f"~/(?s:.*){_escaped(mark)}(?s:.*)/" for mark in unlike)])


def may_be_empty(schema: Any) -> bool:
    """Whether the empty text is surely one of a schema's."""
    limiting = (
        "minLength",
        "pattern",
        "format",
        "enum",
        "const",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
    )
    return schema is True or not any(schema.get(keyword) for keyword in limiting)


class _OtherError(Exception):
    """A schema that is more than is said here."""


def _texts(schema: Any, refer: Callable[[str], Any], depth: int) -> str:
    if depth > _DEEPEST:
        raise _OtherError
    if schema is True:
        return ANYTHING
    if not isinstance(schema, dict):
        raise _OtherError
    for keyword, value in schema.items():
        if keyword not in _KNOWN and not keywords.says_nothing(keyword, value, schema):
            raise _OtherError
    parts = [*_own(schema)]
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            if keyword == "oneOf" and not _exclude(schema[keyword]):
                raise _OtherError
            ways = [_texts(one, refer, depth + 1) for one in schema[keyword]]
            parts.append(f"({' | '.join(f'({way})' for way in ways)})")
    parts += [f"({_texts(one, refer, depth + 1)})" for one in schema.get("allOf", ())]
    if "$ref" in schema:
        parts.append(f"({_texts(refer(schema['$ref']), refer, depth + 1)})")
    return " & ".join(parts) or ANYTHING


def _own(schema: dict[str, Any]) -> Iterable[str]:
    types = schema.get("type", ["string", "null"])
    types = [types] if isinstance(types, str) else types
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        if "const" in schema:
            values = [value for value in values if value == schema["const"]]
        texts = [value for value in values if isinstance(value, str) and "string" in types]
        texts += ["null"] if None in values and "null" in types else []
        if not texts:
            raise _OtherError
        yield f"/{'|'.join(map(ecma.escaped, texts))}/"
        if not {"minLength", "maxLength", "pattern", "format"}.isdisjoint(schema):
            raise _OtherError
        return
    if "string" not in types:
        yield "/null/"
        return
    limits = [*_limits(schema)]
    if "type" in schema and "null" in types and limits:
        yield f"(/null/ | ({' & '.join(limits)}))"
    else:
        yield from limits


def _limits(schema: dict[str, Any]) -> Iterable[str]:
    least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
    if least or most is not None:
        yield f"/(?s:.{{{least},{'' if most is None else int(most)}}})/"
    if "pattern" in schema:
        yield _pattern(ecma.translated(schema["pattern"]))
    name = schema.get("format")
    if name in _FORMATS:
        yield f"/{_FORMATS[name]}/"
    elif name in keywords.PATTERN_FORMATS:
        yield _pattern(keywords.PATTERN_FORMATS[name])
    elif name is not None and name not in keywords.NEUTRAL_FORMATS:
        raise _OtherError


def _pattern(pattern: str) -> str:
    """A pattern that is searched for, as one of the whole text."""
    start, end = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith(r"\$")
    inner = pattern[start : len(pattern) - end]
    plain = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "", inner)
    if "^" in plain or "$" in plain or ("|" in _outside_groups(plain) and (start or end)):
        raise _OtherError
    before, after = "" if start else "(?s:.*)", "" if end else "(?s:.*)"
    return f"/{before}(?:{inner}){after}/"


def _outside_groups(plain: str) -> str:
    depth, out = 0, ""
    for character in plain:
        depth += (character == "(") - (character == ")")
        out += character if depth == 0 else ""
    return out


def _exclude(branches: Any) -> bool:
    """Whether the schemas of a `oneOf` are constants, no two the same."""
    values: list[Any] = []
    for one in branches:
        if not isinstance(one, dict) or not ("const" in one or "enum" in one):
            return False
        values += one.get("enum", [one.get("const")])
    return len({str(value) for value in values}) == len(values)


def _escaped(text: str) -> str:
    return "".join(map(ecma.escaped, text))
