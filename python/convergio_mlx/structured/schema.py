"""JSON Schemas that can be enforced: every keyword is, says nothing, or is refused by name.

llguidance enforces what its documentation lists. What it would pass over is refused here: keywords
of no known meaning, and bounds that it cannot keep.
"""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.structured import ecma
from convergio_mlx.structured import schema_keywords as keywords
from convergio_mlx.structured.schema_choices import are_exclusive, discriminator, excluding
from convergio_mlx.structured.schema_objects import Objects
from convergio_mlx.structured.schema_refs import Parts
from convergio_mlx.text import messages as conversation

_ADDING = ("allOf", "anyOf", "oneOf", "$ref", "patternProperties", "additionalProperties")
_WHITESPACE = r" |\r?\n[ \t]{0,32}"
"""At one place: a space, or a new line and its indent. With more a model can idle for ever."""
_CANONICAL_ESCAPES = 'nrbtf\\"'
"""Those that spell a character in one way: none with a code."""
_STEP = 1e-9


@dataclass(frozen=True)
class Unenforced:
    """What of a schema cannot be enforced while an answer is made, and is to be checked after."""

    where: str
    """As in `the parameters of 'f'.properties.a`."""
    keyword: str
    why: str

    def __str__(self) -> str:
        """One clause."""
        return f"{self.where} has '{self.keyword}', which {self.why}"


@dataclass(frozen=True)
class Enforceable:
    """A schema as far as it can be enforced."""

    rule: str
    """The Lark expression of a JSON value that it allows."""
    unenforced: tuple[Unenforced, ...]
    """What it allows beyond the schema that was given. Empty where every answer is valid."""


def json_rule(schema: Any, where: str, *, open_objects: bool = False) -> str:
    """The Lark expression of a JSON value that the schema allows.

    Args:
        schema: a JSON Schema of draft 2020-12 (or older drafts' arrays and bounds): an object or a
            boolean.
        where: what the schema is of, for errors.
        open_objects: objects that do not say `additionalProperties` may have properties that the
            schema does not name; else they have none.

    Raises:
        InvalidRequestError: it is no schema, no finite value fits it, or it has a keyword that
            cannot be enforced; it names it. `uniqueItems` is passed over: a list may repeat an
            item.
    """
    made = _made(schema, where, open_objects, relaxed=False)
    for one in made.unenforced:
        if one.keyword != "uniqueItems":
            raise InvalidRequestError(
                f"[schema] {one}; leave it out, or say it with other keywords."
            )
    return made.rule


def enforceable(schema: Any, where: str, *, open_objects: bool = False) -> Enforceable:
    """As `json_rule`, for answers that are checked after: what cannot be enforced is left out, and
    listed.

    Raises:
        InvalidRequestError: it is no schema, or no finite value fits it.
    """
    return _made(schema, where, open_objects, relaxed=True)


def _made(schema: Any, where: str, open_objects: bool, *, relaxed: bool) -> Enforceable:
    plain = conversation.plain(schema, where)
    if plain is True:
        plain = {}
    if not isinstance(plain, dict):
        raise InvalidRequestError(
            f"[schema] {where} is {reprlib.repr(plain)}, which allows nothing or is no schema; "
            "give a JSON Schema as an object."
        )
    try:
        made = _Maker(plain, where, open_objects, relaxed)
        options = {"whitespace_pattern": _WHITESPACE}
        rule = made.part("")
        if made.is_open:
            options["json_allowed_escapes"] = _CANONICAL_ESCAPES
        text = json.dumps({**rule, "x-guidance": options})
    except RecursionError:
        raise InvalidRequestError(
            f"[schema] {where} is nested too deeply; give fewer levels."
        ) from None
    return Enforceable(f"%json {text}", tuple(made.unenforced))


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a tool's parameters: an object without properties where it names none."""
    if any(keyword in schema for keyword in _ADDING):
        return schema
    return {"type": "object", "properties": {}, **schema}


class _Maker:
    """Makes of each part what llguidance is given."""

    def __init__(self, root: dict[str, Any], where: str, open_objects: bool, relaxed: bool) -> None:
        self.unenforced: list[Unenforced] = []
        self.is_open = False
        """An object with named properties may have others, which must not spell those in another
        way: no escape with a code is allowed then."""
        self._parts = Parts(root, where)
        for pointer, part in self._parts.all.items():
            self._check_values(pointer, part)
        self._parts.check_finite()
        self._objects = Objects(self._parts)
        self._closes = not open_objects
        self._relaxed = relaxed

    def part(self, pointer: str) -> dict[str, Any]:
        """A part as llguidance is given it."""
        part = {**self._parts.all[pointer], **self._objects.closing(pointer, self._closes)}
        made: dict[str, Any] = {}
        for keyword, value in part.items():
            at = f"{pointer}/{keyword}"
            if keyword in keywords.SCHEMA_MAPS:
                made[keyword] = self._map(keyword, value, at, pointer)
            elif keyword in keywords.SCHEMA_LISTS or (
                isinstance(value, list) and keyword == "items"
            ):
                made[keyword] = [self._child(f"{at}/{i}", one) for i, one in enumerate(value)]
            elif keyword in keywords.SCHEMAS:
                made[keyword] = self._child(at, value)
            elif keyword in keywords.ENFORCED:
                made[keyword] = int(value) if keyword in keywords.COUNTS else value
            elif keyword in ("$schema", "$id", "id", "$anchor"):
                made[keyword] = value
            else:
                self._unknown(pointer, keyword, value)
        if len(made.get("patternProperties", ())) < len(part.get("patternProperties", ())):
            made.pop("additionalProperties", None)  # it may have one that was left out
        self._one_of(pointer, made)
        self._strings(pointer, made)
        self._least_properties(pointer, made)
        _close_bounds(made)
        names = "properties" in made or "patternProperties" in made
        self.is_open = self.is_open or (names and made.get("additionalProperties") is not False)
        return made

    def _child(self, pointer: str, given: Any) -> Any:
        return self.part(pointer) if pointer in self._parts.all else given

    def _map(self, keyword: str, given: dict[str, Any], at: str, pointer: str) -> dict[str, Any]:
        made = {}
        for key, one in given.items():
            token = key.replace("~", "~0").replace("/", "~1")
            name = self._pattern(pointer, keyword, key) if keyword == "patternProperties" else key
            if name is not None:
                made[name] = self._child(f"{at}/{token}", one)
        return made

    def _pattern(self, pointer: str, keyword: str, pattern: str) -> str | None:
        try:
            return ecma.translated(pattern)
        except ecma.RegexError as error:
            what, _, _ = str(error).partition(";")
            self._leave(pointer, keyword, f"is {reprlib.repr(pattern)} and {what}")
            return None

    def _unknown(self, pointer: str, keyword: str, value: Any) -> None:
        part = self._parts.all[pointer]
        if keywords.says_nothing(keyword, value, part):
            return
        if keyword in ("then", "else"):
            return  # its 'if' is told of
        is_closed = self._objects.closing(pointer, always=True) or "additionalProperties" in part
        if not (keyword == "unevaluatedProperties" and value is False and is_closed):
            self._leave(pointer, keyword, "is no keyword that can be enforced")

    def _leave(self, pointer: str, keyword: str, why: str) -> None:
        self.unenforced.append(Unenforced(self._parts.name(pointer), keyword, why))

    def _one_of(self, pointer: str, made: dict[str, Any]) -> None:
        if "oneOf" not in made:
            return
        name = discriminator(self._parts, pointer)
        one_of = made["oneOf"]
        if name is not None:
            one_of = [excluding(branch, name) for branch in one_of]
        elif len(one_of) > 1 and not are_exclusive(self._parts, pointer):
            if not self._relaxed:
                return  # llguidance may know better, and refuses what it does not
            why = "can be enforced only where no value can fit two of its schemas"
            self._leave(pointer, "oneOf", why)
        del made["oneOf"]
        if "anyOf" in made:
            made["allOf"] = [*made.get("allOf", ()), {"anyOf": one_of}]
        else:
            made["anyOf"] = one_of

    def _strings(self, pointer: str, made: dict[str, Any]) -> None:
        patterns = []
        if "pattern" in made:
            pattern = self._pattern(pointer, "pattern", made.pop("pattern"))
            patterns += [] if pattern is None else [pattern]
        name = made.get("format")
        if name is not None and name not in keywords.FORMATS:
            del made["format"]
            if name in keywords.PATTERN_FORMATS:
                patterns.append(keywords.PATTERN_FORMATS[name])
            elif name not in keywords.NEUTRAL_FORMATS and _may_be_text(made):
                known = ", ".join(keywords.FORMATS)
                why = f"is {name!r} and cannot be enforced (a 'pattern' can be, and {known})"
                self._leave(pointer, "format", why)
        elif exact := keywords.FORMATS.get(name or ""):
            patterns.append(exact)
        if patterns:
            made["pattern"] = patterns[0]
        if patterns[1:]:
            made["allOf"] = [*made.get("allOf", ()), *({"pattern": one} for one in patterns[1:])]

    def _least_properties(self, pointer: str, made: dict[str, Any]) -> None:
        least = made.get("minProperties", 0)
        if least > max(1, len(made.get("required", ()))):
            del made["minProperties"]
            why = "can be enforced only for what is required, or as 1"
            self._leave(pointer, "minProperties", why)

    def _check_values(self, pointer: str, part: dict[str, Any]) -> None:
        for keyword, value in part.items():
            is_right, wanted = keywords.VALUES.get(keyword, (None, ""))
            if is_right is not None and not is_right(value):
                raise InvalidRequestError(
                    f"[schema] {self._parts.name(pointer)} has {reprlib.repr(value)} as its "
                    f"'{keyword}', which must be {wanted}; correct it."
                )


def _may_be_text(part: dict[str, Any]) -> bool:
    types = part.get("type", "string")
    return "string" in types if isinstance(types, list) else types == "string"


def _bounds(part: dict[str, Any]) -> Iterator[tuple[str, str, float, Any]]:
    yield "minimum", "exclusiveMinimum", _STEP, max
    yield "maximum", "exclusiveMaximum", -_STEP, min


def _close_bounds(schema: dict[str, Any]) -> None:
    """Exclusive bounds of numbers as inclusive ones a little within: llguidance lets a whole number
    through that is an exclusive bound, where the other bound is less than 1 away."""
    if schema.get("type") == "integer":
        return
    for bound, exclusive, step, inner in _bounds(schema):
        limit = schema.get(exclusive)
        if limit is True:  # draft 4 has it beside the bound
            limit = schema.get(bound)
        if limit is None or isinstance(limit, bool):
            continue
        within = limit + step
        if within == limit:
            within = math.nextafter(limit, limit + step * math.inf)
        schema[bound] = inner(within, schema.get(bound, within))
        del schema[exclusive]
