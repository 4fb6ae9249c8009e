"""JSON Schemas to generate for: written ones of every keyword, and random ones by seed."""

import json
import random
from typing import Any

Schema = dict[str, Any]

TREE: Schema = {
    "$defs": {
        "tree": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 2},
            },
            "required": ["value"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/tree",
}

WRITTEN: dict[str, Schema] = {
    "any": {},
    "any object": {"type": "object"},
    "string": {"type": "string"},
    "lengths": {"type": "string", "minLength": 3, "maxLength": 5},
    "pattern": {"type": "string", "pattern": "^[a-f]{2,4}-\\d+$"},
    "pattern within": {"type": "string", "pattern": "[xyz]"},
    "unicode pattern": {"type": "string", "pattern": "^(é|日本|🌍)+$", "maxLength": 6},
    "date": {"type": "string", "format": "date"},
    "date-time": {"type": "string", "format": "date-time"},
    "uuid": {"type": "string", "format": "uuid"},
    "ipv4": {"type": "string", "format": "ipv4"},
    "email": {"type": "string", "format": "email", "maxLength": 40},
    "integer": {"type": "integer", "minimum": -17, "maximum": 4242},
    "exclusive": {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 3},
    "number": {"type": "number", "minimum": -1.5, "maximum": 2.25},
    "multiple": {"type": "integer", "multipleOf": 7, "minimum": 0},
    "free number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "types": {"type": ["integer", "null", "boolean"]},
    "enum": {"enum": ["red", "grün", 3, 2.5, None, True, {"a": [1]}, ["x"], "\"quoted\" \\ \n 🌍"]},
    "const": {"const": {"kind": "é", "list": [1, None]}},
    "array": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 4},
    "tuple": {"type": "array", "prefixItems": [{"type": "integer"}, {"enum": ["a", "b"]}],
              "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4},
    "array of arrays": {"type": "array", "maxItems": 3,
                        "items": {"type": "array", "items": {"type": "null"}, "maxItems": 3}},
    "object": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
               "required": ["b"], "additionalProperties": False},
    "open object": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    "map": {"type": "object", "additionalProperties": {"type": "integer"}},
    "not empty": {"type": "object", "additionalProperties": {"type": "boolean"},
                  "minProperties": 1},
    "few": {"type": "object", "additionalProperties": {"type": "null"}, "maxProperties": 2},
    "patterns of keys": {"type": "object", "patternProperties": {"^n_": {"type": "number"}},
                         "additionalProperties": False},
    "odd keys": {"type": "object", "required": ["größe", "a \"b\"", "日本"],
                 "properties": {"größe": {"type": "integer"}, "a \"b\"": {"type": "null"},
                                "日本": {"enum": ["🌍"]}}, "additionalProperties": False},
    "required without properties": {"type": "object", "required": ["x"],
                                    "additionalProperties": {"type": "integer"}},
    "anyOf": {"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 3},
                        {"type": "object", "properties": {"k": {"const": 1}}, "required": ["k"],
                         "additionalProperties": False}]},
    "oneOf": {"oneOf": [{"type": "object", "properties": {"kind": {"const": kind},
                         kind: {"type": "integer"}}, "required": ["kind", kind],
                         "additionalProperties": False} for kind in ("circle", "square")]},
    "allOf": {"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}},
                         "required": ["a"]},
                        {"properties": {"b": {"type": "boolean"}}, "required": ["b"]}]},
    "sibling keywords": {"type": "integer", "minimum": 3, "anyOf": [{"maximum": 9}, {"const": 40}]},
    "recursion": TREE,
    "recursive list": {"$defs": {"node": {"anyOf": [{"type": "null"}, {"type": "object",
                       "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"],
                       "additionalProperties": False}]}}, "$ref": "#/$defs/node"},
    "to the root": {"type": "object", "properties": {"self": {"$ref": "#"}},
                    "additionalProperties": False},
    "draft 4": {"type": "integer", "minimum": 3, "exclusiveMinimum": True, "maximum": 6,
                "$schema": "http://json-schema.org/draft-04/schema#"},
    "draft 7 tuple": {"type": "array", "items": [{"type": "integer"}], "additionalItems": False,
                      "$schema": "http://json-schema.org/draft-07/schema#"},
    "nested": {"type": "object", "additionalProperties": False, "required": ["person", "tags"],
               "properties": {
                   "person": {"type": "object", "additionalProperties": False,
                              "required": ["name", "age"],
                              "properties": {"name": {"type": "string", "maxLength": 12},
                                             "age": {"type": "integer", "minimum": 0,
                                                     "maximum": 130},
                                             "mail": {"type": ["string", "null"], "maxLength": 8}}},
                   "tags": {"type": "array", "items": {"enum": ["a", "b", "ç"]}, "maxItems": 3},
                   "note": {"type": "string", "maxLength": 9}}},
    "annotated": {"title": "T", "description": "D", "default": 3, "examples": [4], "x-mine": {},
                  "type": "integer", "minimum": 0, "maximum": 9},
}  # fmt: skip


def made(seed: int) -> Schema:
    """A random schema."""
    rng = random.Random(seed)
    return {"$defs": {"small": _schema(rng, 1)}, **_schema(rng, 3)}


def _schema(rng: random.Random, depth: int) -> Schema:
    flat = [_string, _integer, _number, _enum, lambda _: {"type": rng.choice(["boolean", "null"])}]
    deep = [_object, _object, _array, _any_of]
    if depth > 0 and rng.random() < 0.7:
        return rng.choice(deep)(rng, depth - 1)
    if depth > 1 and rng.random() < 0.2:
        return {"$ref": "#/$defs/small"}
    return rng.choice(flat)(rng)


def _string(rng: random.Random) -> Schema:
    least = rng.randrange(4)
    return {"type": "string", "minLength": least, "maxLength": least + rng.randrange(6)}


def _integer(rng: random.Random) -> Schema:
    low = rng.randrange(-2000, 2000)
    return {"type": "integer", "minimum": low, "maximum": low + rng.randrange(3000)}


def _number(rng: random.Random) -> Schema:
    low = round(rng.uniform(-50, 50), 2)
    return {"type": "number", "minimum": low, "exclusiveMaximum": low + rng.choice([0.5, 1, 120])}


def _word(rng: random.Random) -> str:
    return "".join(rng.choice('abcdeé日🌍 _-"\\') for _ in range(rng.randrange(1, 6)))


def _enum(rng: random.Random) -> Schema:
    values: list[Any] = [_word(rng), _word(rng), rng.randrange(-9, 99), True, None, [_word(rng)]]
    distinct = {json.dumps(value): value for value in rng.sample(values, rng.randrange(1, 5))}
    return {"enum": list(distinct.values())}


def _object(rng: random.Random, depth: int) -> Schema:
    names = list(dict.fromkeys(_word(rng) for _ in range(rng.randrange(1, 5))))
    required = [name for name in names if rng.random() < 0.6]
    return {
        "type": "object",
        "properties": {name: _schema(rng, depth) for name in names},
        "required": required,
        "additionalProperties": False if rng.random() < 0.8 else _schema(rng, 0),
    }


def _array(rng: random.Random, depth: int) -> Schema:
    least = rng.randrange(3)
    return {
        "type": "array",
        "items": _schema(rng, depth),
        "minItems": least,
        "maxItems": least + rng.randrange(3),
    }


def _any_of(rng: random.Random, depth: int) -> Schema:
    return {"anyOf": [_schema(rng, depth) for _ in range(rng.randrange(1, 4))]}
