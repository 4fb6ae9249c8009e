"""Forms, schemas, tools and choices that cannot be honoured: the whole sentence that says so."""

import json
from typing import Any

import pytest

from convergio_mlx import Engine, SamplingParams
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
        ({"type": "string", "not": {"const": "a"}}, "not", ""),
        ({"if": {}, "then": {}}, "if", ""),
        ({"properties": {"a": {"contains": {}}}}, "contains", ".properties.a"),
        ({"items": {"unevaluatedItems": False}}, "unevaluatedItems", ".items"),
        ({"anyOf": [{}, {"requierd": []}]}, "requierd", ".anyOf[1]"),
        ({"$defs": {"x": {"propertyNames": {"maxLength": 3}}}}, "propertyNames", ".$defs.x"),
        ({"items": [{"dependentRequired": {"a": ["b"]}}]}, "dependentRequired", ".items[0]"),
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
    bad = {"type": "object", "properties": {"a": {"contains": {}}}}
    tool = {"type": "function", "function": {"name": "f", "parameters": bad}}
    assert refusal(engine, tools=[tool], tool_choice="required") == (
        "[schema] the parameters of 'f'.properties.a has 'contains', which is no keyword that "
        "can be enforced; leave it out, or say it with other keywords."
    )


def test_formats(engine: Engine) -> None:
    for name in ("zip", "unknown", "regex"):
        assert refusal(engine, response_format=form({"type": "string", "format": name})) == (
            f"[schema] response_format.schema has 'format', which is {name!r} and cannot be "
            "enforced (a 'pattern' can be, and date, time, date-time, duration, email, hostname, "
            "ipv4, ipv6, uuid, uri); leave it out, or say it with other keywords."
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
        ({"allOf": [{"type": "integer"}, {"type": "string"}]}, "Unsatisfiable schema"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "minimum (3) is greater"),
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
        ({"items": 3}, "response_format.schema.items is of type int; give an object or a boolean."),
        ({"anyOf": {}}, "response_format.schema.anyOf is of type dict, which must be a list; "
                        "correct it."),
        ({"$ref": "#/$defs/none"},
         "response_format.schema has the '$ref' '#/$defs/none', which leads to no schema within "
         "this one; refer to a part of it, as in '#/$defs/name'."),
        ({"items": {"$ref": "https://example.com/schema"}},
         "response_format.schema.items has the '$ref' 'https://example.com/schema', which leads "
         "to no schema within this one; refer to a part of it, as in '#/$defs/name'."),
        ({"type": "string", "pattern": "(?=a)b"},
         "response_format.schema has 'pattern', which is '(?=a)b' and has a look-around, which "
         "cannot be enforced; leave it out, or say it with other keywords."),
        ({"type": "string", "pattern": "(a"},
         "response_format.schema has 'pattern', which is '(a' and has an unclosed group; leave it "
         "out, or say it with other keywords."),
        ({"type": "list"},
         "response_format.schema has 'list' as its 'type', which must be one of array, boolean, "
         "integer, null, number, object, string, or a list of them; correct it."),
        ({"minLength": -1},
         "response_format.schema has -1 as its 'minLength', which must be a whole number of at "
         "least 0; correct it."),
        ({"properties": {"a": {"required": True}}},
         "response_format.schema.properties.a has True as its 'required', which must be a list of "
         "the names of properties; correct it."),
        ({"maximum": "3"},
         "response_format.schema has '3' as its 'maximum', which must be a number; correct it."),
        ({"$ref": "#"},
         "response_format.schema requires itself without end, so no value fits it; make a part of "
         "it optional."),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
         "response_format.schema requires itself without end, so no value fits it; make a part of "
         "it optional."),
        ({"type": "array", "items": {"$ref": "#"}, "minItems": 1},
         "response_format.schema requires itself without end, so no value fits it; make a part of "
         "it optional."),
        ({"items": {"allOf": [{"pattern": f"[a-z]{i}"} for i in range(22)]}},
         "response_format.schema.items asks for 22 patterns and formats of one text, and at most "
         "16 are compiled; say it with fewer."),
        ({"properties": []}, "response_format.schema.properties is of type list, which must be an "
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


def test_a_grammar_that_nothing_fits(engine: Engine) -> None:
    assert refusal(engine, response_format={"type": "grammar", "grammar": "start: start"}) == (
        "[structured] the answer's form cannot be enforced (no text fits it); change the schema, "
        "pattern or grammar."
    )


def test_a_grammar_too_complex_for_its_first_steps(engine: Engine) -> None:
    rules = "\n".join(f'r{i}: r{i + 1} | "x"' for i in range(4000))
    lark = f'start: r0\n{rules}\nr4000: "a"'
    sentence = refusal(engine, response_format={"type": "grammar", "grammar": lark})
    assert "Current row has 4003 items; max is 2000" in sentence


def test_chains_of_references_and_rules_are_bounded(engine: Engine) -> None:
    """Each of these overflowed the stack of the thread that compiled it."""
    names = [f"d{i}" for i in range(2500)]
    chain = dict(zip(names, ({"$ref": f"#/$defs/{name}"} for name in names[1:]), strict=False))
    chain["d2499"] = {"type": "integer"}
    compiled = form({"$ref": "#/$defs/d0", "$defs": chain})
    assert engine.stream(ASK, SamplingParams(max_tokens=1), response_format=compiled).response()
    nested = {
        name: {"type": "object", "properties": {"a": {"$ref": f"#/$defs/d{i + 1}"}}}
        for i, name in enumerate(names[:-1])
    } | {"d2499": {}}
    assert refusal(engine, response_format=form({"$ref": "#/$defs/d0", "$defs": nested})) == (
        "[schema] response_format.schema leads through 5000 levels by its 2500 '$ref's, and at "
        "most 4000 are compiled; give fewer definitions."
    )
    for count, text in ((5000, None), (8001, "the grammar has 8003 rules, and at most 8000")):
        lark = "start: r0\n" + "\n".join(f"r{i}: r{i + 1}" for i in range(count))
        options = {"response_format": {"type": "grammar", "grammar": f'{lark}\nr{count}: "a"'}}
        if text is None:
            assert engine.stream(ASK, **options).response().text == "a"
        else:
            assert text in refusal(engine, **options)
    within = f"start: %json {json.dumps({'$ref': '#/$defs/d0', '$defs': nested})}"
    assert "a schema of the grammar leads through" in refusal(
        engine, response_format={"type": "grammar", "grammar": within}
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
        ({"type": "regex", "regex": "a(?!b)"},
         "has 'a(?!b)' as its 'regex', which has a look-around, which cannot be enforced; say it "
         "without."),
        ({"type": "choice", "choice": ["a"] * 100_001},
         "has 100001 choices of 100001 bytes, the longest of 1; give at most 100000 of 4000000 "
         "bytes together and 65536 each."),
        ({"type": "choice", "choice": ["é" * 40_000]},
         "has 1 choices of 80000 bytes, the longest of 80000; give at most 100000 of 4000000 bytes "
         "together and 65536 each."),
        ({"type": "json_schema", "json_schema": {"schema": {}, "additional_properties": "yes"}},
         "has 'yes' as its 'additional_properties'; give True for objects that may have "
         "properties which the schema does not name, or False."),
        ({"type": "json_object", "schem": {}},
         "has the field 'schem', which is not known there; leave it out; there are 'type', "
         "'schema'."),
        ({"type": "json_schema", "schema": {}, "json_schema": {"schema": {}}},
         "has the field 'schema', which is not known there; leave it out; there are 'type', "
         "'json_schema'."),
        ({"type": "json_schema", "json_schema": {"schema": {}, "stric": True}},
         "'json_schema' has the field 'stric', which is not known there; leave it out; there are "
         "'name', 'description', 'schema', 'strict', 'additional_properties'."),
        ({"type": "regex", "regex": "a", "pattern": "b"},
         "has the field 'pattern', which is not known there; leave it out; there are 'type', "
         "'regex'."),
    ],
)  # fmt: skip
def test_response_formats(engine: Engine, given: Any, sentence: str) -> None:
    assert refusal(engine, response_format=given) == f"[response_format] response_format {sentence}"


CHOICES = (
    "give 'auto', 'none', 'required', {'type': 'function', 'function': {'name': …}} or "
    "{'type': 'allowed_tools', 'allowed_tools': {'mode': …, 'tools': […]}}."
)


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
         f"tool_choice is 'always'; {CHOICES}"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "mode": "none"}},
         "allowed_tools is {'mode': 'none'}; give the mode 'auto' or 'required' and the tools as "
         "{'type': 'function', 'function': {'name': …}}."),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "allowed_tools": 3}},
         f"allowed_tools is 3; {CHOICES}"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "tools": [{"name": "g"}]}},
         "tool_choice names 'g', which is not among the tools; name one of: f."),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}, "x": 1}},
         "tool_choice has the field 'x', which is not known there; "
         f"{CHOICES}"),
        ({"tools": [TOOL], "tool_choice": {"function": {"name": "f", "tools": []}}},
         "tool_choice has the field 'tools', which is not known there; "
         f"{CHOICES}"),
        ({"max_tool_rounds": 3},
         "max_tool_rounds is given without run_tools, which it belongs to; give run_tools=True, "
         "or leave it out."),
    ],
)  # fmt: skip
def test_tools(engine: Engine, options: dict[str, Any], sentence: str) -> None:
    assert refusal(engine, **options) == f"[tools] {sentence}"
