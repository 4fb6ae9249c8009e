"""Python types as JSON Schema, and JSON as their values."""

from __future__ import annotations

import datetime
import enum
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, NewType, NotRequired, Optional, TypedDict

import jsonschema
import pydantic
import pytest

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.structured.response_format import answer_rule
from convergio_mlx.structured.type_schemas import name_of, schema_of
from convergio_mlx.structured.typed_values import as_json, typed

UserId = NewType("UserId", int)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    """A place
    on a plane."""

    x: float
    y: float = 0.0
    tags: list[str] = field(default_factory=list)


@dataclass
class Node:
    name: str
    children: list[Node] = field(default_factory=list)


@dataclass
class Hen:
    eggs: list[Egg] = field(default_factory=list)


@dataclass
class Egg:
    hen: Hen | None = None


@dataclass
class Farm:
    hen: Hen
    egg: Egg
    eggs: list[Egg]


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class City(pydantic.BaseModel):
    name: str
    people: int = pydantic.Field(ge=0)


class Trip(pydantic.BaseModel):
    cities: list[City]
    start: datetime.date


def other_trip() -> type[pydantic.BaseModel]:
    class City(pydantic.BaseModel):
        zip: str

    class Other(pydantic.BaseModel):
        city: City

    return Other


OTHER = other_trip()
NOON = datetime.datetime(2026, 11, 29, 12, 0, tzinfo=datetime.UTC)
NUMBER = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")

CASES: list[tuple[Any, Any, Any]] = [
    (str, "a", "a"),
    (int, 3.0, 3),
    (float, 2, 2.0),
    (bool, True, True),
    (None, None, None),
    (Any, {"a": [1]}, {"a": [1]}),
    (list, [1, "a"], [1, "a"]),
    (tuple, [1], (1,)),
    (list[int], [1, 2], [1, 2]),
    (Sequence[str], ["a"], ["a"]),
    (set[int], [1, 1], {1}),
    (frozenset, [1], frozenset([1])),
    (tuple[int, ...], [1, 2], (1, 2)),
    (tuple[int, str], [1, "a"], (1, "a")),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (Mapping[str, Any], {"a": None}, {"a": None}),
    (Optional[int], None, None),  # noqa: UP045
    (int | str, "1", "1"),
    (Literal["a", 2], 2, 2),
    (Color, "blue", Color.BLUE),
    (UserId, 7, 7),
    (Annotated[int, "how many"], 7, 7),
    (Point, {"x": 1}, Point(1.0)),
    (Point, {"x": 1, "y": 2.5, "tags": ["t"]}, Point(1.0, 2.5, ["t"])),
    (Node, {"name": "a", "children": [{"name": "b"}]}, Node("a", [Node("b")])),
    (list[Node], [{"name": "a"}], [Node("a")]),
    (
        Farm,
        {"hen": {"eggs": [{"hen": {}}]}, "egg": {"hen": {"eggs": [{}]}}, "eggs": [{}]},
        Farm(Hen([Egg(Hen())]), Egg(Hen([Egg()])), [Egg()]),
    ),
    (Movie, {"title": "M"}, {"title": "M"}),
    (City, {"name": "Rome", "people": 3}, City(name="Rome", people=3)),
    (list[City] | None, [{"name": "a", "people": 0}], [City(name="a", people=0)]),
    (
        Trip,
        {"cities": [{"name": "a", "people": 1}], "start": "2026-11-29"},
        Trip(cities=[City(name="a", people=1)], start=NOON.date()),
    ),
    (datetime.datetime, "2026-11-29T12:00:00Z", NOON),
    (datetime.date, "2026-11-29", NOON.date()),
    (datetime.time, "12:00:00Z", NOON.timetz()),
    (uuid.UUID, str(NUMBER), NUMBER),
]


@pytest.mark.parametrize(("kind", "given", "made"), CASES, ids=lambda one: str(one)[:40])
def test_a_value_fits_the_schema_of_its_type_and_becomes_it(
    kind: Any, given: Any, made: Any
) -> None:
    schema = schema_of(kind, "x")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(given, schema)
    value = typed(kind, given)
    assert value == made
    assert type(value) is type(made)


@pytest.mark.parametrize(("kind", "given", "made"), CASES, ids=lambda one: str(one)[:40])
def test_every_schema_can_be_enforced(kind: Any, given: Any, made: Any) -> None:
    inner = {"schema": schema_of(kind, "x")}
    assert answer_rule({"type": "json_schema", "json_schema": inner})


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (str, 1),
        (int, True),
        (int, 1.5),
        (float, "1"),
        (bool, 1),
        (None, 0),
        (list[int], ["a"]),
        (tuple[int, str], [1]),
        (dict[str, int], {"a": "b"}),
        (int | None, "a"),
        (Literal[1], True),
        (Color, "green"),
        (Point, {"y": 1}),
        (Point, {"x": 1, "z": 2}),
        (Point, []),
        (Movie, {}),
        (Movie, {"title": "M", "stars": 3}),
        (City, {"name": "Rome", "people": -1}),
        (datetime.date, "tomorrow"),
    ],
)
def test_what_does_not_fit_is_a_value_error(kind: Any, given: Any) -> None:
    with pytest.raises(ValueError):
        typed(kind, given)


class Pair(NamedTuple):
    a: int


@dataclass
class Broken:
    x: Nowhere  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    "kind", [bytes, complex, Pair, dict[int, str], Literal[b"x"], Broken, list[bytes], "str"]
)
def test_a_type_that_json_has_no_values_of_is_refused(kind: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"^\[types\] the field has .*; (give|define) "):
        schema_of(kind, "the field")


def test_a_schema_says_what_is_required_and_what_the_class_says() -> None:
    assert schema_of(Point, "x") == {
        "type": "object",
        "description": "A place on a plane.",
        "properties": {
            "x": {"type": "number"},
            "y": {"type": "number"},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["x"],
    }
    assert "description" not in schema_of(list[Node], "x")["$defs"]["Node"]


def test_notes_of_an_annotation_are_in_the_schema() -> None:
    noted = Annotated[int, pydantic.Field(ge=1, le=9, description="how many")]
    assert schema_of(noted, "x") == {
        "type": "integer",
        "minimum": 1,
        "maximum": 9,
        "description": "how many",
    }
    short = Annotated[str, pydantic.Field(max_length=3, pattern="^a")]
    assert schema_of(short, "x") == {"type": "string", "maxLength": 3, "pattern": "^a"}
    few = Annotated[list[int], pydantic.Field(min_length=1)]
    assert schema_of(few, "x")["minItems"] == 1


def test_models_with_definitions_of_one_name_keep_their_own() -> None:
    schema = schema_of(tuple[Trip, OTHER], "x")  # type: ignore[valid-type]
    value = [
        {"cities": [{"name": "a", "people": 1}], "start": "2026-11-29"},
        {"city": {"zip": "00100"}},
    ]
    jsonschema.validate(value, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([value[1], value[0]], schema)


@pytest.mark.parametrize(
    "value",
    [Point(1.0, 2.0, ["a"]), City(name="a", people=1), Color.RED, {1: {2}}, NOON, (1, None)],
)
def test_any_value_has_a_form_in_json(value: Any) -> None:
    json.dumps(as_json(value))


def test_names_of_schemas_are_letters_and_digits() -> None:
    assert name_of(City) == "City"
    assert name_of(list[City]).replace("_", "").isalnum()
