"""A draft model changes no answer: tokens, text, finish reason and log-probabilities are those
without it, to the bit, whatever it drafts. Whether it drafts depends on what passes take; these
tests have it draft in each pass, except where they are about that."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from request_cases import ATTENDING, Case, answered, case, check
from small_models import VOCABULARY, config, ids, make_tokenizer, write_model

from arch.variants import tiny
from convergio_mlx import Engine, SamplingParams, memory_use, set_memory_limit
from convergio_mlx.errors import (
    ConstraintError,
    DeadlineExceededError,
    InvalidRequestError,
    ModelNotFoundError,
)
from convergio_mlx.platform.native import native
from own_kernels import needs_own_kernels

pytestmark = needs_own_kernels

QUANTIZED = {"quantization": {"group_size": 32, "bits": 4}}
PLAIN = SamplingParams(temperature=0.0, max_tokens=40, ignore_eos=True)
FORM = {
    "type": "json_schema",
    "json_schema": {
        "name": "form",
        "schema": {
            "type": "object",
            "properties": {
                "a_long_name": {"enum": ["one_value", "other"]},
                "n": {"type": "integer"},
            },
            "required": ["a_long_name", "n"],
            "additionalProperties": False,
        },
    },
}


def described(name: str, **changes: Any) -> dict[str, Any]:
    base = config() if name == "tiny" else tiny(name)
    return {**base, "vocab_size": VOCABULARY, "eos_token_id": 1, **changes}


def drafting(model: Path, draft: Path, **options: Any) -> Engine:
    """An engine whose draft model drafts in each pass, whatever that costs."""
    loaded = Engine.load(model, draft_model=draft, **options)
    loaded._model.drafts_always = True
    return loaded


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tiny model in few bits: right now and then."""
    return write_model(tmp_path_factory.mktemp("draft") / "rough", described("tiny", **QUANTIZED))


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first of its two layers: hardly ever right."""
    folder = tmp_path_factory.mktemp("draft") / "short"
    return write_model(folder, described("tiny", num_hidden_layers=1))


@pytest.fixture(scope="module")
def drafted(folder: Path, rough: Path) -> Iterator[Engine]:
    with drafting(folder, rough) as loaded:
        yield loaded


def compare(plain: Engine, drafted: Engine, cases: list[Case], threads: int) -> None:
    wanted = [answered(plain, one) for one in cases]
    for one, answer in zip(cases, wanted, strict=True):
        check(answered(drafted, one), answer, one)
    with ThreadPoolExecutor(threads) as pool:
        together = list(pool.map(lambda one: answered(drafted, one), cases))
    for one, answer, found in zip(cases, wanted, together, strict=True):
        check(found, answer, one)


def test_no_answer_depends_on_it(engine: Engine, drafted: Engine) -> None:
    compare(engine, drafted, [case(engine, number) for number in range(100)], 12)


@pytest.mark.parametrize("kind", ["folder", "short"])
def test_no_answer_depends_on_how_good_it_is(
    engine: Engine, folder: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    with drafting(folder, request.getfixturevalue(kind)) as loaded:
        compare(engine, loaded, [case(engine, number) for number in range(200, 240)], 8)


@pytest.mark.parametrize("count", [4, pytest.param(12, marks=pytest.mark.slow)])
@pytest.mark.parametrize("family", [*ATTENDING, "gpt_oss"])
def test_no_answer_of_any_kind_of_model_depends_on_it(
    family: str, count: int, tmp_path: Path
) -> None:
    whole = write_model(tmp_path / "whole", described(family))
    with Engine.load(whole) as plain, drafting(whole, whole) as loaded:
        compare(plain, loaded, [case(plain, number) for number in range(300, 300 + count)], 6)


def test_no_answer_whose_rotary_table_changes_depends_on_it(tmp_path: Path) -> None:
    scaling = {"rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}
    whole = write_model(tmp_path / "whole", config(**scaling, max_position_embeddings=64))
    fixed = write_model(tmp_path / "fixed", config())
    cases = [Case(ids(50, n), replace(PLAIN, logprobs=1, seed=n)) for n in range(3)]
    with Engine.load(whole) as plain, drafting(whole, whole) as loaded:
        compare(plain, loaded, cases, 3)
    with Engine.load(fixed) as plain, drafting(fixed, whole) as loaded:
        compare(plain, loaded, cases, 3)


@pytest.mark.slow
def test_no_answer_of_the_embedded_model_depends_on_it() -> None:
    with Engine.load("convergio-guide") as plain, drafting(plain.folder, plain.folder) as loaded:
        compare(plain, loaded, [case(plain, number) for number in range(200)], 16)


@pytest.mark.slow
@pytest.mark.parametrize("draft", ["rough", "short"])
def test_hundreds_of_answers_depend_on_no_draft(
    engine: Engine, folder: Path, draft: str, request: pytest.FixtureRequest
) -> None:
    with drafting(folder, request.getfixturevalue(draft)) as loaded:
        compare(engine, loaded, [case(engine, number) for number in range(400, 800)], 24)


@pytest.mark.parametrize("temperature", [0.0, 0.8, 2.0])
def test_a_model_that_drafts_for_itself_is_always_right(folder: Path, temperature: float) -> None:
    """At each place both draw with the same random number, under the same penalties."""
    params = SamplingParams(
        temperature=temperature, max_tokens=60, ignore_eos=True, seed=4, frequency_penalty=0.3
    )
    with drafting(folder, folder) as loaded:
        generation = loaded.generate(ids(30), params)
        generation.text()
    stats = generation.stats
    assert stats.output_tokens == 60
    assert stats.accepted_tokens == stats.drafted_tokens > 40


def test_a_rough_copy_is_right_now_and_then(drafted: Engine) -> None:
    sums = [0, 0]
    for seed in range(8):
        generation = drafted.generate(ids(30, seed), PLAIN, temperature=0.7, seed=seed)
        generation.text()
        sums[0] += generation.stats.accepted_tokens
        sums[1] += generation.stats.drafted_tokens
        assert generation.stats.draft_seconds > 0
    assert 0 < sums[0] < sums[1]


def test_it_drafts_within_a_grammar(folder: Path) -> None:
    """What the schema forces is drafted too, and needs no pass of the draft model."""
    messages = [{"role": "user", "content": "Go."}]
    params = SamplingParams(max_tokens=200, logprobs=2, temperature=0.9, seed=3)
    with Engine.load(folder) as plain, drafting(folder, folder) as loaded:
        wanted = plain.stream(messages, params, response_format=FORM).response()
        found = loaded.stream(messages, params, response_format=FORM).response()
    json.loads(found.text)
    assert (found.text, found.logprobs) == (wanted.text, wanted.logprobs)
    assert found.stats.accepted_tokens > wanted.stats.accepted_tokens
    assert found.stats.accepted_tokens > 0.8 * found.stats.drafted_tokens


def test_nothing_is_drafted_where_speculation_is_switched_off(drafted: Engine) -> None:
    generation = drafted.generate(ids(20), PLAIN, speculate=False)
    generation.text()
    assert generation.stats.drafted_tokens == 0


def test_its_cache_counts_and_is_used_again(folder: Path) -> None:
    """A second turn goes on from what both models have read."""
    with Engine.load(folder) as plain, drafting(folder, folder) as loaded:
        prompt = ids(200)
        for engine in (plain, loaded):
            engine.generate(prompt, PLAIN).text()
        both, alone = loaded.prefix_cache_stats, plain.prefix_cache_stats
        assert both.sequences == alone.sequences
        assert both.bytes > 1.5 * alone.bytes
        first, second = (loaded.generate([*prompt, *ids(9, n)], PLAIN) for n in range(2))
        assert first.text() == plain.generate([*prompt, *ids(9, 0)], PLAIN).text()
        assert second.text() == plain.generate([*prompt, *ids(9, 1)], PLAIN).text()
        assert first.stats.cached_tokens >= 200
        assert first.stats.kv_bytes > 0


def test_requests_end_as_they_do_without_it(slow_folder: Path, tmp_path: Path) -> None:
    """Cancelled, or past their deadline, with others at work."""
    small = write_model(tmp_path / "small", config(max_position_embeddings=1 << 15))
    with drafting(slow_folder, small) as loaded:
        others = [loaded.generate(ids(30, n), PLAIN) for n in range(3)]
        cancelled = loaded.generate(ids(30, 7), PLAIN, max_tokens=4000)
        next(iter(cancelled))
        cancelled.cancel()
        with pytest.raises(DeadlineExceededError):
            loaded.generate(ids(30, 8), PLAIN, max_tokens=4000, timeout=0.05).text()
        assert list(cancelled)[-1].finish_reason == "cancelled"
        texts = [one.text() for one in others]
    with Engine.load(slow_folder) as plain:
        assert texts == [plain.generate(ids(30, n), PLAIN).text() for n in range(3)]


def check_undrafted(loaded: Engine, plain: Engine, prompt: list[int]) -> None:
    """The answer is there, and its draft model has no cache."""
    found, wanted = loaded.generate(prompt, PLAIN), plain.generate(prompt, PLAIN)
    assert found.text() == wanted.text()
    assert found.stats.kv_bytes == wanted.stats.kv_bytes


def test_a_damaged_draft_model_drafts_no_more(tmp_path: Path, folder: Path) -> None:
    """Its file is cut off under way: the requests go on without it."""
    draft = write_model(tmp_path / "cut", described("tiny", hidden_size=256))
    with Engine.load(folder) as plain, drafting(folder, draft) as loaded:
        begun = loaded.generate(ids(20), PLAIN, max_tokens=400)
        chunks = iter(begun)
        next(chunks)
        file = next(draft.glob("*.safetensors"))
        with file.open("r+b") as opened:
            opened.truncate(file.stat().st_size // 2)
        tokens = [token for chunk in chunks for token in chunk.token_ids]
        wanted = plain.generate(ids(20), PLAIN, max_tokens=400)
        assert [t for chunk in wanted for t in chunk.token_ids][-len(tokens) :] == tokens
        check_undrafted(loaded, plain, ids(20, 3))


def test_there_is_no_memory_for_a_draft_model(folder: Path, tmp_path: Path) -> None:
    """Its cache takes far more than the model's own: requests go on without drafts, and where there
    is memory again the next ones have them."""
    sizes = {"num_attention_heads": 32, "num_key_value_heads": 32}
    large = write_model(tmp_path / "large", config(**sizes, head_dim=64))
    with Engine.load(folder, prefix_cache_bytes=0) as plain:
        wanted = plain.generate(ids(200), PLAIN).text()
    with drafting(folder, large, prefix_cache_bytes=0) as loaded:
        use = memory_use()
        set_memory_limit(use.weights + use.active + 2_000_000)
        try:
            begun = [loaded.generate(ids(200), PLAIN) for _ in range(3)]
            assert [one.text() for one in begun] == [wanted] * 3
            assert max(one.stats.kv_bytes for one in begun) < 2_000_000
        finally:
            set_memory_limit(None)
        later = loaded.generate(ids(200), PLAIN)
        assert later.text() == wanted
        assert later.stats.kv_bytes > 2_000_000


def native_request(prompt: list[int], constraint: Any, **options: Any) -> Any:
    sampling = {
        "temperature": 0.0,
        "top_k": 0,
        "top_p": 1.0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "logit_bias": [],
        "seed": 0,
        "logprobs": None,
    }
    return native().Request(
        prompt,
        max_tokens=200,
        stop_tokens=[],
        timeout=None,
        prefill_chunk=64,
        constraint=constraint,
        **{**sampling, **options},
    )


def test_a_constraint_that_fails_in_a_pass_with_drafts_leaves_others_their_rows(
    folder: Path,
) -> None:
    """It fails while a pass is computed that has drafted rows of its request and of others."""
    params = replace(PLAIN, temperature=0.8, seed=5, max_tokens=60, logprobs=1)
    prompts = [ids(20, start=n) for n in range(6)]
    everything = b"\xff\xff\xff\xff" * ((VOCABULARY + 31) // 32)

    def tokens(engine: Engine, prompt: list[int]) -> list[Any]:
        return [one for chunk in engine.generate(prompt, params) for one in chunk.logprobs]

    def broken(_: list[int]) -> Any:
        raise ValueError("broken")

    def fails(engine: Engine, number: int) -> None:
        host = native().HostConstraint()
        request = native_request(ids(9, start=40 + number), host)
        engine._model.submit(request)
        seen = 0
        while seen < 1 + number:
            accepted = host.take()
            host.answer(lambda _: everything, accepted, VOCABULARY)
            seen += len(request.next(60.0).tokens)
        host.answer(broken, [], VOCABULARY)
        update = request.next(60.0)
        while update.finish is None:
            update = request.next(60.0)
        with pytest.raises(ConstraintError, match="broken"):
            update.raise_error()

    with Engine.load(folder) as plain:
        alone = [tokens(plain, prompt) for prompt in prompts]
    with drafting(folder, folder) as loaded, ThreadPoolExecutor(12) as pool:
        for _ in range(3):
            failing = [pool.submit(fails, loaded, number) for number in range(6)]
            assert list(pool.map(lambda prompt: tokens(loaded, prompt), prompts)) == alone
            for one in failing:
                one.result()


def test_a_draft_of_another_vocabulary_is_refused(folder: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other", config())
    backend = json.loads(make_tokenizer().to_str())
    vocabulary = backend["model"]["vocab"]
    first, second = list(vocabulary)[20:22]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    (other / "tokenizer.json").write_text(json.dumps(backend))
    with pytest.raises(InvalidRequestError) as caught:
        Engine.load(folder, draft_model=other)
    assert str(caught.value) == (
        f"[engine] 'other' cannot draft for 'tiny': 2 of its {VOCABULARY} tokens differ, the first "
        f"is 20, which is {first!r} and {second!r} in the draft model; give a smaller model with "
        "the same tokenizer, or leave draft_model out."
    )


def test_one_that_could_draft_is_named_though_another_is_damaged(
    folder: Path, rough: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "models" / "mlx"
    for name in ("a-damaged-one", "small", "z-damaged-one"):
        shutil.copytree(rough, installed / name)
        if name != "small":
            (installed / name / "config.json").write_text('{"model_type": "none"}')
    monkeypatch.setenv("CONVERGIO_HOME", str(tmp_path))
    with pytest.raises(InvalidRequestError) as caught:
        Engine.load(folder, draft_model="convergio-guide")
    assert str(caught.value).endswith(
        "; give a smaller model with the same tokenizer, such as 'small', which is installed."
    )


def test_tokens_that_it_lacks_are_not_drafted(folder: Path, tmp_path: Path) -> None:
    """A prompt has an id that the draft model has no row for; the model has one more."""
    wide = write_model(tmp_path / "wide", config(vocab_size=VOCABULARY + 8))
    with Engine.load(wide) as plain, drafting(wide, folder) as loaded:
        for prompt in ([*ids(9), VOCABULARY + 3, *ids(9)], ids(25)):
            assert loaded.generate(prompt, PLAIN).text() == plain.generate(prompt, PLAIN).text()


def test_its_window_ends_its_drafts(folder: Path, tmp_path: Path) -> None:
    narrow = write_model(tmp_path / "narrow", config(max_position_embeddings=48))
    with Engine.load(folder) as plain, drafting(folder, narrow) as loaded:
        generation = loaded.generate(ids(40), PLAIN)
        assert generation.text() == plain.generate(ids(40), PLAIN).text()
        assert generation.stats.drafted_tokens > 0
        check_undrafted(loaded, plain, ids(60))


def test_models_that_cannot_go_back_neither_draft_nor_are_drafted_for(
    folder: Path, tmp_path: Path
) -> None:
    described = {**tiny("lfm2"), "vocab_size": VOCABULARY, "eos_token_id": 1}
    recurrent = write_model(tmp_path / "lfm2", described)
    for model, draft, which in (
        (folder, recurrent, "the draft model"),
        (recurrent, folder, "the model"),
    ):
        with pytest.raises(InvalidRequestError) as caught:
            Engine.load(model, draft_model=draft)
        assert str(caught.value) == (
            f"[engine] {which} ('lfm2') has layers with states, which cannot go back behind a "
            "draft that does not come; draft with models whose layers attend alone, or leave "
            "draft_model out."
        )


def test_a_draft_model_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="there is no model 'nowhere'"):
        Engine.load(folder, draft_model="nowhere")


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes far longer than its draft model."""
    sizes = {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 24}
    return write_model(tmp_path_factory.mktemp("draft") / "deep", config(**sizes), "F16")


def test_one_that_is_wrong_falls_silent(deep: Path, short: Path) -> None:
    """Random weights agree on next to nothing: a few drafts show that, and then there are few."""
    with Engine.load(deep, draft_model=short) as loaded:
        generation = loaded.generate(ids(40), PLAIN, max_tokens=400, temperature=1.0, seed=1)
        generation.text()
        stats = generation.stats
    assert stats.accepted_tokens <= stats.drafted_tokens < 400


def test_answers_from_many_threads_while_one_loads(folder: Path, rough: Path) -> None:
    wanted: dict[int, str] = {}
    with Engine.load(folder) as plain:
        for n in range(6):
            wanted[n] = plain.generate(ids(20, n), PLAIN).text()
    go = threading.Barrier(6)

    def ask(n: int) -> str:
        go.wait()
        with drafting(folder, rough) as loaded:
            return loaded.generate(ids(20, n), PLAIN).text()

    with ThreadPoolExecutor(6) as pool:
        assert dict(enumerate(pool.map(ask, range(6)))) == wanted
