"""What a constraint costs: masks a second over a real vocabulary, and their share of decoding.

    CONVERGIO_TEST_DATA=… python bench/constrained.py [--tokenizer llama-3] [--scratch FOLDER]

First llguidance alone: the time to make the token table (once a model), to compile a grammar (once
a form; it is kept), and of each mask along an answer that fits. Then, with --scratch, a model of
Llama-3.2-1B's geometry with random 4-bit weights, written there and removed again: the same prompt
with and without a constraint, interleaved, greedy, and what of a token's time is the mask's.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

from convergio_mlx import Engine, SamplingParams
from convergio_mlx.chats import planning
from convergio_mlx.chats.request import ChatRequest
from convergio_mlx.structured.constraint import Constraint
from convergio_mlx.structured.grammars import grammars_of
from convergio_mlx.text.tokenizer import Tokenizer
from fabricate import fabricate

DATA = Path(os.environ["CONVERGIO_TEST_DATA"])
PROMPT = [{"role": "user", "content": "Who is Ada Lovelace?"}]
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "born": {"type": "integer"},
        "works": {"type": "array", "items": {"type": "string"}},
        "kind": {"enum": ["poet", "mathematician"]},
    },
    "required": ["name", "born", "works", "kind"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "store", "parameters": PERSON}}
ANSWER = (
    '{"name": "Augusta Ada King, Countess of Lovelace", "born": 1815, "works": ["Notes on the '
    'Analytical Engine (1843), with the first published algorithm", "Letters"], "kind": '
    '"mathematician"}'
)
PROSE = "Ada Lovelace was born in London in 1815.\n\n1. She wrote `notes` on <b>engines</b>. " * 4
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "JSON Schema": (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": PERSON}}},
        ANSWER,
    ),
    "any JSON object": ({"response_format": {"type": "json_object"}}, ANSWER),
    "text with tools (auto)": ({"tools": [TOOL]}, PROSE),
    "regular expression": ({"response_format": {"type": "regex", "regex": "[^|]*"}}, PROSE),
}


def request(options: dict[str, Any]) -> ChatRequest:
    """The prompt with a case's options."""
    given = {name: value for name, value in options.items() if name != "tools"}
    return ChatRequest.of("plan", PROMPT, tools=options.get("tools"), options=given)


def masks(tokenizer: Tokenizer, vocab_size: int) -> None:
    """Prints what masks cost without a model."""
    start = time.perf_counter()
    plan = planning.plan(tokenizer, ChatRequest.of("plan", PROMPT, tools=[TOOL]))
    grammars_of(tokenizer, plan.spelled).prepare()
    print(
        f"token table of {vocab_size} tokens, once a model: {time.perf_counter() - start:.2f} s\n"
    )
    print(f"{'form':24} {'compile':>9} {'steps':>6} {'median':>8} {'mean':>8} {'worst':>9} masks/s")
    for name, (options, text) in CASES.items():
        row = []
        for _ in range(3):
            start = time.perf_counter()
            plan = planning.plan(tokenizer, request(options))
            constraint: Any = plan.constraint([0], [], vocab_size)
            assert constraint.wait(60)
            compiled = time.perf_counter() - start
            row.append((compiled, along(constraint, tokenizer.encode(text, False))))
        compiled = row[0][0]
        times = sorted(min(pair) for pair in zip(*(times for _, times in row), strict=True))
        mean = statistics.fmean(times)
        figures = (compiled * 1e3, statistics.median(times) * 1e6, mean * 1e6, times[-1] * 1e6)
        print(f"{name:24} {figures[0]:6.1f} ms {len(times):6}", end="")
        print(" {:5.0f} µs {:5.0f} µs {:6.0f} µs {:7.0f}".format(*figures[1:], 1 / mean))


def along(constraint: Constraint, ids: list[int]) -> list[float]:
    """Seconds of each step along an answer."""
    times = []
    told: list[int] = []
    while True:
        start = time.perf_counter()
        given = constraint(told)
        times.append(time.perf_counter() - start)
        told = given if isinstance(given, list) else ids[:1]
        if given is None or ids[: len(told)] != told or not told:
            return times
        ids = ids[len(told) :]


def decoding(engine: Engine, tokens: int, rounds: int) -> None:
    """Prints what masks cost in a model's decoding."""
    params = SamplingParams(temperature=0, max_tokens=tokens, ignore_eos=True, speculate=False)
    cases: dict[str, dict[str, Any]] = {"free": {}} | {n: o for n, (o, _) in CASES.items()}
    found: dict[str, list[Any]] = {name: [] for name in cases}
    for turn in range(rounds + 1):
        for name, options in cases.items():
            finish = engine.stream(PROMPT, params, **options).response().finish
            if turn:  # the first makes tables and compiles
                found[name].append(finish.stats)
    print(f"\n{'decoding':24} {'tokens':>7} {'tok/s':>7} {'mask/token':>11} {'share':>7}  waited")
    for name, all_stats in found.items():
        stats = min(all_stats, key=lambda one: one.decode_seconds / one.output_tokens)
        seconds, count = stats.decode_seconds, stats.output_tokens
        mask, waited = stats.mask_seconds, stats.mask_wait_seconds
        print(f"{name:24} {count:7} {stats.decode_tokens_per_second:7.1f}", end="")
        print(f" {mask / count * 1e6:8.0f} µs {100 * mask / seconds:6.2f} %", end="")
        print(f" {100 * waited / seconds:6.2f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokenizer", default="llama-3", help="a folder of the data's tokenizers/")
    parser.add_argument("--scratch", type=Path, help="where the model is written, about 1 GB")
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    folder = DATA / "tokenizers" / arguments.tokenizer
    config = json.loads((DATA / "configs" / "llama-3.2-1b.json").read_text())
    masks(Tokenizer.from_folder(folder), config["vocab_size"])
    if arguments.scratch is None:
        return
    model = arguments.scratch / "constrained-1b"
    try:
        fabricate(model, config, folder)
        with Engine.load(model) as engine:
            decoding(engine, arguments.tokens, arguments.rounds)
    finally:
        shutil.rmtree(model, ignore_errors=True)


if __name__ == "__main__":
    main()
