"""Objects are closed by default, and keys are compared as they are read."""

import json
from typing import Any

import pytest
from test_schema import allows

from convergio_mlx import Engine
from convergio_mlx.structured.response_format import answer_rule
from convergio_mlx.structured.schema import json_rule

A: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "integer"}}}
B: dict[str, Any] = {"type": "object", "properties": {"b": {"type": "integer"}}}
C: dict[str, Any] = {**A, "required": ["c"]}
PLACES: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "alone": (A, ["{}", '{"a":1}'], ['{"z":1}', '{"a":"x"}']),
    "in an array": ({"type": "array", "items": A}, ['[{"a":1}]'], ['[{"z":1}]']),
    "behind a $ref": ({"$ref": "#/$defs/x", "$defs": {"x": A}}, ['{"a":1}'], ['{"z":1}']),
    "either of two": ({"anyOf": [A, B]}, ['{"a":1}', '{"b":1}'], ['{"a":1,"b":1}', '{"z":1}']),
    "both of two": ({"allOf": [A, B]}, ['{"a":1,"b":1}', '{"b":1}'], ['{"z":1}', '{"a":"x"}']),
    "beside a $ref": (
        {"$ref": "#/$defs/x", "properties": B["properties"], "$defs": {"x": A}},
        ['{"a":1,"b":1}', '{"b":1}'],
        ['{"z":1}', '{"a":"x"}'],
    ),
    "beside alternatives": (
        {**A, "anyOf": [{"required": ["a"]}, {"properties": {"b": {}}, "required": ["b"]}]},
        ['{"a":1}', '{"b":1}'],
        ["{}", '{"a":1,"z":1}'],
    ),
    "required and not described": (C, ['{"c":[1]}', '{"a":1,"c":2}'], ["{}", '{"c":1,"z":1}']),
    "said to be closed": (
        {"allOf": [A], **B, "unevaluatedProperties": False},
        ['{"a":1,"b":1}'],
        ['{"z":1}'],
    ),
    "only said to be an object": ({"type": "object"}, ["{}", '{"z":{"y":1}}'], []),
    "said to be open": ({**A, "additionalProperties": True}, ['{"z":1}', '{"a":1,"z":1}'], []),
    "of patterns": (
        {**A, "patternProperties": {"^n_": {"type": "null"}}},
        ['{"a":1,"n_1":null}'],
        ['{"z":1}', '{"n_1":1}'],
    ),
    "of more than are named": ({**A, "minProperties": 1}, ['{"a":1}'], ["{}", '{"z":1}']),
}


@pytest.mark.parametrize(("schema", "valid", "invalid"), PLACES.values(), ids=PLACES)
def test_objects_have_no_properties_but_those_named(
    engine: Engine, schema: dict[str, Any], valid: list[str], invalid: list[str]
) -> None:
    for text in valid:
        assert allows(engine, schema, text), text
    for text in invalid:
        assert not allows(engine, schema, text), text


def test_a_schema_beside_json_object_is_that_of_the_answer() -> None:
    """As llama.cpp and services take it."""
    rule = answer_rule({"type": "json_object", "schema": A})
    assert rule == answer_rule({"type": "json_schema", "json_schema": {"schema": A}})
    assert rule != answer_rule({"type": "json_object", "schema": None})


def test_open_objects_are_had_by_asking(engine: Engine) -> None:
    assert allows(engine, A, '{"a":1,"z":1}', open_objects=True)
    assert not allows(engine, A, '{"a":"x","z":1}', open_objects=True)
    closed = {**A, "additionalProperties": False}
    assert not allows(engine, closed, '{"z":1}', open_objects=True)
    form = {"schema": A, "additional_properties": True}
    answer = {"type": "json_schema", "json_schema": form}
    assert engine.stream([{"role": "user", "content": "?"}], response_format=answer)


@pytest.mark.parametrize(
    "schema",
    [
        {**A, "additionalProperties": True},
        {
            "type": "object",
            "properties": {"a": {"type": "integer"}},
            "patternProperties": {"b": {}},
        },
        {"patternProperties": {"^a": {"type": "integer"}}, "additionalProperties": True},
        {"type": "array", "items": {"anyOf": [{**A, "additionalProperties": {}}]}},
        {"allOf": [{**A, "additionalProperties": True}, {"type": "object"}]},
    ],
)
def test_a_key_is_not_spelled_another_way(engine: Engine, schema: dict[str, Any]) -> None:
    for key in (r"\u0061", r"\u0061x", "a"):
        text = f'{{"{key}":"x"}}'
        text = f"[{text}]" if schema.get("type") == "array" else text
        known = json.loads(f'"{key}"')
        if known == "a" or "^a" in json.dumps(schema):
            assert not allows(engine, schema, text), text


def test_other_escapes_stay(engine: Engine) -> None:
    opened = {**A, "additionalProperties": {"type": "string"}}
    assert allows(engine, opened, r'{"\"\\\n":"\t\r"}')
    assert allows(engine, {"type": "string"}, r'"\u0001"')
    assert allows(engine, {"const": "\u0001"}, r'"\u0001"')


def test_the_rule_says_which_objects_are_closed() -> None:
    assert '"additionalProperties": false' in json_rule(A, "schema")
    assert "additionalProperties" not in json_rule(A, "schema", open_objects=True)
