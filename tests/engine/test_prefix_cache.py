"""What is kept of finished requests, and that going on from it changes no answer."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from small_models import ids, make_model

import checkpoints
from arch.variants import VARIANTS, Variant
from convergio_mlx import Engine, SamplingParams
from convergio_mlx.errors import DeadlineExceededError, InvalidRequestError
from convergio_mlx.platform.native import native

PLENTY = 1 << 30
LESS = ("trimmed", "no snapshot", "other rotary table")
"""Why a cached sequence gives less than a prompt shares with it."""


@dataclass
class Answer:
    tokens: list[int]
    cached: int
    miss: str
    missed_at: int


def ask(model: Any, prompt: list[int], count: int, chunk: int = 512) -> Answer:
    """A greedy answer, by the native module: these models have no tokenizer."""
    request = native().Request(
        prompt,
        max_tokens=count,
        stop_tokens=[],
        timeout=None,
        prefill_chunk=chunk,
        temperature=0.0,
        top_k=0,
        top_p=1.0,
        min_p=0.0,
        repetition_penalty=1.0,
        presence_penalty=0.0,
        frequency_penalty=0.0,
        logit_bias=[],
        seed=0,
        logprobs=None,
    )
    model.submit(request)
    tokens: list[int] = []
    while True:
        news = request.next()
        tokens += news.tokens
        if news.finish is not None:
            news.raise_error()
            stats = news.stats
            return Answer(tokens, stats.cached_tokens, stats.prefix_miss, stats.prefix_missed_at)


def conversation(model: Any, tokens: list[int], chunk: int) -> list[Answer]:
    """A first turn, its second, the first again, another end of it, and its third turn."""
    first = tokens[:14]
    answers = [ask(model, first, 9, chunk)]
    second = [*first, *answers[0].tokens, *tokens[14:18]]
    answers += [ask(model, second, 8, chunk), ask(model, first, 9, chunk)]
    answers += [ask(model, [*first[:10], *tokens[20:23]], 9, chunk)]
    third = [*second, *answers[1].tokens, *tokens[18:20]]
    return [*answers, ask(model, third, 8, chunk)]


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda one: one.name)
def test_answers_are_the_same_with_and_without(variant: Variant, tmp_path: Path) -> None:
    checkpoints.write(tmp_path, variant.config, "F32")
    tokens = checkpoints.tokens(variant.config, 24)
    folder = str(tmp_path).encode()
    without = conversation(native().load(folder, 0), tokens, 512)
    assert [one.cached for one in without] == [0] * 5
    assert {one.miss for one in without} == {"off"}
    for chunk in (512, 3):
        answers = conversation(native().load(folder, PLENTY), tokens, chunk)
        assert [one.tokens for one in answers] == [one.tokens for one in without]
        # all that is in the cache, and all but the last token of a prompt
        went_on = [0, 22, 13, 10, 34]
        for one, most in zip(answers, went_on, strict=True):
            assert one.cached == most or one.miss in LESS, answers


@pytest.fixture
def own(folder: Path) -> Any:
    with Engine.load(folder, prefix_cache_bytes=PLENTY) as engine:
        yield engine


@pytest.fixture(scope="module")
def slow(slow_folder: Path) -> Iterator[Engine]:
    with Engine.load(slow_folder, prefix_cache_bytes=PLENTY) as engine:
        yield engine


def answered(engine: Engine, prompt: Any, count: int = 10, **options: Any) -> tuple[list[int], Any]:
    params = SamplingParams(max_tokens=count, ignore_eos=True, **options)
    generation = engine.generate(prompt, params)
    return [token for chunk in generation for token in chunk.token_ids], generation.stats


def miss(stats: Any) -> tuple[int, str, int]:
    return stats.cached_tokens, stats.prefix_miss, stats.prefix_missed_at


def test_stats_say_what_was_served_and_why_no_more(own: Engine) -> None:
    prompt = ids(60)
    answer, stats = answered(own, prompt)
    assert miss(stats) == (0, "empty", 0)
    second = [*prompt, *answer, *ids(8, start=9)]
    _, stats = answered(own, second)
    assert miss(stats) == (69, "", 69)
    assert stats.prompt_tokens == 78
    _, stats = answered(own, [*prompt[:25], *ids(20, start=8)])
    assert miss(stats) == (25, "diverged", 25)
    _, stats = answered(own, second)
    assert miss(stats) == (77, "", 77)
    _, stats = answered(own, [3, *prompt])
    assert miss(stats) == (0, "diverged", 0)


def test_the_same_again_gives_the_same_to_the_bit(own: Engine) -> None:
    """A prompt's rows are those that running it gives, whatever was cached, in any chunks."""
    params = SamplingParams(temperature=1.3, seed=7, max_tokens=20, ignore_eos=True, logprobs=3)
    for size in (3, 8, 9, 10, 17, 18, 40, 300):
        prompt = ids(size, start=size)
        first, again = (list(own.generate(prompt, params)) for _ in range(2))
        assert logprobs_of(first) == logprobs_of(again)
        answered(own, prompt[: size // 2], 1)
        answered(own, [*prompt, 8, 9, 10], 1)
        assert logprobs_of(own.generate(prompt, params)) == logprobs_of(first)


def logprobs_of(chunks: Any) -> list[Any]:
    return [one for chunk in chunks for one in chunk.logprobs]


def test_messages_go_on_from_their_conversation(own: Engine) -> None:
    messages = [{"role": "user", "content": "abc def ghi"}]
    params = SamplingParams(max_tokens=12, ignore_eos=True)
    first = own.generate(messages, params)
    text = first.text()
    messages += [
        {"role": "assistant", "content": text},
        {"role": "user", "content": "and now?"},
    ]
    second = own.generate(messages, params)
    second.text()
    # at least the first prompt: its answer may be spelt in other tokens
    assert second.stats.cached_tokens >= first.stats.prompt_tokens
    assert first.stats.cached_tokens == 0


def test_nothing_is_kept_where_it_is_switched_off(folder: Path) -> None:
    with Engine.load(folder, prefix_cache_bytes=0) as engine:
        for _ in range(2):
            _, stats = answered(engine, ids(30))
            assert miss(stats) == (0, "off", 0)
        assert (engine.prefix_cache_stats.sequences, engine.prefix_cache_stats.bytes) == (0, 0)


@pytest.mark.parametrize("bad", [-1, 1.5, "1", True, 1 << 63])
def test_a_bound_that_is_none(folder: Path, bad: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        Engine.load(folder, prefix_cache_bytes=bad)
    assert str(caught.value) == (
        f"[engine] prefix_cache_bytes is {bad!r}, which must be a whole number of bytes, 0 to keep "
        "nothing, or None."
    )


def test_the_least_recently_used_goes_first(folder: Path) -> None:
    with Engine.load(folder) as engine:
        answered(engine, ids(100))
        size = engine.prefix_cache_stats.bytes
    assert size >= 109 * engine_bytes(folder)
    with Engine.load(folder, prefix_cache_bytes=2 * size) as engine:
        prompts = [ids(100, start=n) for n in range(3)]
        answered(engine, prompts[0])
        answered(engine, prompts[1])
        assert engine.prefix_cache_stats.sequences == 2
        answered(engine, prompts[0])
        answered(engine, prompts[2])
        assert engine.prefix_cache_stats.sequences == 2
        assert engine.prefix_cache_stats.bytes <= 2 * size
        assert miss(answered(engine, prompts[0])[1]) == (99, "", 99)
        assert miss(answered(engine, prompts[1])[1]) == (0, "evicted", 99)
        # that took the place of the other
        assert miss(answered(engine, prompts[2])[1]) == (0, "evicted", 99)


def engine_bytes(folder: Path) -> int:
    with Engine.load(folder) as engine:
        return engine.kv_bytes_per_token


def test_one_that_is_larger_than_the_bound_is_not_kept(folder: Path) -> None:
    with Engine.load(folder, prefix_cache_bytes=1000) as engine:
        answered(engine, ids(50))
        assert engine.prefix_cache_stats.sequences == 0
        assert miss(answered(engine, ids(50))[1]) == (0, "evicted", 49)


def test_the_same_again_takes_no_more_memory(own: Engine) -> None:
    for _ in range(5):
        answered(own, ids(40))
    assert own.prefix_cache_stats.sequences == 1
    prompt = ids(40)
    for _ in range(4):
        prompt += [*answered(own, prompt)[0], 9, 10]
    assert own.prefix_cache_stats.sequences == 1


@pytest.mark.slow
def test_a_cancelled_request_is_gone_on_from(slow: Engine) -> None:
    prompt = ids(3000, start=77)
    generation = slow.generate(prompt, SamplingParams(max_tokens=1))
    while generation.stats.prompt_tokens == 0:
        answered(slow, ids(4), 1)  # takes turns with it: a chunk is done after this
        generation.cancel()
        assert [chunk.finish_reason for chunk in generation] == ["cancelled"]
    expected = answered_without(slow, prompt[:700])
    tokens, stats = answered(slow, prompt[:700], 3)
    assert stats.cached_tokens in (256, 512, 699)  # whole chunks, however many were done
    assert tokens == expected


def answered_without(engine: Engine, prompt: list[int]) -> list[int]:
    with Engine.load(engine.folder, prefix_cache_bytes=0) as fresh:
        return answered(fresh, prompt, 3)[0]


def test_after_a_deadline_too(own: Engine) -> None:
    def hold(_: list[int]) -> list[int]:
        time.sleep(0.002)
        return [9]

    with pytest.raises(DeadlineExceededError):
        own.generate(ids(90), SamplingParams(), timeout=0.3, constraint=hold).text()
    assert miss(answered(own, ids(90))[1]) == (89, "", 89)


def test_many_at_once_share_a_beginning(folder: Path) -> None:
    beginning = ids(120, start=5)
    prompts = [[*beginning, *ids(1 + n % 17, start=n)] for n in range(48)]
    with Engine.load(folder, prefix_cache_bytes=0) as fresh:
        expected = [answered(fresh, prompt, 3 + n % 20)[0] for n, prompt in enumerate(prompts)]
    with Engine.load(folder, prefix_cache_bytes=1 << 20) as engine:

        def work(thread: int) -> int:
            dice = random.Random(thread)
            cached = 0
            for _ in range(20):
                n = dice.randrange(len(prompts))
                tokens, stats = answered(engine, prompts[n], 3 + n % 20)
                assert tokens == expected[n]
                cached += stats.cached_tokens
            return cached

        with ThreadPoolExecutor(8) as pool:
            cached = sum(pool.map(work, range(8)))
        assert cached > 8 * 20 * 100
        assert engine.prefix_cache_stats.bytes <= 1 << 20


def test_two_go_on_from_one_at_once(slow: Engine) -> None:
    """The second copies from the first, which is still at work on it."""
    prompt = ids(300, start=40)
    params = SamplingParams(max_tokens=60, ignore_eos=True)
    answered(slow, prompt, 1)
    first = slow.generate([*prompt, 7], params)
    next(first)
    second = slow.generate([*prompt, 8], params)
    next(second)
    assert first.stats.cached_tokens == 300
    assert second.stats.cached_tokens == 300
    first.cancel()
    second.cancel()


def window_model(folder: Path) -> Path:
    kinds = ["sliding_attention", "full_attention"]
    return make_model(folder, layer_types=kinds, sliding_window=16, max_position_embeddings=4096)


def test_sliding_layers_go_back_to_the_end_of_a_prompt(tmp_path: Path) -> None:
    folder = window_model(tmp_path / "window")
    with (
        Engine.load(folder) as engine,
        Engine.load(folder, prefix_cache_bytes=0) as fresh,
    ):
        prompt = ids(200)
        answered(engine, prompt, 100)
        _, stats = answered(engine, prompt, 100)
        assert miss(stats) == (199, "", 199)
        other = [*prompt[:195], *ids(30, start=3)]
        tokens, stats = answered(engine, other, 50)
        assert miss(stats) == (195, "diverged", 195)
        assert tokens == answered(fresh, other, 50)[0]


def test_a_shared_beginning_is_noted_at_its_first_miss(tmp_path: Path) -> None:
    folder = window_model(tmp_path / "window")
    with (
        Engine.load(folder) as engine,
        Engine.load(folder, prefix_cache_bytes=0) as fresh,
    ):
        shared = ids(100)
        prompts = [[*shared, *ids(80, start=n)] for n in range(1, 4)]
        found = []
        for prompt in prompts:
            tokens, stats = answered(engine, prompt, 40)
            assert tokens == answered(fresh, prompt, 40)[0]
            found.append(miss(stats))
        assert found == [(0, "empty", 0), (0, "trimmed", 100), (100, "diverged", 100)]


def test_a_conversation_slides_on(tmp_path: Path) -> None:
    folder = window_model(tmp_path / "window")
    with (
        Engine.load(folder) as engine,
        Engine.load(folder, prefix_cache_bytes=0) as fresh,
    ):
        prompt, kept = ids(50), 0
        for turn in range(12):
            tokens, stats = answered(engine, prompt, 40)
            assert tokens == answered(fresh, prompt, 40)[0]
            assert stats.cached_tokens == kept
            kept = len(prompt) + 39
            prompt = [*prompt, *tokens, *ids(9, start=turn)]
        assert engine.prefix_cache_stats.sequences == 1


def test_prefix_caches_go_with_their_engine(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "own", max_position_embeddings=4096)
    before = native().memory()[0]
    engine = Engine.load(folder)
    for n in range(4):
        answered(engine, ids(800, start=n), 2)
    stats = engine.prefix_cache_stats
    assert stats.sequences == 4
    assert native().memory()[0] - before > 4 * 800 * engine.kv_bytes_per_token
    engine.close()
    with Engine.load(folder) as other:
        answered(other, ids(3), 1)
        deadline = time.monotonic() + 60
        while native().memory()[0] - before >= stats.bytes / 2:  # the worker frees the first
            assert time.monotonic() < deadline
            time.sleep(0.01)
