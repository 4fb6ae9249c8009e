"""Random tools in every format: what a random model calls is valid for the tool's schema."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from random_models import BY_NAME, QUOTES, Speaker, answers, check, ends, params
from schemas import WRITTEN, made

every_format = pytest.mark.parametrize("tool_format", BY_NAME)


def objects(seed: int) -> Iterator[dict[str, Any]]:
    """Schemas of objects, written and random ones, without end."""
    written = itertools.cycle(one for one in WRITTEN.values() if one.get("type") == "object")
    for number in itertools.count(seed):
        yield next(written)
        if (schema := made(number)).get("type") == "object":
            yield schema


def holds(speaker: Speaker, tool_format: str, count: int) -> None:
    """Makes answers; all calls are valid, and nearly all answers come to their end."""
    known = BY_NAME[tool_format]
    engine = speaker(tool_format)
    schemas = [*itertools.islice(objects(len(tool_format) * 1000), count)]
    towards = (*known.marks, *ends(known), *QUOTES, known.around[1])
    requests = (
        {
            "params": params(engine, seed, *towards),
            "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
            "tool_choice": ("auto", "required")[seed % 2],
        }
        for seed, schema in enumerate(schemas)
    )
    checked = 0
    for schema, answer in zip(schemas, answers(engine, requests), strict=True):
        for call in answer.tool_calls:
            if not call.unenforced:
                check(schema, call.arguments)
                checked += 1
        if answer.finish_reason == "stop":
            assert not answer.tool_calls
    assert checked > count // 3


EVERYDAY = [
    name
    for name, known in BY_NAME.items()
    if not known.is_json or name in ("hermes", "harmony", "cohere", "kimi")
]
"""Formats of other syntaxes than JSON, and of each kind of JSON one."""


@pytest.mark.parametrize("tool_format", EVERYDAY)
def test_calls_of_random_schemas_are_valid(speaker: Speaker, tool_format: str) -> None:
    holds(speaker, tool_format, 10)


@pytest.mark.slow
@every_format
def test_calls_of_many_random_schemas_are_valid(speaker: Speaker, tool_format: str) -> None:
    holds(speaker, tool_format, 200)
