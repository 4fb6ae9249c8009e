"""Forms, schemas, tools and choices that cannot be honoured: the whole sentence that says so."""

from typing import Any

import pytest

from convergio_mlx import Engine
from convergio_mlx.errors import InvalidRequestError

ASK = [{"role": "user", "content": "?"}]
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f"}}


def refusal(engine: Engine, **options: Any) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        engine.stream(ASK, **options)
    return str(caught.value)


def form(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"schema": schema}}


@pytest.mark.parametrize(
    ("schema", "keyword", "where"),
    [
        ({"uniqueItems": True}, "uniqueItems", ""),
        ({"type": "string", "not": {"const": "a"}}, "not", ""),
        ({"if": {}, "then": {}}, "if", ""),
        ({"properties": {"a": {"contains": {}}}}, "contains", ".properties.a"),
        ({"items": {"nullable": True}}, "nullable", ".items"),
        ({"anyOf": [{}, {"requierd": []}]}, "requierd", ".anyOf[1]"),
        ({"$defs": {"x": {"propertyNames": {}}}}, "propertyNames", ".$defs.x"),
        ({"items": [{"dependentRequired": {}}]}, "dependentRequired", ".items[0]"),
        ({"x-guidance": {"lenient": True}}, "x-guidance", ""),
        ({"unevaluatedProperties": False}, "unevaluatedProperties", ""),
    ],
)
def test_keywords(engine: Engine, schema: Any, keyword: str, where: str) -> None:
    assert refusal(engine, response_format=form(schema)) == (
        f"[schema] response_format.schema{where} has '{keyword}', which is no keyword that can be "
        "enforced; leave it out, or say it with other keywords."
    )


def test_keywords_of_a_tools_parameters(engine: Engine) -> None:
    bad = {"type": "object", "properties": {"a": {"uniqueItems": True}}}
    tool = {"type": "function", "function": {"name": "f", "parameters": bad}}
    assert refusal(engine, tools=[tool]) == (
        "[schema] the parameters of 'f'.properties.a has 'uniqueItems', which is no keyword that "
        "can be enforced; leave it out, or say it with other keywords."
    )


def test_formats(engine: Engine) -> None:
    for name in ("zip", "unknown", "regex"):
        assert refusal(engine, response_format=form({"type": "string", "format": name})) == (
            f"[schema] response_format.schema has the 'format' {name!r}, which cannot be enforced; "
            "give one of date, time, date-time, duration, email, hostname, ipv4, ipv6, uuid, uri, "
            "or a 'pattern'."
        )


def test_least_properties_that_could_be_the_same(engine: Engine) -> None:
    assert refusal(engine, response_format=form({"type": "object", "minProperties": 2})) == (
        "[schema] response_format.schema has 'minProperties', which can be enforced only for what "
        "is required, or as 1; leave it out, or say it with other keywords."
    )


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "oneOf constraints"),
        ({"$ref": "#/$defs/none"}, "/$defs/none"),
        ({"$ref": "https://example.com/schema"}, "example.com"),
        ({"type": "string", "pattern": "(?=a)b"}, "look-ahead"),
        ({"type": "string", "pattern": "(a"}, "unclosed group"),
        ({"allOf": [{"type": "integer"}, {"type": "string"}]}, "Unsatisfiable schema"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "minimum (3) is greater"),
        ({"type": "list"}, "Invalid type: list"),
        ({"minLength": -1}, "minLength"),
    ],
)
def test_what_llguidance_refuses(engine: Engine, schema: Any, why: str) -> None:
    sentence = refusal(engine, response_format=form(schema))
    assert sentence.startswith("[structured] the answer's form cannot be enforced (")
    assert why in sentence
    assert sentence.endswith("); change the schema, pattern or grammar.")
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        (False, "response_format.schema is False, which allows nothing or is no schema; give a "
                "JSON Schema as an object."),
        ([1], "response_format.schema is [1], which allows nothing or is no schema; give a JSON "
              "Schema as an object."),
        ({"items": 3}, "response_format.schema.items is a int; give an object or a boolean."),
        ({"anyOf": {}}, "response_format.schema.anyOf is a dict, which must be a list; correct "
                        "it."),
        ({"properties": []}, "response_format.schema.properties is a list, which must be an "
                             "object; correct it."),
    ],
)  # fmt: skip
def test_what_is_no_schema(engine: Engine, schema: Any, sentence: str) -> None:
    assert refusal(engine, response_format=form(schema)) == f"[schema] {sentence}"


def test_a_schema_of_many_levels(engine: Engine) -> None:
    deep: Any = {"type": "integer"}
    for _ in range(120):
        deep = {"items": deep}
    path = "response_format.schema" + ".items" * 101
    assert refusal(engine, response_format=form(deep)) == (
        f"[schema] {path} is nested more than 100 levels deep; give fewer levels, or recurse with "
        "'$ref'."
    )


KINDS = "'text', 'json_object', 'json_schema', 'regex', 'choice', 'grammar'"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"type": "xml"}, f"is {{'type': 'xml'}}; give {{'type': …}} with one of {KINDS}."),
        ("json", f"is 'json'; give {{'type': …}} with one of {KINDS}."),
        ({"type": "json_schema"}, "has None as its 'json_schema'; give an object."),
        ({"type": "json_schema", "json_schema": {}},
         "'json_schema' has no 'schema'; give {'name': …, 'schema': {…}}."),
        ({"type": "regex", "regex": 3}, "has 3 as its 'regex'; give a text."),
        ({"type": "choice", "choice": "ab"}, "has 'ab' as its 'choice'; give a list of texts."),
        ({"type": "choice", "choice": []},
         "'choice' is no list of texts; give at least one text, and no empty one."),
        ({"type": "grammar"}, "has None as its 'grammar'; give a text."),
    ],
)  # fmt: skip
def test_response_formats(engine: Engine, given: Any, sentence: str) -> None:
    assert refusal(engine, response_format=given) == f"[response_format] response_format {sentence}"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tools": [TOOL, TOOL]}, "two tools are named 'f'; give each a name of its own."),
        ({"tools": [{"function": {"name": "a b"}}]},
         "tools[0] has the name 'a b'; give one of at most 128 letters, digits and characters of "
         "'_-.:/'."),
        ({"tools": [{"function": {"name": "f", "parameters": 3}}]},
         "the parameters of 'f' are a int; give a JSON Schema of an object."),
        ({"tool_choice": "required"},
         "tool_choice is 'required' without tools; give tools, or 'auto'."),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
         "tool_choice names 'g', which is not among the tools; name one of: f."),
        ({"tools": [TOOL], "tool_choice": "always"},
         "tool_choice is 'always'; give 'auto', 'none', 'required' or {'type': 'function', "
         "'function': {'name': …}}."),
    ],
)  # fmt: skip
def test_tools(engine: Engine, options: dict[str, Any], sentence: str) -> None:
    assert refusal(engine, **options) == f"[tools] {sentence}"
