"""What the grammar of a schema lets through: JSON texts, judged by `jsonschema` as well."""

import json
from typing import Any

import pytest
from random_models import check

from convergio_mlx import Engine
from convergio_mlx.structured.grammars import grammars_of
from convergio_mlx.structured.schema import closed, json_rule

NUMBERS = ["-23", "-22.5", "-22", "-21.9", "-1", "-0.5", "0", "0.0", "0.001", "0.5", "0.50", "0.51",
           "1", "1.0", "2", "2.01", "2.5", "3", "10"]  # fmt: skip
DATES = ["1900-02-28", "1900-02-29", "2000-02-29", "2023-02-29", "2024-02-29", "2024-04-31",
         "0000-01-01", "0004-02-29", "2100-02-29", "2400-02-29", "2024-13-01"]  # fmt: skip


def allows(engine: Engine, schema: Any, text: str, *, open_objects: bool = False) -> bool:
    rule = json_rule(schema, "schema", open_objects=open_objects)
    end = engine.tokenizer.eos_id
    assert end is not None
    constraint = grammars_of(engine.tokenizer, ()).constraint(
        f"start: {rule}", vocab_size=engine.vocab_size, stop_tokens=[end]
    )
    assert constraint.wait(60)
    ids = engine.tokenizer.encode(text, add_special_tokens=False)
    if not constraint.allows(ids):
        return False
    given = constraint(ids)
    return given is None or (isinstance(given, bytes) and bool(given[end // 8] >> end % 8 & 1))


def is_valid(schema: Any, text: str) -> bool:
    try:
        check(schema, text)
    except Exception:
        return False
    return True


@pytest.mark.parametrize(
    "bounds",
    [
        {"exclusiveMinimum": 0, "maximum": 0.5},
        {"exclusiveMinimum": 2, "exclusiveMaximum": 2.01},
        {"minimum": -22.5, "exclusiveMaximum": -22},
        {"minimum": -1, "exclusiveMaximum": 0},
        {"exclusiveMinimum": -0.5, "exclusiveMaximum": 2.5},
        {"exclusiveMinimum": 1},
        {"exclusiveMaximum": 1},
        {"minimum": 1, "exclusiveMinimum": 0.5, "maximum": 3, "exclusiveMaximum": 3},
    ],
)
def test_bounds(engine: Engine, bounds: dict[str, Any]) -> None:
    for text in NUMBERS:
        number = {"type": "number", **bounds}
        if allows(engine, number, text):
            assert is_valid(number, text), (number, text)
        elif text == json.dumps(json.loads(text)):  # 0.50 may be left out, 0.5 not
            assert not is_valid(number, text), (number, text)


def test_bounds_of_whole_numbers(engine: Engine) -> None:
    schema = {"type": "integer", "exclusiveMinimum": -22, "maximum": 2.5}
    for text in NUMBERS:
        if "." not in text:
            assert allows(engine, schema, text) == is_valid(schema, text), text


def test_dates(engine: Engine) -> None:
    date, moment = {"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}
    for day in DATES:
        assert allows(engine, date, f'"{day}"') == is_valid(date, f'"{day}"'), day
        at = f'"{day}T10:11:12Z"'
        assert allows(engine, moment, at) == is_valid(moment, at), day
    assert not allows(engine, moment, '"2024-01-01T10:11:60Z"')
    narrower = {**date, "pattern": "^2"}
    assert allows(engine, narrower, '"2024-02-29"')
    assert not allows(engine, narrower, '"1924-02-29"')
    assert not allows(engine, narrower, '"2023-02-29"')


def test_space_is_bounded(engine: Engine) -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    for text in ("[1,2]", "[1, 2]", "[ 1, 2 ]", "[\n    1,\n    2\n]", "[\r\n\t1]"):
        assert allows(engine, schema, text), text
    for text in ("[1,  2]", "[\n\n1]", " [1]", "[1] ", "[\n" + " " * 33 + "1]"):
        assert not allows(engine, schema, text), text


def test_parameters_of_tools_are_closed(engine: Engine) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    for text, wanted in (('{"a": 1}', True), ("{}", True), ('{"b": 1}', False)):
        assert allows(engine, closed(schema), text) == wanted
    assert allows(engine, closed({**schema, "additionalProperties": True}), '{"b": 1}')
    assert allows(engine, closed({}), "{}")
    assert not allows(engine, closed({}), '{"b": 1}')


def test_the_schema_given_is_left_alone(engine: Engine) -> None:
    schema = {"type": "number", "exclusiveMinimum": 0, "items": {"format": "date"}}
    before = json.dumps(schema)
    json_rule(schema, "schema")
    assert json.dumps(schema) == before
