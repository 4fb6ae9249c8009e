"""Many callers at once: each gets what it would get alone."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from small_models import ids, make_model

from convergio_mlx import Engine, SamplingParams
from convergio_mlx.errors import InvalidRequestError

Case = tuple[list[int], SamplingParams]


def case(number: int) -> Case:
    """Prompts and options of many kinds; the answer of each is fixed."""
    params = SamplingParams(
        temperature=0.0 if number % 3 == 0 else 1.2,
        top_k=0 if number % 2 else 20,
        top_p=1.0 if number % 5 else 0.9,
        repetition_penalty=1.0 if number % 7 else 1.2,
        seed=number,
        max_tokens=5 + number % 23,
        ignore_eos=True,
    )
    return ids(1 + number * 13 % 90, start=number), params


def tokens_of(engine: Engine, request: Case) -> list[int]:
    prompt, params = request
    return [token for chunk in engine.generate(prompt, params) for token in chunk.token_ids]


@pytest.fixture(scope="module")
def alone(engine: Engine) -> list[list[int]]:
    """The answer of each case with nothing else at work."""
    return [tokens_of(engine, case(number)) for number in range(40)]


def test_eight_threads_get_each_their_own_answer(engine: Engine, alone: list[list[int]]) -> None:
    def work(thread: int) -> None:
        dice = random.Random(thread)
        for _ in range(20):
            number = dice.randrange(40)
            prompt, params = case(number)
            generation = engine.generate(prompt, params)
            stop_after = dice.choice([None, None, 0, 3])
            tokens: list[int] = []
            for chunk in generation:
                tokens += chunk.token_ids
                if stop_after is not None and len(tokens) >= stop_after:
                    generation.cancel()
                reason = chunk.finish_reason
            assert tokens == alone[number][: len(tokens)]
            if stop_after is None:
                assert (tokens, reason) == (alone[number], "length")
            else:
                assert reason in ("cancelled", "length")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def test_a_seeded_answer_is_the_same_among_others(engine: Engine) -> None:
    params = SamplingParams(temperature=1.5, seed=77, max_tokens=60, ignore_eos=True)
    expected = tokens_of(engine, (ids(50), params))
    others = [
        engine.generate(ids(30, start=n), SamplingParams(temperature=1.0, ignore_eos=True))
        for n in range(8)
    ]
    assert tokens_of(engine, (ids(50), params)) == expected
    for other in others:
        other.cancel()


def test_requests_take_turns(tmp_path: Path) -> None:
    """A short request does not wait for the long ones that came before it."""
    tokens = 30_000
    endless = SamplingParams(max_tokens=tokens, ignore_eos=True)
    folder = make_model(tmp_path / "model", max_position_embeddings=tokens + 10)
    with Engine.load(folder) as engine:
        long = [engine.generate(ids(10, start=n), endless) for n in range(4)]
        engine.generate(ids(10), SamplingParams(max_tokens=5, ignore_eos=True)).text()
        for generation in long:
            generation.cancel()
            generation.text()
            assert generation.stats.output_tokens < tokens


def test_several_engines_at_once(engine: Engine, folder: Path, alone: list[list[int]]) -> None:
    def work(number: int) -> None:
        with Engine.load(folder) as own:
            assert tokens_of(own, case(number)) == alone[number]
            assert tokens_of(engine, case(number)) == alone[number]

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(24)))


def test_logits_and_answers_at_once(engine: Engine, alone: list[list[int]]) -> None:
    expected = np.asarray(engine.logits(ids(60)))

    def work(number: int) -> None:
        assert np.array_equal(np.asarray(engine.logits(ids(60))), expected)
        assert tokens_of(engine, case(number)) == alone[number]

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(24)))


def test_an_answer_has_one_reader_at_a_time(slow: Engine) -> None:
    generation = slow.generate(ids(4000), SamplingParams(max_tokens=1))
    errors: list[str] = []

    def read() -> None:
        try:
            next(generation)
        except InvalidRequestError as error:
            errors.append(str(error))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    while len(errors) < 2:
        readers[0].join(0.01)
    generation.cancel()
    for reader in readers:
        reader.join()
    assert (
        errors
        == [
            "[engine] another thread, task or event loop is reading this answer; give each reader "
            "an answer of its own."
        ]
        * 2
    )
