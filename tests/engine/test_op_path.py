"""Answers by MLX's ops, as on a GPU: tokens are chosen by ops too, a pass ahead. They are those
that our kernels and the sampler of the CPU give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from programs import output

from convergio_mlx.platform.native import native

pytestmark = pytest.mark.slow

PROGRAM = """
import json
folder, options = sys.argv[1], json.loads(sys.argv[2])
with cm.Engine.load(folder) as engine:
    for one in options:
        bias = {int(token): added for token, added in one.pop("logit_bias", {}).items()}
        chunks = list(engine.generate(list(range(5, 40)), cm.SamplingParams(
            max_tokens=24, ignore_eos=True, seed=7, logit_bias=bias, **one)))
        tokens = [token for chunk in chunks for token in chunk.token_ids]
        logprobs = [
            [row.logprob, [token for token, _ in row.top]]
            for chunk in chunks for row in chunk.logprobs
        ]
        print(json.dumps([tokens, logprobs]))
"""
REFUSED = """
try:
    cm.Engine.load(sys.argv[1], draft_model=sys.argv[1])
except cm.InvalidRequestError as error:
    print(error)
"""
OPTIONS: list[dict[str, Any]] = [
    {"temperature": 0},
    {"temperature": 1.0},
    {"temperature": 0.8, "top_k": 20},
    {"temperature": 0.8, "top_p": 0.7},
    {"temperature": 1.2, "min_p": 0.05},
    {"temperature": 1.0, "top_k": 50, "top_p": 0.9, "min_p": 0.01},
    {"temperature": 20.0, "top_p": 0.99},  # wider than what the ops look at: the sampler chooses
    {"temperature": 0.9, "repetition_penalty": 1.3, "presence_penalty": 0.4},
    {"temperature": 0, "frequency_penalty": 0.5, "logit_bias": {"9": 2.0, "11": -100.0}},
    {"temperature": 0.7, "top_p": 0.9, "logprobs": 4},
]


def answers(folder: Path, **environment: str) -> list[Any]:
    text = output(PROGRAM, folder, json.dumps(OPTIONS), environment=environment)
    return [json.loads(line) for line in text.splitlines()]


def test_tokens_and_logprobs_are_those_of_our_kernels(folder: Path) -> None:
    ours = answers(folder, CONVERGIO_MLX_EXACT="1")
    ops = answers(folder, CONVERGIO_MLX_ISA="off")
    assert len(ours) == len(OPTIONS)
    for options, (wanted, wanted_logprobs), (seen, logprobs) in zip(
        OPTIONS, ours, ops, strict=True
    ):
        assert (len(seen), seen) == (24, wanted), options
        assert [top for _, top in logprobs] == [top for _, top in wanted_logprobs]
        assert [one for one, _ in logprobs] == pytest.approx(
            [one for one, _ in wanted_logprobs], abs=1e-3
        )
    assert ops[-1][1]


def test_a_draft_model_is_refused(folder: Path) -> None:
    said = output(REFUSED, folder, environment={"CONVERGIO_MLX_ISA": "off"})
    assert said == (
        "[engine] a draft model drafts on our CPU kernels alone, and this process computes without "
        f"them, on '{native().backend()}'; load the model without draft_model.\n"
    )
