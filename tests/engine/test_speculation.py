"""Speculation changes no answer: tokens, text, finish reason and log-probabilities are those
without it, to the bit. Whether a draft is run depends on what passes take; what follows from one
must not."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from request_cases import FAMILIES, Case, answered, case, check
from small_models import VOCABULARY, config, ids, write_model

from arch.variants import tiny
from convergio_mlx import Engine, SamplingParams
from convergio_mlx.errors import ConstraintError, InvalidRequestError

DYNAMIC = {"rope_scaling": {"rope_type": "dynamic", "factor": 4.0}, "max_position_embeddings": 64}
"""Its rotary table changes with every token beyond 64."""


def described(name: str) -> dict[str, Any]:
    if name == "dynamic":
        return config(**DYNAMIC)
    quantized = {"quantization": {"group_size": 32, "bits": 4}} if name == "quantized" else {}
    base = config(**quantized) if name == "quantized" else tiny(name)
    return {**base, "vocab_size": VOCABULARY, "eos_token_id": 1}


@pytest.fixture(scope="module", params=[*FAMILIES, "gpt_oss", "quantized", "dynamic"])
def family(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("speculation") / request.param
    with Engine.load(write_model(folder, described(request.param))) as loaded:
        yield loaded


def repetitive(engine: Engine, number: int) -> Case:
    """A random request whose answer has the same few tokens again and again, in every order or in
    one, as its prompt has."""
    one = case(engine, number)
    dice = random.Random(number)
    few = dice.sample(range(4, engine.vocab_size), dice.randrange(1, 5))
    drawn = dice.choices(few, k=dice.randrange(2, 60))
    params = replace(
        one.params,
        logit_bias=dict.fromkeys(few, dice.choice([3.0, 10.0, 50.0])),
        max_tokens=dice.randrange(1, 80),
    )
    return replace(one, prompt=[*one.prompt, *drawn], params=params)


def plain(one: Case) -> Case:
    return replace(one, params=replace(one.params, speculate=False))


def compare(engine: Engine, count: int, threads: int) -> None:
    """Speculating, alone and in company, beside not."""
    cases = [repetitive(engine, number) for number in range(count)]
    cases += [case(engine, number) for number in range(count // 3)]
    wanted = [answered(engine, plain(one)) for one in cases]
    for one, answer in zip(cases, wanted, strict=True):
        check(answered(engine, one), answer, one)
    with ThreadPoolExecutor(threads) as pool:
        together = list(pool.map(lambda one: answered(engine, one), cases))
    for one, answer, found in zip(cases, wanted, together, strict=True):
        check(found, answer, one)


def test_no_answer_depends_on_it(engine: Engine) -> None:
    compare(engine, 40, 20)


@pytest.mark.parametrize("count", [5, pytest.param(15, marks=pytest.mark.slow)])
def test_no_answer_of_any_kind_of_model_depends_on_it(family: Engine, count: int) -> None:
    compare(family, count, 6)


@pytest.mark.parametrize("count", [4, pytest.param(8, marks=pytest.mark.slow)])
def test_no_answer_whose_passes_are_graphs_depends_on_it(slow: Engine, count: int) -> None:
    compare(slow, count, 4)


@pytest.mark.slow
def test_no_answer_of_the_embedded_model_depends_on_it() -> None:
    with Engine.load("convergio-guide") as guide:
        for threads in (2, 16):
            compare(guide, 120, threads)


def loop(engine: Engine, **options: Any) -> Any:
    """An answer that is one sequence of tokens over and over, as the prompt begins to be."""
    params = SamplingParams(
        temperature=0,
        max_tokens=100,
        ignore_eos=True,
        logit_bias={9: 100.0},
        **options,
    )
    generation = engine.generate([*ids(20), 9, 9, 9], params)
    generation.text()
    return generation.stats


def test_tokens_that_are_drafted_come_without_a_pass_of_their_own(engine: Engine) -> None:
    stats = loop(engine)
    assert 0 < stats.accepted_tokens <= stats.drafted_tokens
    assert stats.output_tokens == 100


def test_nothing_is_drafted_where_it_is_switched_off(engine: Engine) -> None:
    stats = loop(engine, speculate=False)
    assert (stats.drafted_tokens, stats.accepted_tokens) == (0, 0)


def test_it_is_switched_by_true_and_false(engine: Engine) -> None:
    wrong: Any = "no"
    with pytest.raises(InvalidRequestError, match="speculate is 'no', which must be True or False"):
        engine.generate("a", speculate=wrong)


def test_a_draft_ends_where_the_rotary_table_changes(tmp_path: Path) -> None:
    with Engine.load(write_model(tmp_path / "dynamic", described("dynamic"))) as loaded:
        stats = loop(loaded)
        generation = loaded.generate([*ids(70), 9, 9], max_tokens=40, logit_bias={9: 100.0})
        generation.text()
    assert stats.accepted_tokens > 0  # the first of its tokens
    assert generation.stats.drafted_tokens == 0


def test_what_follows_a_drafted_answer_goes_on_from_its_cache(family: Engine) -> None:
    """Rows of tokens that did not come are gone from the cache that the next turn continues."""
    for number in range(6):
        one = repetitive(family, number)
        params = replace(one.params, stop=(), logprobs=0, max_tokens=35)
        first = answered(family, Case(one.prompt, params))
        tokens = [pair[0] for pair in first[0]]
        follow = Case([*one.prompt, *tokens, *ids(5, number)], params)
        reused = answered(family, follow)
        with_other = replace(follow, params=replace(params, speculate=False))
        assert reused == answered(family, with_other)


def test_forced_tokens_with_log_probabilities_are_drafted(engine: Engine) -> None:
    """One pass has the log-probabilities of all that a schema forces."""
    schema = {"type": "object", "properties": {"a_long_name": {"enum": ["and_a_long_value"]}}}
    schema |= {"required": ["a_long_name"], "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "form", "schema": schema}}
    messages = [{"role": "user", "content": "Go."}]
    found = []
    for speculate in (True, False):
        params = SamplingParams(logprobs=3, speculate=speculate, max_tokens=200)
        response = engine.stream(messages, params, response_format=form).response()
        assert json.loads(response.text) == {"a_long_name": "and_a_long_value"}
        found.append((response.text, response.logprobs, response.finish_reason))
        drafted = response.stats.drafted_tokens
        assert (drafted > 10) == speculate
    assert found[0] == found[1]


def test_a_constraint_is_told_of_tokens_that_came_alone(engine: Engine) -> None:
    """A callable learns of each token once, in order, drafted or not, and may end in any place."""
    params = SamplingParams(temperature=0, max_tokens=40, ignore_eos=True, logit_bias={9: 100.0})
    prompt = [*ids(20), 9, 9, 9]

    def told(speculate: bool, until: int) -> tuple[list[int], list[int]]:
        seen: list[int] = []

        def step(accepted: list[int]) -> Any:
            seen.extend(accepted)
            if len(seen) >= until:
                raise ValueError("enough")
            return b"\xff\xff\xff\xff" * (engine.vocab_size // 32)

        generation = engine.generate(prompt, replace(params, speculate=speculate), constraint=step)
        tokens: list[int] = []
        try:
            for chunk in generation:
                tokens += chunk.token_ids
        except ConstraintError:
            pass
        return seen, tokens

    for until in (7, 1000):
        assert told(True, until) == told(False, until)
