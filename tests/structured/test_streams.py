"""Events of whole requests: forms that are no JSON, the ways an answer ends, threads and tasks."""

import asyncio
import gc
import re
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from random_models import BY_NAME, Speaker, bias, check, params
from schemas import WRITTEN

import vocabularies
from convergio_mlx import Engine, FinishEvent, InferenceError, SamplingParams, TextEvent
from convergio_mlx.chats.tool_prompt import format_for
from convergio_mlx.structured.grammars import grammars_of
from convergio_mlx.text.tokenizer import Tokenizer

ASK = [{"role": "user", "content": "?"}]
NESTED = {"type": "json_schema", "json_schema": {"schema": WRITTEN["nested"]}}
LARK = 'start: item ("," item)* "."\nitem: /[a-f]+/ "=" NUMBER\nNUMBER: /[0-9]{1,3}/'


def seeded(seed: int, **options: Any) -> SamplingParams:
    return SamplingParams(temperature=1.0, seed=seed, max_tokens=400, **options)


@pytest.mark.parametrize("pattern", [r"[a-f]{3}/\d{2}\n?", r"(é|🌍)+ \"\\", r"\w{5}|x{3,4}"])
def test_a_regular_expression_is_matched_whole(engine: Engine, pattern: str) -> None:
    for seed in range(8):
        form = {"type": "regex", "regex": pattern}
        answer = engine.stream(ASK, seeded(seed), response_format=form).response()
        assert answer.finish_reason == "stop"
        assert re.fullmatch(pattern, answer.text)


def test_one_of_several_choices(engine: Engine) -> None:
    choices = ["yes", "yesterday", 'no "🌍" \\', "</s>", "a\nb", " space"]
    form = {"type": "choice", "choice": choices}
    texts = {
        engine.stream(ASK, seeded(seed), response_format=form).response().text for seed in range(40)
    }
    assert texts <= set(choices)
    assert len(texts) > 2


def test_a_grammar(engine: Engine) -> None:
    for seed in range(8):
        form = {"type": "grammar", "grammar": LARK}
        towards = bias(engine, [".", "="])
        answer = engine.stream(
            ASK, seeded(seed, logit_bias=towards), response_format=form
        ).response()
        assert re.fullmatch(r"([a-f]+=\d{1,3},)*[a-f]+=\d{1,3}\.", answer.text)


def test_text_is_any_text(engine: Engine) -> None:
    free = engine.stream(ASK, seeded(1)).response()
    text = engine.stream(ASK, seeded(1), response_format={"type": "text"}).response()
    assert (text.text, text.token_ids) == (free.text, free.token_ids)
    assert free.text == engine.generate(ASK, seeded(1)).text()


def test_a_finish_has_tokens_and_log_probabilities(engine: Engine) -> None:
    options = SamplingParams(**{**vars(params(engine, 1)), "logprobs": 0})
    finish = engine.stream(ASK, options, response_format=NESTED).response()
    assert [one.token_id for one in finish.logprobs] == list(finish.token_ids)
    assert finish.stats.output_tokens == len(finish.token_ids)


def test_what_leaves_no_choice_costs_no_step(engine: Engine) -> None:
    tools = [{"type": "function", "function": {"name": "get_weather"}}]
    stream = engine.stream(ASK, params(engine, 1), tools=tools, tool_choice="required")
    stats = stream.response().stats
    assert stats.forced_tokens > 20
    assert stats.mask_seconds > 0


def test_the_length_ends_a_form(engine: Engine) -> None:
    options = SamplingParams(temperature=1.0, seed=1, max_tokens=5)
    answer = engine.stream(ASK, options, response_format=NESTED).response()
    assert answer.finish_reason == "length"
    assert answer.text.startswith("{")


def test_a_stop_token_ends_a_form_only_where_it_may_end(engine: Engine) -> None:
    brace = engine.tokenizer.token_to_id("}")
    assert brace is not None
    towards = {**bias(engine, ['"', "]"]), brace: 20.0}
    for seed in range(4):
        options = seeded(
            seed, stop_token_ids=[engine.tokenizer.token_to_id(",")], logit_bias=towards
        )
        schema = {"type": "integer", "minimum": 1000, "maximum": 9999}
        form = {"type": "json_schema", "json_schema": {"schema": schema}}
        check(schema, engine.stream(ASK, options, response_format=form).response().text)


def test_cancel(engine: Engine) -> None:
    stream = engine.stream(ASK, SamplingParams(max_tokens=3000, ignore_eos=True))
    assert isinstance(next(stream), TextEvent)
    stream.cancel()
    last = list(stream)[-1]
    assert isinstance(last, FinishEvent)
    assert last.reason == "cancelled"


def test_leaving_the_block_cancels(engine: Engine) -> None:
    with engine.stream(ASK, SamplingParams(max_tokens=3000, ignore_eos=True)) as stream:
        next(stream)
    with pytest.raises(InferenceError):
        stream.response()
    assert list(stream) == []


def test_tasks_and_threads_get_the_same_answers(engine: Engine) -> None:
    wanted = [
        engine.stream(ASK, params(engine, seed), response_format=NESTED).response().text
        for seed in range(12)
    ]

    async def tasks() -> list[str]:
        async def one(seed: int) -> str:
            async with engine.astream(ASK, params(engine, seed), response_format=NESTED) as stream:
                return "".join([e.text async for e in stream if isinstance(e, TextEvent)])

        return await asyncio.gather(*map(one, range(12)))

    assert asyncio.run(tasks()) == wanted
    with ThreadPoolExecutor(6) as pool:
        answers = pool.map(
            lambda seed: engine.stream(
                ASK, params(engine, seed), response_format=NESTED
            ).response(),
            range(12),
        )
        assert [answer.text for answer in answers] == wanted


def test_an_async_answer_is_cancelled(engine: Engine) -> None:
    async def run() -> str:
        stream = engine.astream(ASK, SamplingParams(max_tokens=3000, ignore_eos=True))
        await anext(stream)
        stream.cancel()
        return (await stream.response()).finish_reason

    assert asyncio.run(run()) == "cancelled"


def test_the_table_goes_with_its_tokenizer(speaker: Speaker) -> None:
    tokenizer = Tokenizer.from_folder(speaker("hermes").folder)
    assert grammars_of(tokenizer, ()) is grammars_of(tokenizer, ())
    table = weakref.ref(grammars_of(tokenizer, ()))
    del tokenizer
    gc.collect()
    assert table() is None


def test_a_sentencepiece_answer_keeps_its_first_space() -> None:
    tokenizer = Tokenizer(vocabularies.sentencepiece())
    ids = tokenizer.encode("a", add_special_tokens=False)
    for keeps, text in ((False, "a"), (True, " a")):
        stream = tokenizer.detokenizer(keeps_space=keeps)
        assert "".join(map(stream.add, ids)) + stream.finish() == text


def test_formats_are_found_by_their_marks(speaker: Speaker) -> None:
    for name in BY_NAME:
        assert format_for(speaker(name).tokenizer).name == name


def test_constraints_are_prepared_once(speaker: Speaker) -> None:
    with Engine.load(speaker("llama3").folder) as engine:
        engine.prepare_constraints()
        made = grammars_of(engine.tokenizer, ())
        engine.stream(ASK, seeded(1), response_format=NESTED).response()
        assert grammars_of(engine.tokenizer, ()) is made
