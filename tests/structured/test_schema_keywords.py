"""Keywords that add nothing are passed over, and what cannot be enforced is told where that is
wanted."""

from typing import Annotated, Any, Literal

import pydantic
import pytest
from test_schema import allows

from convergio_mlx import Engine
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.structured.schema import enforceable, json_rule

NO = "which is no keyword that can be enforced"
NEUTRAL: list[dict[str, Any]] = [
    {"type": "integer", "format": "uint"},
    {"type": "integer", "format": "int64"},
    {"type": "number", "format": "double"},
    {"type": "number", "format": "no such format, which numbers have none of"},
    {"type": "string", "format": "password"},
    {"type": "string", "format": "binary"},
    {"type": "array", "uniqueItems": False},
    {"then": {"minimum": 3}},
    {"else": {"minimum": 3}},
    {"if": {"minimum": 3}},
    {"deprecated": True, "readOnly": True, "writeOnly": False, "default": 3, "examples": [1]},
    {"minContains": 2},
    {"contains": {"type": "integer"}, "minContains": 0},
    {"not": False},
    {"propertyNames": {"type": "string"}},
    {"dependentRequired": {}, "dependentSchemas": {}},
    {"unevaluatedProperties": True, "unevaluatedItems": {}},
    {"contentSchema": {"type": "integer"}, "contentMediaType": "application/json"},
    {"nullable": True, "xml": {"name": "a"}, "externalDocs": {}, "x-anything": [1]},
]


@pytest.mark.parametrize("schema", NEUTRAL, ids=str)
def test_what_adds_nothing_is_passed_over(schema: dict[str, Any]) -> None:
    assert enforceable(schema, "schema").unenforced == ()
    json_rule({"type": "object", "properties": {"a": schema}}, "schema")


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"uniqueItems": True}, [f"schema has 'uniqueItems', {NO}"]),
        ({"items": {"not": {}}}, [f"schema.items has 'not', {NO}"]),
        ({"if": {}, "then": {}}, [f"schema has 'if', {NO}"]),
        ({"$defs": {"a": {"requierd": []}}},
         [f"schema.$defs.a has 'requierd', {NO}"]),
        ({"oneOf": [{"minimum": 1}, {"maximum": 3}]},
         ["schema has 'oneOf', which can be enforced only where no value can fit two of its "
          "schemas"]),
        ({"pattern": "(?=a)b"},
         ["schema has 'pattern', which is '(?=a)b' and has a look-around, which cannot be "
          "enforced"]),
        ({"type": "string", "format": "regex"},
         ["schema has 'format', which is 'regex' and cannot be enforced (a 'pattern' can be, and "
          "date, time, date-time, duration, email, hostname, ipv4, ipv6, uuid, uri)"]),
        ({"minProperties": 3},
         ["schema has 'minProperties', which can be enforced only for what is required, or as 1"]),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_to_be_checked_after_is_told(
    engine: Engine, schema: dict[str, Any], told: list[str]
) -> None:
    made = enforceable(schema, "schema")
    assert [str(one) for one in made.unenforced] == told
    if "uniqueItems" not in schema and "oneOf" not in schema:  # llguidance judges that
        with pytest.raises(InvalidRequestError) as caught:
            json_rule(schema, "schema")
        assert str(caught.value) == (
            f"[schema] {told[0]}; leave it out, or say it with other keywords."
        )


def test_what_can_be_enforced_still_is(engine: Engine) -> None:
    """Where a pattern of keys is left out, keys are free: the rule never allows less."""
    rule = enforceable(
        {
            "properties": {"a": {"type": "integer", "not": {"const": 3}}},
            "patternProperties": {"(?=b)b": {}},
            "additionalProperties": False,
        },
        "schema",
    ).rule
    assert '"a": {"type": "integer"}' in rule
    assert "additionalProperties" not in rule


KINDS = [
    {"properties": {"kind": {"const": "a"}, "x": {"type": "integer"}}, "type": "object"},
    {"properties": {"kind": {"enum": ["b", "c"]}, "y": {"type": "null"}}, "type": "object"},
]


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": KINDS},
        {"oneOf": KINDS, "discriminator": {"propertyName": "kind"}},
        {"oneOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}],
         "$defs": dict(zip("ab", KINDS, strict=True))},
    ],
)  # fmt: skip
def test_one_of_several_that_a_property_tells_apart(engine: Engine, schema: dict[str, Any]) -> None:
    for text in ('{"kind":"a","x":1}', '{"kind":"b"}', '{"kind":"c","y":null}'):
        assert allows(engine, schema, text), text
    for text in ("{}", '{"kind":"a","y":null}', '{"x":1}', '{"kind":"d"}'):
        assert not allows(engine, schema, text), text


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [{"const": 1, "title": "one"}, {"const": "1"}, {"const": True}]},
        {"oneOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]},
    ],
)
def test_one_of_several_constants_or_types(engine: Engine, schema: dict[str, Any]) -> None:
    assert allows(engine, schema, '"1"' if "const" in schema["oneOf"][0] else '"a"')
    assert not allows(engine, schema, "2")


class _Cat(pydantic.BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int


class _Dog(pydantic.BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: set[str] = set()


class _Owner(pydantic.BaseModel):
    pet: Annotated[_Cat | _Dog, pydantic.Field(discriminator="kind")]
    photo: bytes
    folder: pydantic.FilePath | None = None
    home: pydantic.AnyUrl | None = None


def test_schemas_of_pydantic(engine: Engine) -> None:
    schema = _Owner.model_json_schema()
    good = '{"pet":{"kind":"dog","tricks":["sit","roll"]},"photo":"x"}'
    assert allows(engine, schema, good)
    assert _Owner.model_validate_json(good).pet == _Dog(tricks={"sit", "roll"})
    for text in (
        '{"pet":{"kind":"dog","lives":9},"photo":"x"}',
        '{"pet":{"lives":9},"photo":"x"}',
        '{"pet":{"kind":"cat","lives":9},"photo":"x","invented":1}',
    ):
        assert not allows(engine, schema, text), text
