"""`response_format`: the form that an answer must have."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.structured import ecma, schema
from convergio_mlx.structured.lark import check_grammar

Given = Mapping[str, Any]

_MOST_CHOICES = 100_000
_ALL_CHOICES = 4_000_000
_LONGEST_CHOICE = 65_536
"""60 000 choices of 20 bytes are compiled in 0.8 s. The lexer follows one of 100 000 bytes, and
gives up on 190 000."""


def answer_rule(response_format: Any) -> str | None:
    """The Lark expression of an answer, or None where it may be any text. A whole grammar is
    referred to as `@answer`, see `own_grammar`.

    Args:
        response_format: OpenAI's `{"type": "text" | "json_object"}` and `{"type": "json_schema",
            "json_schema": {"schema": …}}`, whose objects have no properties that the schema does
            not name, unless they or `"additional_properties": True` beside the schema say so;
            llama.cpp's `{"type": "json_object", "schema": …}`; or ours: `{"type": "regex",
            "regex": …}`, `{"type": "choice", "choice": […]}`, `{"type": "grammar", "grammar": …}`
            (Lark).

    Raises:
        InvalidRequestError: it is none of these, has a field that its type has not, or its schema
            cannot be enforced.
    """
    if response_format is None:
        return None
    kind = response_format.get("type") if isinstance(response_format, Mapping) else None
    if not isinstance(kind, str) or kind not in _RULES:
        known = ", ".join(map(repr, _RULES))
        _refuse(f"is {reprlib.repr(response_format)}", f"give {{'type': …}} with one of {known}")
    _check_fields("", response_format, ("type", *_FIELDS[kind]))
    return _RULES[kind](response_format)


def own_grammar(response_format: Any) -> str | None:
    """The Lark grammar of a `response_format` that is one."""
    if isinstance(response_format, Mapping) and response_format.get("type") == "grammar":
        return str(response_format["grammar"])
    return None


def _object(given: Given) -> str:
    if given.get("schema") is None:
        return schema.json_rule({"type": "object"}, "response_format")
    return schema.json_rule(given["schema"], "response_format.schema")


def _of_schema(given: Given) -> str:
    inner = _field(given, "json_schema", Mapping, "an object")
    if "schema" not in inner:
        _refuse("'json_schema' has no 'schema'", "give {'name': …, 'schema': {…}}")
    _check_fields("'json_schema' ", inner, _DESCRIBED)
    is_open = inner.get("additional_properties", False)
    if not isinstance(is_open, bool):
        _refuse(
            f"has {reprlib.repr(is_open)} as its 'additional_properties'",
            "give True for objects that may have properties which the schema does not name, or "
            "False",
        )
    where = "response_format.schema"
    return schema.json_rule(inner["schema"], where, open_objects=is_open)


def _regex(given: Given) -> str:
    regex = _field(given, "regex", str, "a text")
    try:
        return f"/{ecma.translated(regex)}/"
    except ecma.RegexError as error:
        what, _, remedy = str(error).partition("; ")
        _refuse(f"has {reprlib.repr(regex)} as its 'regex', which {what}", remedy)


def _choice(given: Given) -> str:
    choices = _field(given, "choice", list | tuple, "a list of texts")
    if not choices or not all(isinstance(one, str) and one for one in choices):
        _refuse("'choice' is no list of texts", "give at least one text, and no empty one")
    sizes = [len(one.encode(errors="replace")) for one in choices]
    if len(sizes) > _MOST_CHOICES or sum(sizes) > _ALL_CHOICES or max(sizes) > _LONGEST_CHOICE:
        _refuse(
            f"has {len(sizes)} choices of {sum(sizes)} bytes, the longest of {max(sizes)}",
            f"give at most {_MOST_CHOICES} of {_ALL_CHOICES} bytes together and {_LONGEST_CHOICE} "
            "each",
        )
    return f"/{'|'.join(map(ecma.escaped, dict.fromkeys(choices)))}/"


def _grammar(given: Given) -> str:
    check_grammar(_field(given, "grammar", str, "a text"))
    return "@answer"


_RULES: dict[str, Callable[[Given], str | None]] = {
    "text": lambda _: None,
    "json_object": _object,
    "json_schema": _of_schema,
    "regex": _regex,
    "choice": _choice,
    "grammar": _grammar,
}
_FIELDS: dict[str, tuple[str, ...]] = {
    "text": (),
    "json_object": ("schema",),
    **{kind: (kind,) for kind in ("json_schema", "regex", "choice", "grammar")},
}
"""What each type has besides."""
_DESCRIBED = ("name", "description", "schema", "strict", "additional_properties")
"""A schema is always held to, whether `strict` or not."""


def _check_fields(where: str, given: Given, known: tuple[str, ...]) -> None:
    """Refuses a field that would be lost."""
    for name, value in given.items():
        if name not in known and value is not None:
            _refuse(
                f"{where}has the field {reprlib.repr(name)}, which is not known there",
                f"leave it out; there are {', '.join(map(repr, known))}",
            )


def _field(given: Given, name: str, kind: Any, form: str) -> Any:
    value = given.get(name)
    if not isinstance(value, kind):
        _refuse(f"has {reprlib.repr(value)} as its '{name}'", f"give {form}")
    return value


def _refuse(what: str, remedy: str) -> NoReturn:
    raise InvalidRequestError(f"[response_format] response_format {what}; {remedy}.")
