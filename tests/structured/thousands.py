"""Thousands of constrained answers of random models, and how many parse and are valid.

    python tests/structured/thousands.py [--count 5000] [--seed 0]

Half of them are held to JSON Schemas, written and random ones; half call tools with such schemas as
parameters, in every tool-call format, with `tool_choice` required and auto. Ends with 1 if
any answer is not what it must be.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from random_models import BY_NAME, answers, check, make_folder, params
from schemas import WRITTEN, made

from convergio_mlx import ChatResponse, Engine

Case = tuple[str, Any, dict[str, Any]]
"""What it is, the schema, the options of the request."""


def schemas(seed: int) -> Iterator[Any]:
    """Written and random ones, without end."""
    written = itertools.cycle(WRITTEN.values())
    for number in itertools.count(seed):
        yield next(written)
        yield made(number)


def forms(engine: Engine, seed: int) -> Iterator[Case]:
    for number, schema in enumerate(schemas(seed), start=seed):
        form = {"type": "json_schema", "json_schema": {"schema": schema}}
        yield "schema", schema, {"params": params(engine, number), "response_format": form}


def calls(engine: Engine, tool_format: str, seed: int) -> Iterator[Case]:
    objects = (one for one in schemas(seed) if one.get("type") == "object")
    mark = BY_NAME[tool_format].marks[0]
    for number, schema in enumerate(objects, start=seed):
        choice = ("required", "auto")[number % 2]
        yield (
            f"{tool_format}, {choice}",
            schema,
            {
                "params": params(engine, number, mark),
                "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
                "tool_choice": choice,
            },
        )


def fault(case: Case, answer: ChatResponse) -> str | None:
    """What is wrong with an answer."""
    kind, schema, _ = case
    if answer.finish_reason not in ("stop", "tool_calls"):
        return f"it ended by {answer.finish_reason}"
    texts = [call.arguments for call in answer.tool_calls]
    if kind == "schema":
        texts = [answer.text]
    elif not texts and kind.endswith("required"):
        return "no call"
    try:
        for text in texts:
            check(schema, text)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:500]
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    made_of, right = Counter[str](), Counter[str]()
    values, tokens = 0, 0
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        engines = {
            name: Engine.load(make_folder(Path(scratch) / name, tool_format))
            for name, tool_format in BY_NAME.items()
        }
        sources = [(engines["hermes"], forms(engines["hermes"], arguments.seed))] * len(engines)
        sources += [(one, calls(one, name, arguments.seed)) for name, one in engines.items()]
        share = -(-arguments.count // len(sources))
        for engine, source in sources:
            cases = list(itertools.islice(source, share))
            made_answers = answers(engine, (options for *_, options in cases))
            for case, answer in zip(cases, made_answers, strict=True):
                wrong = fault(case, answer)
                made_of[case[0]] += 1
                right[case[0]] += wrong is None
                values += len(answer.tool_calls) + (case[0] == "schema")
                tokens += len(answer.token_ids)
                if wrong is not None:
                    print(f"{case[0]}: {wrong}\n  {case[1]}\n  {answer.text!r}", file=sys.stderr)
    for kind in made_of:
        print(f"{kind:20} {right[kind]:6} of {made_of[kind]:6}")
    total, good = made_of.total(), right.total()
    print(f"{'all':20} {good:6} of {total:6} are right: {100 * good / total:.2f} %")
    print(f"{values} JSON values, {tokens} tokens, {time.monotonic() - start:.0f} s")
    sys.exit(good != total)


if __name__ == "__main__":
    main()
