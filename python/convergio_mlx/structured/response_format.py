"""`response_format`: the form that an answer must have."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.structured import schema

Given = Mapping[str, Any]


def answer_rule(response_format: Any) -> str | None:
    """The Lark expression of an answer, or None where it may be any text. A whole grammar is
    referred to as `@answer`, see `own_grammar`.

    Args:
        response_format: OpenAI's `{"type": "text" | "json_object"}` and `{"type": "json_schema",
            "json_schema": {"schema": …}}`, or ours: `{"type": "regex", "regex": …}`, `{"type":
            "choice", "choice": […]}`, `{"type": "grammar", "grammar": …}` (Lark).

    Raises:
        InvalidRequestError: it is none of these, or its schema cannot be enforced.
    """
    if response_format is None:
        return None
    kind = response_format.get("type") if isinstance(response_format, Mapping) else None
    rule = _RULES.get(kind) if isinstance(kind, str) else None
    if rule is None:
        known = ", ".join(map(repr, _RULES))
        _refuse(f"is {response_format!r}", f"give {{'type': …}} with one of {known}")
    return rule(response_format)


def own_grammar(response_format: Any) -> str | None:
    """The Lark grammar of a `response_format` that is one."""
    if isinstance(response_format, Mapping) and response_format.get("type") == "grammar":
        return str(response_format["grammar"])
    return None


def _any_object(_: Given) -> str:
    return schema.json_rule({"type": "object"}, "response_format")


def _of_schema(given: Given) -> str:
    inner = _field(given, "json_schema", Mapping, "an object")
    if "schema" not in inner:
        _refuse("'json_schema' has no 'schema'", "give {'name': …, 'schema': {…}}")
    return schema.json_rule(inner["schema"], "response_format.schema")


def _regex(given: Given) -> str:
    from llguidance import regex_to_lark

    return f"/{regex_to_lark(_field(given, 'regex', str, 'a text'), '')}/"


def _choice(given: Given) -> str:
    choices = _field(given, "choice", list | tuple, "a list of texts")
    if not choices or not all(isinstance(one, str) and one for one in choices):
        _refuse("'choice' is no list of texts", "give at least one text, and no empty one")
    return " | ".join(json.dumps(one, ensure_ascii=False) for one in dict.fromkeys(choices))


def _grammar(given: Given) -> str:
    _field(given, "grammar", str, "a text")
    return "@answer"


_RULES: dict[str, Callable[[Given], str | None]] = {
    "text": lambda _: None,
    "json_object": _any_object,
    "json_schema": _of_schema,
    "regex": _regex,
    "choice": _choice,
    "grammar": _grammar,
}


def _field(given: Given, name: str, kind: Any, form: str) -> Any:
    value = given.get(name)
    if not isinstance(value, kind):
        _refuse(f"has {value!r} as its '{name}'", f"give {form}")
    return value


def _refuse(what: str, remedy: str) -> NoReturn:
    raise InvalidRequestError(f"[response_format] response_format {what}; {remedy}.")
