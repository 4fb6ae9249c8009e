"""What a request answers, against the model's own logits."""

import itertools
from typing import Any

import numpy as np
import pytest
from small_models import VOCABULARY, ids

from convergio_mlx import Chunk, Engine, SamplingParams

NEAR = 1e-3
"""Logits computed one token at a time and all at once differ by their rounding."""

Array = np.ndarray[Any, np.dtype[np.float64]]


def logits(engine: Engine, tokens: list[int]) -> Array:
    return np.asarray(engine.logits(tokens)).astype(np.float64)


def answer(engine: Engine, prompt: Any, **options: Any) -> tuple[list[int], str, str | None]:
    chunks = list(engine.generate(prompt, SamplingParams(**options)))
    assert [chunk.finish_reason is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    tokens = [token for chunk in chunks for token in chunk.token_ids]
    return tokens, "".join(chunk.text for chunk in chunks), chunks[-1].finish_reason


def greedy(engine: Engine, prompt: Any, count: int, **options: Any) -> tuple[list[int], str]:
    tokens, text, finish = answer(engine, prompt, max_tokens=count, ignore_eos=True, **options)
    assert (len(tokens), finish) == (count, "length")
    return tokens, text


def expect_each_likeliest(engine: Engine, prompt: list[int], tokens: list[int], edit: Any) -> None:
    """Each token has the highest of the edited logits at its place."""
    rows = logits(engine, [*prompt, *tokens])[len(prompt) - 1 : -1]
    for step, (row, token) in enumerate(zip(rows, tokens, strict=True)):
        edited = edit(row.copy(), tokens[:step])
        assert edited[token] > edited.max() - NEAR, step


@pytest.mark.parametrize("size", [1, 2, 40, 511])
def test_greedy_takes_the_likeliest_token_at_each_step(engine: Engine, size: int) -> None:
    prompt = ids(size)
    count = min(40, engine.context_window - size)
    tokens, _ = greedy(engine, prompt, count)
    expect_each_likeliest(engine, prompt, tokens, lambda row, _: row)


@pytest.mark.slow
def test_a_prompt_of_several_chunks_is_answered_as_one(slow: Engine) -> None:
    prompt = ids(700)
    tokens, _ = greedy(slow, prompt, 3)
    expect_each_likeliest(slow, prompt, tokens, lambda row, _: row)


def test_penalties_and_bias_change_logits_as_they_say(engine: Engine) -> None:
    prompt = ids(20)
    options = {
        "repetition_penalty": 1.3,
        "presence_penalty": 0.4,
        "frequency_penalty": 0.25,
        "logit_bias": {7: 2.5, 11: -100.0, 200: 1.0},
    }
    tokens, _ = greedy(engine, prompt, 60, **options)
    plain, _ = greedy(engine, prompt, 60)
    assert tokens != plain

    def edit(row: Array, before: list[int]) -> Array:
        for token in {*prompt, *before}:
            row[token] = row[token] / 1.3 if row[token] > 0 else row[token] * 1.3
        for token in set(before):
            row[token] -= 0.4 + 0.25 * before.count(token)
        for token, bias in ((7, 2.5), (11, -100.0), (200, 1.0)):
            row[token] += bias
        return row

    expect_each_likeliest(engine, prompt, tokens, edit)


@pytest.mark.parametrize("name", ["repetition_penalty", "presence_penalty", "frequency_penalty"])
def test_each_penalty_alone_makes_answers_repeat_less(engine: Engine, name: str) -> None:
    plain, _ = greedy(engine, ids(8), 80)
    tokens, _ = greedy(engine, ids(8), 80, **{name: 5.0})
    assert len(set(tokens)) > len(set(plain))


def test_bias_alone_decides_where_it_is_large(engine: Engine) -> None:
    tokens, text = greedy(engine, ids(5), 6, logit_bias={ord("k"): 1000})
    assert tokens == [ord("k")] * 6
    assert len(set(text)) == 1


def test_logprobs_are_the_log_softmax_of_the_logits(engine: Engine) -> None:
    prompt = ids(15)
    params = SamplingParams(
        temperature=1.5, seed=3, max_tokens=30, ignore_eos=True, logprobs=5, repetition_penalty=1.5
    )
    chunks = list(engine.generate(prompt, params))
    tokens = [token for chunk in chunks for token in chunk.token_ids]
    reported = [one for chunk in chunks for one in chunk.logprobs]
    assert [one.token_id for one in reported] == tokens
    rows = logits(engine, [*prompt, *tokens])[len(prompt) - 1 : -1]
    for row, one in zip(rows, reported, strict=True):
        expected = row - row.max() - np.log(np.exp(row - row.max()).sum())
        assert one.logprob == pytest.approx(expected[one.token_id], abs=NEAR)
        best = np.sort(expected)[::-1][:5]
        assert [logprob for _, logprob in one.top] == pytest.approx(best, abs=NEAR)
        for token, logprob in one.top:
            assert logprob == pytest.approx(expected[token], abs=NEAR)


def test_logprobs_come_only_where_asked_for_and_change_no_token(engine: Engine) -> None:
    options = {"temperature": 1.0, "seed": 5, "max_tokens": 20}
    chunks = list(engine.generate(ids(9), SamplingParams(**options)))
    assert all(chunk.logprobs == () for chunk in chunks)
    with_none = list(engine.generate(ids(9), SamplingParams(**options, logprobs=0)))
    assert all(one.top == () for chunk in with_none for one in chunk.logprobs)

    def tokens(chunks: list[Chunk]) -> list[int]:
        return [token for chunk in chunks for token in chunk.token_ids]

    assert tokens(with_none) == tokens(chunks)


@pytest.mark.parametrize(
    ("option", "value"), [("top_k", 1), ("top_p", 1e-6), ("min_p", 0.999), ("temperature", 1e-30)]
)
def test_the_narrowest_filter_is_greedy(engine: Engine, option: str, value: float) -> None:
    wide = {"temperature": 3.0, "seed": 1, "max_tokens": 25, "ignore_eos": True}
    tokens, _, _ = answer(engine, ids(6), **(wide | {option: value}))
    assert tokens == greedy(engine, ids(6), 25)[0]
    assert tokens != answer(engine, ids(6), **wide)[0]


def test_sampled_tokens_stay_within_top_k(engine: Engine) -> None:
    prompt = ids(6, start=2)
    options = {"temperature": 2.0, "top_k": 3, "max_tokens": 60, "ignore_eos": True}
    tokens, _, _ = answer(engine, prompt, **options, seed=11)
    rows = logits(engine, [*prompt, *tokens])[len(prompt) - 1 : -1]
    for row, token in zip(rows, tokens, strict=True):
        assert row[token] >= np.sort(row)[-3] - NEAR
    assert len({tuple(answer(engine, prompt, **options, seed=s)[0]) for s in range(5)}) == 5


def test_a_seed_fixes_the_answer_and_no_seed_draws_one(engine: Engine) -> None:
    options = {"temperature": 1.0, "max_tokens": 30, "ignore_eos": True}
    prompt = ids(10)
    assert answer(engine, prompt, **options, seed=-1) == answer(
        engine, prompt, **options, seed=2**64 - 1
    )
    assert answer(engine, prompt, **options, seed=1) != answer(engine, prompt, **options, seed=2)
    assert answer(engine, prompt, **options) != answer(engine, prompt, **options)


def test_numpy_numbers_are_numbers(engine: Engine) -> None:
    options = {"temperature": np.float32(0.5), "top_k": np.int64(3), "seed": np.uint64(9)}
    count = np.int32(8)
    tokens, _, finish = answer(
        engine, np.array(ids(4)), **options, max_tokens=count, ignore_eos=True
    )
    assert (len(tokens), finish) == (8, "length")


def test_stop_tokens_end_the_answer_and_are_no_part_of_it(engine: Engine) -> None:
    tokens, _ = greedy(engine, ids(10), 40)
    stop = tokens[17]
    cut = tokens[: tokens.index(stop)]
    got, text, finish = answer(
        engine, ids(10), max_tokens=40, ignore_eos=True, stop_token_ids=[3, stop]
    )
    assert (got, finish) == (cut, "stop")
    assert text == engine.tokenizer.decode(cut)


def test_a_stop_token_first_gives_an_empty_answer(engine: Engine) -> None:
    first = greedy(engine, ids(10), 1)[0]
    assert answer(engine, ids(10), stop_token_ids=first) == ([], "", "stop")


def test_the_models_own_end_tokens_end_unless_ignored(engine: Engine) -> None:
    bias = {1: 1000}
    assert answer(engine, ids(10), logit_bias=bias, max_tokens=5) == ([], "", "stop")
    tokens, text, finish = answer(engine, ids(10), logit_bias=bias, max_tokens=5, ignore_eos=True)
    assert (tokens, text, finish) == ([1] * 5, "", "length")


def test_the_templates_end_of_turn_ends_chats_and_not_texts(engine: Engine) -> None:
    bias = {engine.tokenizer.token_to_id("<|im_end|>"): 1000}
    chat = [{"role": "user", "content": "hi"}]
    assert answer(engine, chat, logit_bias=bias, max_tokens=3)[2] == "stop"
    assert answer(engine, "hi", logit_bias=bias, max_tokens=3)[2] == "length"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
def test_stop_strings_never_leak(engine: Engine, size: int) -> None:
    tokens, text = greedy(engine, ids(12), 60)
    assert len(text) > 40
    for start in (5, 18, 31):
        stop = text[start : start + size]
        if "\ufffd" in stop:
            continue
        got, shown, finish = answer(
            engine, ids(12), max_tokens=60, ignore_eos=True, stop=["never there", stop]
        )
        assert (shown, finish) == (text[: text.index(stop)], "stop")
        assert tokens[: len(got)] == got
        assert stop in engine.tokenizer.decode(got)


def test_no_chunk_shows_a_part_of_a_stop_string(engine: Engine) -> None:
    _, text = greedy(engine, ids(12), 60)
    stop = text[20:28]
    before = text[: text.index(stop)]
    shown = ""
    params = SamplingParams(max_tokens=60, ignore_eos=True, stop=stop)
    for chunk in engine.generate(ids(12), params):
        shown += chunk.text
        assert before.startswith(shown)
    assert shown == before


def test_what_is_held_for_a_stop_string_comes_with_the_end(engine: Engine) -> None:
    _, text = greedy(engine, ids(12), 30)
    got, shown, finish = answer(
        engine, ids(12), max_tokens=30, ignore_eos=True, stop=text[-3:] + "never"
    )
    assert (shown, finish, len(got)) == (text, "length", 30)


@pytest.mark.slow
def test_many_long_stop_strings_cost_little(engine: Engine) -> None:
    stops = [f"{index}" * 50 for index in range(2000)]
    assert answer(engine, ids(12), max_tokens=10, stop=stops)[0] == greedy(engine, ids(12), 10)[0]


def test_chunks_hold_whole_characters(engine: Engine) -> None:
    # the three bytes of 日, then again and again
    parts = engine.tokenizer.encode("日")
    assert len(parts) == 3
    prompt = parts * 20
    params = SamplingParams(
        max_tokens=30, ignore_eos=True, logit_bias=dict.fromkeys(parts, 50.0), temperature=1.0
    )
    chunks = list(engine.generate(prompt, params))
    tokens = [token for chunk in chunks for token in chunk.token_ids]
    assert "".join(chunk.text for chunk in chunks) == engine.tokenizer.decode(tokens)


def test_a_prompt_may_be_text_ids_or_messages(engine: Engine) -> None:
    tokenizer = engine.tokenizer
    text = "hello"
    assert greedy(engine, text, 20) == greedy(engine, tokenizer.encode(text), 20)
    assert greedy(engine, tuple(tokenizer.encode(text)), 20) == greedy(engine, text, 20)
    messages = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
    rendered = tokenizer.chat_template().render(messages)
    assert greedy(engine, messages, 20) == greedy(
        engine, tokenizer.encode(rendered, add_special_tokens=False), 20
    )


def test_template_variables_reach_the_template(engine: Engine) -> None:
    messages = [{"role": "user", "content": "b"}]
    params = SamplingParams(max_tokens=1)

    def prompt_tokens(**template: Any) -> int:
        with engine.generate(messages, params, chat_template_kwargs=template) as generation:
            generation.text()
            return generation.stats.prompt_tokens

    assert prompt_tokens(voice="zyxwvutsrq") == prompt_tokens() + len("zyxwvutsrq") - len(
        engine.tokenizer.encode("assistant")
    )


def test_without_max_tokens_the_context_window_is_the_limit(engine: Engine) -> None:
    tokens, _, finish = answer(engine, ids(400), ignore_eos=True)
    assert (len(tokens), finish) == (engine.context_window - 400, "length")


def test_the_whole_window_can_be_used(engine: Engine) -> None:
    assert len(greedy(engine, ids(512 - 7), 7)[0]) == 7
    assert len(greedy(engine, ids(1), 511)[0]) == 511


def test_stats_add_up(slow: Engine) -> None:
    generation = slow.generate(ids(600), SamplingParams(max_tokens=5, ignore_eos=True))
    before = generation.stats
    assert (before.prompt_tokens, before.first_token_seconds) == (0, before.tokenize_seconds)
    generation.text()
    stats = generation.stats
    assert (stats.prompt_tokens, stats.output_tokens, stats.cached_tokens) == (600, 5, 0)
    assert 0 < stats.decode_seconds < stats.prefill_seconds
    assert stats.kv_bytes >= 605 * slow.kv_bytes_per_token
    assert stats.prefill_tokens_per_second == pytest.approx(600 / stats.prefill_seconds)
    assert stats.decode_tokens_per_second == pytest.approx(4 / stats.decode_seconds)


def test_tokens_beyond_a_stop_string_are_not_counted(engine: Engine) -> None:
    _, text = greedy(engine, ids(12), 60)
    params = SamplingParams(max_tokens=60, ignore_eos=True, stop=text[10:14])
    generation = engine.generate(ids(12), params)
    tokens = [token for chunk in generation for token in chunk.token_ids]
    assert generation.stats.output_tokens == len(tokens)


def test_generation_config_fills_in_what_is_not_given(own_folder: Any) -> None:
    (own_folder / "generation_config.json").write_text('{"temperature": 2.0, "top_k": 5}')
    with Engine.load(own_folder) as engine:
        options = {"max_tokens": 20, "ignore_eos": True, "seed": 4}
        given = answer(engine, ids(5), temperature=2.0, top_k=5, **options)
        assert answer(engine, ids(5), **options) == given
        assert answer(engine, ids(5), temperature=0, **options) != given


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("{}", (0.0, 0, 1.0, 0.0, 1.0)),
        ('{"do_sample": true}', (1.0, 0, 1.0, 0.0, 1.0)),
        (
            '{"do_sample": false, "temperature": 0.7, "top_p": 0.8, "repetition_penalty": 1.1}',
            (0.0, 0, 1.0, 0.0, 1.1),
        ),
        (
            '{"do_sample": true, "temperature": 0.7, "top_k": 20, "top_p": 0.8, "min_p": null}',
            (0.7, 20, 0.8, 0.0, 1.0),
        ),
        (
            '{"temperature": 0, "top_k": -1, "top_p": 1, "min_p": 0, "repetition_penalty": 0}',
            (0.0, 0, 1.0, 0.0, 1.0),
        ),
        (
            '{"temperature": -1, "top_k": 0, "top_p": 0, "min_p": -1, "repetition_penalty": 1}',
            (0.0, 0, 1.0, 0.0, 1.0),
        ),
        (
            '{"temperature": 1e9, "top_k": 1e12, "top_p": 1.5, "repetition_penalty": 1e-9}',
            (100.0, 0, 1.0, 0.0, 0.01),
        ),
        ('{"do_sample": true, "temperature": null, "top_k": 40.0}', (1.0, 40, 1.0, 0.0, 1.0)),
    ],
)
def test_defaults(config: str, expected: tuple[float, ...]) -> None:
    import json

    params = SamplingParams().with_defaults(json.loads(config))
    names = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
    assert tuple(getattr(params, name) for name in names) == expected


def test_a_filter_that_generation_config_switches_off_fails_no_request(own_folder: Any) -> None:
    off = '{"do_sample": true, "top_k": -1, "top_p": 0, "min_p": null, "repetition_penalty": 0}'
    (own_folder / "generation_config.json").write_text(off)
    with Engine.load(own_folder) as engine:
        options = {"max_tokens": 20, "ignore_eos": True, "seed": 4}
        assert answer(engine, ids(5), **options) == answer(engine, ids(5), temperature=1, **options)


def test_logits_by_chunks_equal_those_at_once(engine: Engine) -> None:
    tokens = ids(100)
    whole = logits(engine, tokens)
    assert whole.shape == (100, VOCABULARY)
    for chunk in (1, 7, 99, 100, 1 << 40):
        assert np.abs(np.asarray(engine.logits(tokens, chunk=chunk)) - whole).max() < NEAR
    shorter = [len(list(group)) for _, group in itertools.groupby(whole.argmax(1))]
    assert len(shorter) > 10  # the model is not constant


def test_sampling_options_are_keywords(engine: Engine) -> None:
    wanted = engine.generate(ids(3), SamplingParams(temperature=0, max_tokens=5)).text()
    assert engine.generate(ids(3), temperature=0, max_tokens=5).text() == wanted
    params = SamplingParams(temperature=0, max_tokens=50)
    assert engine.generate(ids(3), params, max_tokens=5).text() == wanted, "keywords go before"


def test_an_unknown_keyword_is_pythons_own_error(engine: Engine) -> None:
    for call in (engine.generate, engine.agenerate, engine.stream, engine.astream):
        with pytest.raises(TypeError) as caught:
            call([{"role": "user", "content": "a"}], max_token=5)  # type: ignore[call-arg]
        assert str(caught.value) == (
            f"Engine.{call.__name__}() got an unexpected keyword argument 'max_token'"
        )
