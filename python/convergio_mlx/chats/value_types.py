"""The JSON of a value that a tool-call format writes without quotes: the tool's schema says whether
it is a text."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from convergio_mlx.chats import json_parts, literals

TEXT = frozenset(("string",))
TEXT_OR_NULL = frozenset(("string", "null"))
ALL = frozenset(("string", "number", "boolean", "null", "array", "object"))
"""JSON's types; whole numbers are numbers."""
_DEEPEST = 32


def types_of(schema: Any, root: Any, depth: int = 0) -> frozenset[str]:
    """The types that a schema allows.

    Args:
        schema: a part of `root`.
        root: what its `$ref`s lead into.
        depth: levels that led here.
    """
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return ALL
    found = ALL
    if "type" in schema:
        given = schema["type"]
        names = [given] if isinstance(given, str) else given if isinstance(given, list) else []
        found &= {"number" if name == "integer" else str(name) for name in names}
    if "const" in schema:
        found &= {type_of(schema["const"])}
    if isinstance(schema.get("enum"), list):
        found &= {type_of(value) for value in schema["enum"]}
    for keyword in ("anyOf", "oneOf"):
        if isinstance(schema.get(keyword), list):
            branches = [types_of(one, root, depth + 1) for one in schema[keyword]]
            found &= frozenset[str]().union(*branches)
    if isinstance(schema.get("allOf"), list):
        for one in schema["allOf"]:
            found &= types_of(one, root, depth + 1)
    if isinstance(schema.get("$ref"), str):
        found &= types_of(referred(schema["$ref"], root), root, depth + 1)
    return found


def referred(ref: str, root: Any) -> Any:
    """What a `$ref` of a JSON pointer leads to; True, which allows anything, where to nothing."""
    if not ref.startswith("#"):
        return True
    at = root
    for token in unquote(ref[1:]).split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(at, list) and key.isdigit() and int(key) < len(at):
            at = at[int(key)]
        elif isinstance(at, dict) and key in at:
            at = at[key]
        else:
            return True
    return at


def type_of(value: object) -> str:
    """The JSON type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def json_of(text: str, types: frozenset[str]) -> str:
    """The JSON of a value as it is written.

    Args:
        text: the value, of a text without quotes.
        types: those that the schema allows.
    """
    if types <= TEXT_OR_NULL:
        is_null = "null" in types and text.strip() in ("null", "None")
        return "null" if is_null else json.dumps(text, ensure_ascii=False)
    written = text.strip()
    try:
        value, end = json_parts.value(written)
        if end != len(written):
            raise ValueError("more follows")
    except ValueError:
        try:
            written = literals.read(written)
            value = json.loads(written)
        except ValueError:
            return json.dumps(text, ensure_ascii=False)
    if "string" in types and type_of(value) not in types:
        return json.dumps(text, ensure_ascii=False)
    return written
