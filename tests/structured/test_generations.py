"""Random models at temperature 1, held to a schema: every answer parses and is valid.

`python tests/structured/thousands.py` does the same many times over.
"""

from typing import Any

import pytest
from random_models import answers, check, params
from schemas import WRITTEN, made

from convergio_mlx import Engine


def form(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


@pytest.mark.parametrize("schema", WRITTEN.values(), ids=WRITTEN)
def test_answers_fit_a_schema(engine: Engine, schema: Any) -> None:
    requests = (
        {"params": params(engine, seed), "response_format": form(schema)} for seed in range(4)
    )
    for answer in answers(engine, requests):
        assert answer.finish_reason == "stop"
        check(schema, answer.text)


def test_answers_fit_random_schemas(engine: Engine) -> None:
    schemas = [made(seed) for seed in range(60)]
    requests = (
        {"params": params(engine, seed), "response_format": form(schema)}
        for seed, schema in enumerate(schemas)
    )
    for schema, answer in zip(schemas, answers(engine, requests), strict=True):
        assert answer.finish_reason == "stop", schema
        check(schema, answer.text)
