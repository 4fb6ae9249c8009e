"""Bounds of a Lark grammar that a request brings: llguidance follows its rules by recursion, on a
stack of known size (csrc/engine/compile_threads.cpp)."""

from __future__ import annotations

import json
import re
from typing import Any

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.structured.schema_refs import Parts

_MOST_RULES = 8000
"""A rule takes 3.3 kB of stack at most, of 64 MB."""
_RULE = re.compile(r"^[ \t]*[?!]?[\w-]+[^:\n\"/]*:", re.MULTILINE)
_JSON = re.compile(r"%(json|llguidance|regex|lark)")


def check_grammar(grammar: str) -> None:
    """Bounds the rules of a grammar, and the JSON Schemas within it.

    Raises:
        InvalidRequestError: it has too many of them, or leads too deep.
    """
    rules = len(_RULE.findall(grammar))
    if rules > _MOST_RULES:
        raise InvalidRequestError(
            f"[grammar] the grammar has {rules} rules, and at most {_MOST_RULES} are compiled; "
            "give fewer."
        )
    for found in _JSON.finditer(grammar):
        if found[1] == "json":
            _check_schema(grammar, found.end())


def _check_schema(grammar: str, at: int) -> None:
    begin = at + len(grammar[at:]) - len(grammar[at:].lstrip())
    schema: Any
    try:
        schema, _ = json.JSONDecoder().raw_decode(grammar, begin)
    except (ValueError, RecursionError):
        return  # no JSON to llguidance either, which says where
    if isinstance(schema, dict):
        Parts(schema, "a schema of the grammar").check_finite()
