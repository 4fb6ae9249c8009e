"""The built-in model's greedy text against mlx-lm's, live, token by token."""

from __future__ import annotations

from typing import Any

import pytest

import convergio_mlx as cm
from model import mlx_lm_oracle

COUNT = 200
PROMPTS = (
    "Which model fits in 8 GB of memory?",
    "How do I delete a model?",
    "What is the capital of France?",
    "tell me everything about deepseek-r1-14b",
)


@pytest.mark.slow
@pytest.mark.parametrize("prompt", PROMPTS)
def test_two_hundred_greedy_tokens_are_those_of_mlx_lm(engine: Any, prompt: str) -> None:
    chat = engine.tokenizer.chat_template()
    text = chat.render([{"role": "user", "content": prompt}])
    tokens = engine.tokenizer.encode(text, add_special_tokens=False)
    params = cm.SamplingParams(temperature=0, max_tokens=COUNT, ignore_eos=True)
    ours = [t for chunk in engine.generate(tokens, params) for t in chunk.token_ids]
    assert len(ours) == COUNT
    assert ours == mlx_lm_oracle.greedy(engine.folder, tokens, COUNT)
