"""A real model's tokens and logits against what mlx-lm computed in float32 (tests/golden)."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convergio_mlx import Engine, SamplingParams
from golden.real import ANSWER, goldens, prompts


@pytest.mark.parametrize("exact", ["", "1"], ids=["default", "exact"])
def test_every_best_token_is_the_same_and_the_distributions_hardly_differ(
    real_model: Path, exact: str
) -> None:
    program = Path(__file__).with_name("teacher_forced.py")
    done = subprocess.run(
        [sys.executable, program, real_model],
        env={**os.environ, "CONVERGIO_MLX_EXACT": exact},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    same = sum(one["same"] for one in found)
    mean = sum(one["divergence"] for one in found) / len(found)
    largest = max(one["largest"] for one in found)
    print(
        f"\n{same} of {len(found) * ANSWER} best tokens are the same; KL divergence {mean:.1e} in "
        f"the mean, {largest:.1e} at most",
        file=sys.stderr,
    )
    assert [one for one in found if one["same"] != ANSWER] == []
    assert mean < 1e-5
    assert largest < 1e-4


def test_prompts_are_rendered_and_tokenized_as_by_mlx_lm(real_engine: Engine) -> None:
    for prompt, golden in zip(prompts(), goldens(), strict=True):
        given = prompt.get("messages") or prompt["text"]
        answer = real_engine.generate(given, SamplingParams(max_tokens=1))
        answer.text()
        assert answer.stats.prompt_tokens == len(golden.tokens) - ANSWER, prompt["kind"]


def test_greedy_answers_are_mlx_lms(real_engine: Engine) -> None:
    params = SamplingParams(temperature=0, max_tokens=ANSWER, ignore_eos=True)
    for prompt, golden in zip(prompts(), goldens(), strict=True):
        given = prompt.get("messages") or prompt["text"]
        tokens = [
            token for chunk in real_engine.generate(given, params) for token in chunk.token_ids
        ]
        assert tokens == golden.tokens[-ANSWER:], prompt["kind"]
