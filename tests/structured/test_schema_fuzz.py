"""Whatever JSON, or Python, stands where a schema or a response format belongs: it is taken, or a
typed error."""

import random
from typing import Any

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.structured import schema_keywords as keywords
from convergio_mlx.structured.response_format import answer_rule
from convergio_mlx.structured.schema import enforceable, json_rule

KEYS = [*sorted(keywords.ENFORCED), *sorted(keywords.ANNOTATIONS), "uniqueItems", "if", "then"]
KEYS += ["not", "contains", "propertyNames", "dependentRequired", "unevaluatedProperties", "\ud800"]
LEAVES: list[Any] = [None, True, False, 0, 1, -1, 3.5, float("nan"), float("inf"), 1e308, 10**400]
LEAVES += [
    "",
    "a",
    "#",
    "#/$defs/a",
    "\ud800",
    "^a$",
    "(",
    "date",
    "object",
    b"x",
    object(),
    {1: 2},
]
NAMES = ["a", "b", "", "/", "~", "\ud800", "a/b"]


def value(rng: random.Random, depth: int) -> Any:
    chance = rng.random()
    if depth <= 0 or chance < 0.25:
        return rng.choice(LEAVES)
    if chance < 0.4:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    if chance < 0.5:
        return {rng.choice(NAMES): value(rng, depth - 1) for _ in range(rng.randrange(4))}
    return schema(rng, depth - 1)


def schema(rng: random.Random, depth: int) -> Any:
    made: dict[str, Any] = {}
    for key in rng.sample(KEYS, rng.randrange(5)):
        made[key] = value(rng, depth - 1)
        if depth <= 0 or rng.random() < 0.3:
            continue
        if key in keywords.SCHEMA_MAPS:
            made[key] = {rng.choice(NAMES): schema(rng, depth - 1) for _ in range(3)}
        elif key in keywords.SCHEMA_LISTS:
            made[key] = [schema(rng, depth - 1) for _ in range(rng.randrange(1, 4))]
        elif key in keywords.SCHEMAS:
            made[key] = schema(rng, depth - 1)
        elif key == "type":
            made[key] = rng.choice(keywords.TYPES)
    return made


def test_any_value_is_a_schema_or_a_typed_error() -> None:
    rng = random.Random(11)
    taken = refused = 0
    for _ in range(5_000):
        given = schema(rng, 4) if rng.random() < 0.9 else value(rng, 3)
        kind = rng.choice(["regex", "choice", "grammar", "json_object", 3, None])
        form = {"type": kind, "regex": given, "choice": given, "grammar": given}
        for attempt in (
            lambda given=given: json_rule(given, "schema"),
            lambda given=given: enforceable(given, "schema", open_objects=True).rule,
            lambda given=given: answer_rule(given),
            lambda form=form: answer_rule(form),
        ):
            try:
                taken += isinstance(attempt(), str)
            except InvalidRequestError:
                refused += 1
    assert taken > 300
    assert refused > 300
