"""Models whose states cannot go back: what is reused of earlier prompts, from which snapshots, and
that it changes no answer."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from small_models import VOCABULARY, ids, write_model

from arch.variants import tiny
from convergio_mlx import Engine, SamplingParams
from convergio_mlx.platform.native import native
from engine.test_prefix_cache import answered, logprobs_of, miss

FAMILIES = ("lfm2", "qwen3_5")
EVERY = 2048
"""Tokens of a prompt between two snapshots (kSnapshotEvery)."""
TEMPERATURES = (0.0, 0.7, 1.0, 1.2)


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    described = {**tiny(request.param), "vocab_size": VOCABULARY, "eos_token_id": 1}
    described["max_position_embeddings"] = 1 << 15
    return write_model(tmp_path_factory.mktemp("recurrent") / request.param, described)


@pytest.fixture
def engine(folder: Path) -> Iterator[Engine]:
    with Engine.load(folder, prefix_cache_bytes=1 << 30) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def fresh(folder: Path) -> Iterator[Engine]:
    with Engine.load(folder, prefix_cache_bytes=0) as loaded:
        yield loaded


def converse(engine: Engine, dice: random.Random, params: SamplingParams) -> list[str]:
    """The answers of three turns."""
    messages: list[dict[str, str]] = []
    said = []
    for _ in range(3):
        question = "".join(dice.choice("abcdefghij ") for _ in range(dice.randrange(3, 60)))
        messages.append({"role": "user", "content": question})
        said.append(engine.generate(messages, params, seed=dice.randrange(1 << 30)).text())
        messages.append({"role": "assistant", "content": said[-1]})
    return said


@pytest.mark.parametrize(
    "each", [2, pytest.param(20, marks=pytest.mark.slow)], ids=["few", "eighty"]
)
def test_conversations_say_the_same_with_and_without(
    engine: Engine, fresh: Engine, each: int
) -> None:
    for temperature in TEMPERATURES:
        params = SamplingParams(max_tokens=24, temperature=temperature)
        for number in range(each):
            found, wanted = (
                converse(one, random.Random(number), params) for one in (engine, fresh)
            )
            assert found == wanted, (temperature, number)
    assert engine.prefix_cache_stats.snapshots > 0


def test_a_second_turn_prefills_its_new_tokens_alone(engine: Engine, fresh: Engine) -> None:
    first = ids(1990, start=5)
    told, _ = answered(engine, first, 11)
    second = [*first, *told, *ids(40, start=9)]
    tokens, stats = answered(engine, second)
    assert miss(stats) == (2000, "", 2000)
    assert tokens == answered(fresh, second)[0]


def test_a_prompt_again_lacks_its_last_token(engine: Engine, fresh: Engine) -> None:
    prompt = ids(120, start=2)
    params = SamplingParams(temperature=1.1, seed=3, max_tokens=30, logprobs=2, ignore_eos=True)
    wanted = logprobs_of(fresh.generate(prompt, params))
    for cached in (0, 119, 119):
        generation = engine.generate(prompt, params)
        assert logprobs_of(generation) == wanted
        assert generation.stats.cached_tokens == cached


def test_what_a_template_ends_a_prompt_with_may_be_gone_in_the_next_turn(engine: Engine) -> None:
    question, opening = ids(200, start=4), ids(6, start=40)
    told, _ = answered(engine, [*question, *opening], 30)
    _, stats = answered(engine, [*question, *told, *ids(20, start=5)])
    assert miss(stats) == (206 - 1 - 16, "no snapshot", 200)


def test_an_early_edit_goes_back_to_the_snapshot_before_it(engine: Engine, fresh: Engine) -> None:
    prompt = ids(2 * EVERY + 1500)
    answered(engine, prompt, 3)
    found = []
    for start in (1, 2):
        edited = [*prompt[:3000], *ids(40, start=start)]
        tokens, stats = answered(engine, edited, 8)
        found.append(miss(stats))
        assert tokens == answered(fresh, edited, 8)[0]
    # the second finds that of the place where the first went another way
    assert found == [(EVERY, "no snapshot", 3000), (3000, "diverged", 3000)]
    later = [*prompt[: 2 * EVERY + 700], *ids(9, start=4)]
    assert miss(answered(engine, later, 1)[1]) == (
        2 * EVERY,
        "no snapshot",
        2 * EVERY + 700,
    )


def test_the_end_of_each_answer_can_be_gone_back_to(engine: Engine, fresh: Engine) -> None:
    prompt, ends = ids(40, start=8), []
    for turn in range(4):
        told, _ = answered(engine, prompt, 20)
        ends.append([*prompt, *told[:-1]])  # the last one is never run
        prompt = [*prompt, *told, *ids(20, start=turn)]
    for end in ends:
        other = [*end, *ids(30, start=21)]
        tokens, stats = answered(engine, other, 12)
        assert stats.cached_tokens == len(end)
        assert tokens == answered(fresh, other, 12)[0]


def test_what_prompts_share_is_noted_at_its_first_miss(engine: Engine, fresh: Engine) -> None:
    shared = ids(300, start=6)
    found = []
    for n in range(1, 4):
        prompt = [*shared, *ids(50, start=n)]
        tokens, stats = answered(engine, prompt, 12)
        assert tokens == answered(fresh, prompt, 12)[0]
        found.append(miss(stats))
    assert found == [(0, "empty", 0), (0, "no snapshot", 300), (300, "diverged", 300)]


def test_snapshots_are_bounded_in_bytes_and_shown(folder: Path, fresh: Engine) -> None:
    with Engine.load(folder, prefix_cache_bytes=1 << 30) as engine:
        one = engine.state_bytes
        answered(engine, ids(5 * EVERY), 2)
        stats = engine.prefix_cache_stats
        assert stats.snapshots == 6  # each so many, before the last token and before the tail
        assert stats.snapshot_bytes == 6 * one
        assert stats.sequences == 1
        room = stats.bytes - stats.snapshot_bytes
    with Engine.load(folder, prefix_cache_bytes=room + 2 * one) as engine:
        answered(engine, ids(5 * EVERY), 2)
        stats = engine.prefix_cache_stats
        assert (stats.sequences, stats.snapshots) == (1, 2)
        assert stats.bytes <= room + 2 * one
        # the first and the newest stay
        edited = [*ids(3 * EVERY), 9, 8, 7]
        tokens, after = answered(engine, edited, 6)
        assert miss(after) == (EVERY, "no snapshot", 3 * EVERY)
        assert tokens == answered(fresh, edited, 6)[0]


def test_nothing_is_kept_where_it_is_switched_off(fresh: Engine) -> None:
    for _ in range(2):
        assert miss(answered(fresh, ids(60), 2)[1]) == (0, "off", 0)
    stats = fresh.prefix_cache_stats
    assert (stats.sequences, stats.snapshots, stats.bytes) == (0, 0, 0)


def test_several_at_once_answer_as_alone(engine: Engine, fresh: Engine) -> None:
    """Prompts that begin alike, of many lengths, some continued, while others run."""
    shared = ids(90, start=13)
    prompts = [[*shared[: 10 + 20 * (n % 5)], *ids(5 + 11 * (n % 7), start=n)] for n in range(16)]

    def ask(one: Engine, number: int) -> list[int]:
        params = {"temperature": 1.0, "seed": number}
        return answered(one, prompts[number], 5 + number, **params)[0]

    alone = [ask(fresh, number) for number in range(16)]

    def work(thread: int) -> None:
        dice = random.Random(thread)
        for _ in range(8):
            number = dice.randrange(16)
            assert ask(engine, number) == alone[number]

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))


def test_a_cancelled_prefill_is_gone_on_from(engine: Engine, fresh: Engine) -> None:
    """Each layer is a chance to end it, and a chunk that was not done leaves nothing."""
    cached, start = 0, 30
    while not 0 < cached < 2999:  # as far as it came, however fast the machine is
        start += 1
        prompt = ids(3000, start=start)
        request = native().Request(
            prompt, max_tokens=1, stop_tokens=[], timeout=None, prefill_chunk=8, temperature=0.0,
            top_k=0, top_p=1.0, min_p=0.0, repetition_penalty=1.0, presence_penalty=0.0,
            frequency_penalty=0.0, logit_bias=[], seed=0, logprobs=None,
        )  # fmt: skip
        engine._model.submit(request)
        for _ in range(3):
            answered(engine, ids(3), 1)  # takes turns with it
        request.cancel()
        while request.next().finish is None:
            pass
        tokens, stats = answered(engine, prompt, 6)
        cached = stats.cached_tokens
        assert tokens == answered(fresh, prompt, 6)[0]


def test_waiting_for_room_counts_states_and_snapshots(folder: Path) -> None:
    """What a request reserves: a sequence's states, and the snapshots that it may take."""
    params: dict[str, Any] = {"max_tokens": 64, "ignore_eos": True}
    reserved = []
    for limit in (0, 1 << 30):
        with Engine.load(folder, prefix_cache_bytes=limit) as engine:
            one = engine.state_bytes
            generation = engine.generate(ids(2 * EVERY), **params)
            while (stats := engine.queue_stats).running == 0:
                pass
            reserved.append(stats.reserved_bytes)
            generation.text()
    assert reserved[0] >= one
    # as the other, with the room behind a prompt for a next turn
    assert reserved[1] - reserved[0] >= 5 * one
