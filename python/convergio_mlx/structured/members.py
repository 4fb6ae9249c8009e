"""The members of an object that a schema allows, each with its own schema: for formats that do not
write an object as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from convergio_mlx.structured import schema_keywords as keywords

_DEEPEST = 32
_MOST_WAYS = 64
_KNOWN = frozenset(
    {"type", "properties", "required", "additionalProperties", "patternProperties"}
    | {"minProperties", "maxProperties", "allOf", "anyOf", "oneOf", "$ref", "$defs", "definitions"}
    | {"unevaluatedProperties"}
)


class OtherError(Exception):
    """A schema whose members cannot be listed."""


@dataclass(frozen=True)
class Member:
    """A member that an object may have."""

    name: str
    schema: Any
    required: bool


@dataclass
class Members:
    """The members of one object."""

    named: dict[str, list[Any]]
    """Schemas that hold for a member, all of them."""
    required: set[str]
    more: Any = False
    """The schema of members that are not named; False where there may be none."""
    at_least: int = 0
    """Of those that are not named: 0 or 1."""

    def listed(self) -> list[Member]:
        """In order."""
        names = [*self.named, *sorted(self.required - set(self.named))]
        if missing := [name for name in names if name not in self.named and self.more is False]:
            raise OtherError(f"{missing[0]!r} is required, and nothing says what it is")
        return [
            Member(name, _both(self.named.get(name, [self.more])), name in self.required)
            for name in names
        ]


def members_of(schema: Any, refer: Callable[[str], Any]) -> list[Members]:
    """The ways that an object may be, of a schema that allows objects.

    Raises:
        OtherError: it says more than which members there are.
    """
    return _ways(schema, refer, 0)


def _ways(schema: Any, refer: Callable[[str], Any], depth: int) -> list[Members]:
    if schema is True:
        return [Members({}, set(), True)]
    if not isinstance(schema, dict) or depth > _DEEPEST:
        raise OtherError("it is nested too deeply")
    for keyword, value in schema.items():
        if keyword not in _KNOWN and not keywords.says_nothing(keyword, value, schema):
            raise OtherError(f"it has '{keyword}'")
    ways = [_own(schema)]
    for one in (*schema.get("allOf", ()), *([refer(schema["$ref"])] if "$ref" in schema else ())):
        ways = _joined(ways, _ways(one, refer, depth + 1))
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            branches = [way for one in schema[keyword] for way in _objects(one, refer, depth + 1)]
            if keyword == "oneOf" and len(branches) > 1:
                _tell_apart(branches)
            ways = _joined(ways, branches)
    for way in ways:
        _bounds(schema, way)
    return ways


def _objects(schema: Any, refer: Callable[[str], Any], depth: int) -> list[Members]:
    """The ways of one of several schemas; none where it allows no object."""
    types = schema.get("type", "object") if isinstance(schema, dict) else "object"
    return _ways(schema, refer, depth) if "object" in types else []


def _own(schema: dict[str, Any]) -> Members:
    named = {name: [one] for name, one in schema.get("properties", {}).items()}
    if any(one is False for (one,) in named.values()):
        named = {name: one for name, one in named.items() if one[0] is not False}
    more = schema.get("additionalProperties", "properties" not in schema)
    if schema.get("patternProperties") or schema.get("unevaluatedProperties") is False:
        more = False
    return Members(named, set(schema.get("required", ())), more)


def _joined(ways: list[Members], others: list[Members]) -> list[Members]:
    if len(ways) * len(others) > _MOST_WAYS or not others:
        raise OtherError("it may be too many ways")
    return [_together(one, other) for one in ways for other in others]


def _together(one: Members, other: Members) -> Members:
    named = {name: [*schemas] for name, schemas in one.named.items()}
    for name, schemas in other.named.items():
        named.setdefault(name, []).extend(schemas)
    more = one.more if one.more is not True else other.more
    at_least = max(one.at_least, other.at_least) if not named else 0
    return Members(named, one.required | other.required, more if not named else False, at_least)


def _bounds(schema: dict[str, Any], way: Members) -> None:
    least, most = schema.get("minProperties", 0), schema.get("maxProperties")
    if least > len(way.required):
        optional = [name for name in way.named if name not in way.required]
        if not way.named and not way.required and way.more is not False and least == 1:
            way.at_least = 1
            return
        if least - len(way.required) > len(optional):
            raise OtherError("it has 'minProperties'")
        way.required |= {*optional[: int(least) - len(way.required)]}
    if most is not None and most < len(way.named):
        kept = [name for name in way.named if name in way.required]
        if len(kept) > most:
            raise OtherError("it has 'maxProperties'")
        way.named = {name: way.named[name] for name in kept}
    if most is not None and way.more is not False and way.at_least == 0:
        way.more = False


def _tell_apart(branches: list[Members]) -> None:
    """Requires the member whose constant differs in each.

    Raises:
        OtherError: there is none.
    """
    for name in branches[0].named:
        taken: list[Any] = []
        for branch in branches:
            own = [v for one in branch.named.get(name, ()) for v in _constants(one)]
            if not own or any(value in taken for value in own):
                break
            taken += own
        else:
            for branch in branches:
                branch.required.add(name)
            return
    raise OtherError("it has 'oneOf'")


def _constants(schema: Any) -> list[Any]:
    if not isinstance(schema, dict):
        return []
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def _both(schemas: list[Any]) -> Any:
    return schemas[0] if len(schemas) == 1 else {"allOf": schemas}
