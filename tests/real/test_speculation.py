"""Speculation on a real model: the same answers, and fewer passes where a text is copied."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from convergio_mlx import Engine, SamplingParams
from own_kernels import needs_own_kernels

TEXT = (
    "The harbour wall was built in 1911 and its foundations are still sound. Two fishermen said "
    "that the northern quay had been closed since the spring, because its edge broke away."
)
PROMPTS: list[Any] = [
    f"{TEXT}\n\n###\n\n{TEXT}\n\n###\n\nThe harbour",
    [{"role": "user", "content": f"Repeat this text word for word.\n\n{TEXT}"}],
    [{"role": "user", "content": "Write two sentences about salt."}],
    [{"role": "user", "content": "Count from one to thirty in words, and then again."}],
]


def answered(engine: Engine, prompt: Any, params: SamplingParams) -> tuple[list[Any], str, Any]:
    generation = engine.generate(prompt, params)
    chunks = list(generation)
    pairs = [pair for one in chunks for pair in zip(one.token_ids, one.logprobs, strict=True)]
    return pairs, "".join(one.text for one in chunks), chunks[-1].finish_reason


def params(number: int) -> SamplingParams:
    dice = random.Random(number)
    return SamplingParams(
        temperature=dice.choice([0.0, 0.3, 0.8, 1.2]),
        top_p=dice.choice([1.0, 0.9]),
        repetition_penalty=dice.choice([1.0, 1.0, 1.1]),
        frequency_penalty=dice.choice([0.0, 0.0, 0.3]),
        stop=dice.choice([(), ("spring",)]),
        seed=number,
        max_tokens=dice.randrange(20, 70),
        logprobs=dice.choice([0, 2]),
    )


def test_no_answer_depends_on_it(real_engine: Engine) -> None:
    cases = [(prompt, params(number)) for number in range(8) for prompt in PROMPTS]
    plain = [answered(real_engine, text, replace(one, speculate=False)) for text, one in cases]
    assert [answered(real_engine, text, one) for text, one in cases] == plain
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda case: answered(real_engine, *case), cases))
    assert together == plain


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_most_tokens_of_a_copy_come_without_a_pass_of_their_own(
    real_engine: Engine, temperature: float
) -> None:
    """How many are drafted is a matter of what passes take; that many are right is not."""
    generation = real_engine.generate(
        PROMPTS[0], SamplingParams(temperature=temperature, seed=1, max_tokens=36)
    )
    assert TEXT.startswith("The harbour" + generation.text()[:100])
    stats = generation.stats
    assert stats.accepted_tokens > 0
    assert stats.accepted_tokens >= stats.drafted_tokens / 2


@needs_own_kernels
def test_no_answer_depends_on_a_draft_model(real_engine: Engine, coarser: Path) -> None:
    """One that drafts in each pass."""
    cases = [(prompt, params(100)) for prompt in PROMPTS]
    plain = [answered(real_engine, text, replace(one, speculate=False)) for text, one in cases]
    with Engine.load(real_engine.folder, draft_model=coarser) as drafted:
        drafted._model.drafts_always = True
        assert [answered(drafted, text, one) for text, one in cases] == plain
        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(lambda case: answered(drafted, *case), cases)) == plain
