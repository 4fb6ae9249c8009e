"""Random requests of every kind that the engine takes, and what can be seen of their answers."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from small_models import ids

from convergio_mlx import Engine, SamplingParams
from convergio_mlx.chats.request import PRIORITIES, Priority

ATTENDING = (
    "llama",
    "gemma2",
    "gemma3_text",
    "gemma4_text",
    "deepseek_v3",
    "mixtral",
    "olmo2",
    "llama4_text",
)
"""Grouped queries; soft caps; windows; shared keys; latent attention and experts; experts; norms
after the branches; chunks."""
FAMILIES = (*ATTENDING, "lfm2", "qwen3_5")
"""And states that cannot go back."""
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 6}, "n": {"enum": [1, 22, 333]}},
    "required": ["name", "n"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Case:
    """A request of some kind, and how it is ended from outside."""

    prompt: Any
    params: SamplingParams
    mask: bool = False
    form: bool = False
    cancel_after: int | None = None


Answered = tuple[list[Any], str, str | None]
"""Tokens with their log-probabilities, text, finish reason."""


def case(engine: Engine, number: int) -> Case:
    dice = random.Random(number)
    params = SamplingParams(
        temperature=dice.choice([0.0, 0.7, 1.3]),
        top_k=dice.choice([0, 0, 20]),
        top_p=dice.choice([1.0, 0.9]),
        min_p=dice.choice([0.0, 0.05]),
        repetition_penalty=dice.choice([1.0, 1.2]),
        presence_penalty=dice.choice([0.0, 0.5]),
        seed=number,
        max_tokens=dice.randrange(1, 40),
        stop=dice.choice([(), (), ("a", "never there")]),
        ignore_eos=dice.random() < 0.5,
        logprobs=dice.choice([None, 0, 3]),
    )
    shared = ids(60, start=dice.randrange(3))[: dice.randrange(1, 60)]  # prefixes to be cached
    prompt = [token % engine.vocab_size for token in (*shared, *ids(dice.randrange(1, 50), number))]
    return Case(
        prompt,
        params,
        mask=dice.random() < 0.2,
        form=dice.random() < 0.15,
        cancel_after=dice.randrange(6) if dice.random() < 0.15 else None,
    )


def even(vocab_size: int) -> bytes:
    return np.packbits(np.arange(-(-vocab_size // 32) * 32) % 2 == 0, bitorder="little").tobytes()


def form_of(one: Case) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """The messages and the response_format of a case with a form."""
    messages = [{"role": "user", "content": f"Say {len(one.prompt)}."}]
    return messages, {"type": "json_schema", "json_schema": {"name": "form", "schema": SCHEMA}}


def answered(engine: Engine, one: Case, priority: Priority = "normal") -> Answered:
    """All that can be seen of it."""
    if one.form:
        messages, form = form_of(one)
        stream = engine.stream(messages, one.params, response_format=form, priority=priority)
        response = stream.response()
        return list(response.logprobs), response.text, response.finish_reason
    mask = even(engine.vocab_size)
    constraint = (lambda _: mask) if one.mask else None
    generation = engine.generate(one.prompt, one.params, constraint=constraint, priority=priority)
    tokens: list[Any] = []
    text = ""
    for count, chunk in enumerate(generation):
        tokens += zip(chunk.token_ids, chunk.logprobs or chunk.token_ids, strict=True)
        text += chunk.text
        reason = chunk.finish_reason
        if one.cancel_after == count:
            generation.cancel()
    return tokens, text, reason


def compare(
    engine: Engine, cases: list[Case], alone: list[Answered], threads: int, seed: int
) -> None:
    """Asks them in any order, at any priority, so many at once: each is answered as alone."""
    dice = random.Random(seed)
    order = dice.sample(range(len(cases)), len(cases))
    priorities = [dice.choice(PRIORITIES) for _ in order]
    with ThreadPoolExecutor(threads) as pool:
        together = list(
            pool.map(lambda number, how: answered(engine, cases[number], how), order, priorities)
        )
    for number, found in zip(order, together, strict=True):
        check(found, alone[number], cases[number])


def check(found: tuple[Any, ...], wanted: tuple[Any, ...], one: Case) -> None:
    if one.cancel_after is None or one.form:
        assert found == wanted
    else:  # where it ends is the reader's pace
        shorter, longer = sorted([found, wanted], key=lambda one: len(one[0]))
        assert shorter[0] == longer[0][: len(shorter[0])]
