"""JSON values as values of Python types, and back; see type_schemas.py for the types."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import types
import typing
import uuid
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NoReturn

from convergio_mlx.structured.type_schemas import (
    DICTS,
    LISTS,
    is_dataclass,
    is_model,
    members_of,
    required_of,
    unwrapped,
)

_FROM_TEXT: dict[Any, Callable[[str], Any]] = {
    datetime.datetime: datetime.datetime.fromisoformat,
    datetime.date: datetime.date.fromisoformat,
    datetime.time: datetime.time.fromisoformat,
    uuid.UUID: uuid.UUID,
}
_MADE = {list: list, Sequence: list, set: set, frozenset: frozenset, AbstractSet: set}


def typed(kind: Any, value: Any, where: str = "the value") -> Any:  # noqa: PLR0911
    """A value of a type, from what JSON has of it.

    Args:
        kind: a type that `schema_of` describes.
        value: what `json.loads` gave.
        where: its place, for errors.

    Raises:
        ValueError: it is none of that type; so is pydantic's ValidationError. What a class raises
            when it is made comes as it is.
    """
    kind = unwrapped(kind)
    origin, given = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Annotated, typing.Required, typing.NotRequired):
        return typed(given[0], value, where)
    if origin is typing.Literal:
        return _constant(given, value, where)
    if origin in (typing.Union, types.UnionType):
        return _first_fitting(given, value, where)
    if origin in LISTS or kind in (set, frozenset):
        return _list(origin or kind, given or (Any,), value, where)
    if tuple in (origin, kind):
        return _tuple(given or (Any, ...), value, where)
    if origin in DICTS:
        items = _check(value, dict, "an object", where).items()
        return {key: typed(given[1], one, f"{where}.{key}") for key, one in items}
    return _of_class(kind, value, where)


def problem_text(error: Exception) -> str:
    """What an exception says, on one line; pydantic's say it in several."""
    told = getattr(error, "errors", None)
    if not callable(told):
        return " ".join(str(error).split())
    places = [(".".join(map(str, one["loc"])), one["msg"]) for one in told()]
    return "; ".join(f"{place}: {what}" if place else what for place, what in places)


def as_json(value: Any) -> Any:  # noqa: PLR0911
    """A value in JSON's types: dataclasses, pydantic models and enums are taken apart, and what
    JSON has nothing for is its text."""
    if isinstance(value, enum.Enum):
        return as_json(value.value)
    if value is None or isinstance(value, str | int | float):
        return value
    if is_model(type(value)):
        return value.model_dump(mode="json")
    if is_dataclass(type(value)):
        fields = dataclasses.fields(value)
        return {field.name: as_json(getattr(value, field.name)) for field in fields}
    if isinstance(value, Mapping):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(one) for one in value]
    return str(value)


def _of_class(kind: Any, value: Any, where: str) -> Any:  # noqa: PLR0911
    if kind in (Any, object):
        return value
    if kind is None or kind is type(None):
        return _check(value, type(None), "null", where)
    if kind is float:
        return float(_check(value, int | float, "a number", where))
    if kind is int:
        is_whole = isinstance(value, float) and value.is_integer()
        return int(_check(int(value) if is_whole else value, int, "a whole number", where))
    if kind in (str, bool, list, dict):
        return _check(value, kind, f"a {kind.__name__}", where)
    if kind in _FROM_TEXT:
        return _FROM_TEXT[kind](_check(value, str, "a text", where))
    if is_model(kind):
        return kind.model_validate(value)
    if issubclass(kind, enum.Enum):
        return kind(value)
    return _object(kind, _check(value, dict, "an object", where), where)


def _object(kind: Any, value: dict[str, Any], where: str) -> Any:
    hints = members_of(kind)
    if unknown := value.keys() - hints.keys():
        _refuse(where, f"has the member {min(unknown)!r}, which {kind.__name__} has not")
    members = {name: typed(hints[name], one, f"{where}.{name}") for name, one in value.items()}
    if typing.is_typeddict(kind) and (missing := required_of(kind) - members.keys()):
        _refuse(where, f"has no {min(missing)!r}")
    try:
        return kind(**members)
    except TypeError as error:
        return _refuse(where, f"is no {kind.__name__} ({error})")


def _list(made: Any, given: tuple[Any, ...], value: Any, where: str) -> Any:
    items = _check(value, list, "a list", where)
    return _MADE[made](typed(given[0], one, f"{where}[{i}]") for i, one in enumerate(items))


def _tuple(given: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    items = _check(value, list, "a list", where)
    kinds = given[:1] * len(items) if given[1:] == (Ellipsis,) else given
    if len(kinds) != len(items):
        _refuse(where, f"has {len(items)} items, and not {len(kinds)}")
    pairs = enumerate(zip(kinds, items, strict=True))
    return tuple(typed(kind, one, f"{where}[{i}]") for i, (kind, one) in pairs)


def _constant(allowed: Sequence[Any], value: Any, where: str) -> Any:
    for one in allowed:
        plain = one.value if isinstance(one, enum.Enum) else one
        if type(plain) is type(value) and plain == value:
            return one
    return _refuse(where, f"is {value!r}, and none of {allowed!r}")


def _first_fitting(kinds: Sequence[Any], value: Any, where: str) -> Any:
    problems = []
    for kind in kinds:
        try:
            return typed(kind, value, where)
        except (ValueError, TypeError) as error:
            problems.append(problem_text(error))
    raise ValueError("; ".join(problems))


def _check(value: Any, kind: Any, what: str, where: str) -> Any:
    is_odd_bool = isinstance(value, bool) and kind in (int, int | float)
    if is_odd_bool or not isinstance(value, kind):
        _refuse(where, f"is {value!r}, and not {what}")
    return value


def _refuse(where: str, what: str) -> NoReturn:
    raise ValueError(f"{where} {what}")
