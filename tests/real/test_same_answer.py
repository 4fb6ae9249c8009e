"""What an answer is does not depend on what was reused of an earlier one, on a real model."""

import random
from pathlib import Path

import numpy as np
import pytest

from convergio_mlx import Engine, SamplingParams

FIRST = ("Tell me something surprising about owls.", "Write four lines about salt.", "What is tea?")
NEXT = ("Say that in one sentence.", "Why is that so?", "Give me an example.")


def turn(engine: Engine, messages: list[dict[str, str]], params: SamplingParams) -> list[object]:
    chunks = list(engine.generate(messages, params))
    return [pair for one in chunks for pair in zip(one.token_ids, one.logprobs, strict=True)]


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.2])
def test_reuse_of_a_prefix_changes_no_token_and_no_logprob(
    real_engine: Engine, real_model: Path, temperature: float
) -> None:
    with Engine.load(real_model, prefix_cache_bytes=0) as fresh:
        for number, question in enumerate(FIRST):
            dice = random.Random(number)
            messages = [{"role": "user", "content": question}]
            for _ in range(3):
                params = SamplingParams(
                    temperature=temperature, max_tokens=40, seed=dice.randrange(1 << 30), logprobs=0
                )
                reusing = turn(real_engine, messages, params)
                assert reusing == turn(fresh, messages, params)
                text = real_engine.tokenizer.decode([pair[0] for pair in reusing])  # type: ignore[index]
                messages += [
                    {"role": "assistant", "content": text},
                    {"role": "user", "content": dice.choice(NEXT)},
                ]


def test_logits_do_not_depend_on_where_a_prompt_is_cut(real_engine: Engine) -> None:
    dice = random.Random(1)
    tokens = [dice.randrange(real_engine.vocab_size) for _ in range(200)]
    whole = np.asarray(real_engine.logits(tokens))
    for chunk in (1, 7, 64):
        assert np.array_equal(np.asarray(real_engine.logits(tokens, chunk=chunk)), whole), chunk
