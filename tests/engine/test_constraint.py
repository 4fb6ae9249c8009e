"""Answers held to a constraint, and constraints that go wrong."""

import gc
import json
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import llguidance
import numpy as np
import pytest
from small_models import VOCABULARY, config, ids, make_tokenizer

import checkpoints
from convergio_mlx import Engine, SamplingParams
from convergio_mlx.errors import (
    ConstraintError,
    ConvergioError,
    DeadlineExceededError,
    InvalidRequestError,
)

WORDS = (VOCABULARY + 31) // 32
ALL = b"\xff" * (4 * WORDS)


def mask(*tokens: int) -> Any:
    bits = np.zeros(WORDS * 32, np.uint8)
    bits[list(tokens)] = 1
    return np.packbits(bits, bitorder="little").view(np.uint32)


def tokens_of(engine: Engine, prompt: Any, constraint: Any, **options: Any) -> list[int]:
    params = SamplingParams(**{"ignore_eos": True, "max_tokens": 20, **options})
    answer = engine.generate(prompt, params, constraint=constraint)
    return [token for chunk in answer for token in chunk.token_ids]


class Recorder:
    """Gives its steps one after the other, and notes what it is told."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.told: list[list[int]] = []

    def __call__(self, accepted: list[int]) -> Any:
        self.told.append(accepted)
        return self.steps.pop(0) if self.steps else None


SAMPLED = {"temperature": 1.7, "seed": 4}


@pytest.mark.parametrize(
    "options",
    [
        {},
        SAMPLED,
        SAMPLED | {"top_k": 5},
        SAMPLED | {"top_p": 0.3, "min_p": 0.1},
        {"repetition_penalty": 2.0, "logit_bias": {9: 50.0}},
        SAMPLED | {"logprobs": 3},
    ],
)
def test_only_allowed_tokens_are_chosen(engine: Engine, options: dict[str, Any]) -> None:
    allowed = set(ids(12, start=3))
    tokens = tokens_of(engine, ids(30), lambda _: mask(*allowed), max_tokens=40, **options)
    assert len(tokens) == 40
    assert set(tokens) <= allowed
    assert not set(tokens_of(engine, ids(30), None, max_tokens=40, **options)) <= allowed


def test_the_likeliest_of_the_allowed_is_chosen(engine: Engine) -> None:
    prompt, allowed = ids(25), sorted(set(ids(9, start=2)))
    tokens = tokens_of(engine, prompt, lambda _: mask(*allowed))
    rows = np.asarray(engine.logits([*prompt, *tokens]))[len(prompt) - 1 : -1]
    assert tokens == [allowed[int(row[allowed].argmax())] for row in rows]


@pytest.mark.parametrize("options", [{}, SAMPLED, SAMPLED | {"top_k": 9, "top_p": 0.8}])
@pytest.mark.parametrize("spare", [b"", b"\0" * 4])
def test_a_mask_of_all_changes_nothing(
    engine: Engine, options: dict[str, Any], spare: bytes
) -> None:
    expected = tokens_of(engine, ids(20), None, **options)
    assert tokens_of(engine, ids(20), lambda _: ALL + spare, **options) == expected


def test_it_works_beside_a_model_that_takes_a_while(engine: Engine, slow: Engine) -> None:
    for model, beside in ((engine, False), (slow, True)):
        params = SamplingParams(max_tokens=10, ignore_eos=True)
        expected = model.generate(ids(20), params).text()
        answer = model.generate(ids(20), params, constraint=lambda _: ALL)
        assert answer.text() == expected
        assert (answer.stats.mask_wait_seconds < answer.stats.mask_seconds) is beside


def test_it_is_told_each_token_once(engine: Engine) -> None:
    recorder = Recorder(ALL, mask(8), [9, 10], ALL, [11], ALL)
    tokens = tokens_of(engine, ids(20), recorder)
    assert tokens[1:4] == [8, 9, 10]
    assert tokens[5] == 11
    assert len(tokens) == 7
    assert recorder.told == [[], tokens[:1], [8], [9, 10], tokens[4:5], [11], tokens[6:]]


def test_none_ends_the_answer(engine: Engine) -> None:
    for steps in range(3):
        answer = engine.generate(ids(5), constraint=Recorder(*[mask(7)] * steps))
        chunks = list(answer)
        assert [t for chunk in chunks for t in chunk.token_ids] == [7] * steps
        assert chunks[-1].finish_reason == "stop"


@pytest.mark.parametrize("step", [mask(1), [1], [7, 1, 7]])
def test_a_stop_token_ends_the_answer(engine: Engine, step: Any) -> None:
    answer = engine.generate(ids(5), SamplingParams(), constraint=Recorder(step, ALL))
    chunks = list(answer)
    assert chunks[-1].finish_reason == "stop"
    assert 1 not in [t for chunk in chunks for t in chunk.token_ids]


def test_forced_tokens_cost_no_step_and_change_no_other(engine: Engine) -> None:
    forced, rest = [9, 10, 11, 12, 13], 8
    prompt, params = ids(40), SamplingParams(max_tokens=13, ignore_eos=True, **SAMPLED)
    quick = engine.generate(prompt, params, constraint=Recorder(forced, *[ALL] * rest))
    masks = [mask(token) for token in forced]
    slow = engine.generate(prompt, params, constraint=Recorder(*masks, *[ALL] * rest))
    assert quick.text() == slow.text()
    assert (quick.stats.forced_tokens, slow.stats.forced_tokens) == (5, 0)
    assert quick.stats.output_tokens == slow.stats.output_tokens == 13


def test_forced_tokens_end_at_max_tokens(engine: Engine) -> None:
    tokens = tokens_of(engine, ids(5), lambda _: [9] * 400, max_tokens=6)
    assert tokens == [9] * 6


@pytest.mark.slow
def test_more_forced_tokens_than_a_prefill_chunk(slow: Engine) -> None:
    forced = ids(700, start=5)
    tokens = tokens_of(slow, ids(10), Recorder(forced, ALL), max_tokens=701)
    assert tokens[:700] == forced
    assert tokens[700] == tokens_of(slow, [*ids(10), *forced], None, max_tokens=1)[0]


def test_logprobs_are_the_models_own(engine: Engine) -> None:
    prompt, forced = ids(15), [30, 31, 32]
    params = SamplingParams(max_tokens=6, ignore_eos=True, logprobs=2, **SAMPLED)
    steps = Recorder(mask(7, 8), forced, mask(9), mask(*range(20)))
    chunks = list(engine.generate(prompt, params, constraint=steps))
    reported = [one for chunk in chunks for one in chunk.logprobs]
    tokens = [one.token_id for one in reported]
    assert tokens[1:5] == [*forced, 9]
    rows = np.asarray(engine.logits([*prompt, *tokens])).astype(np.float64)[len(prompt) - 1 : -1]
    for row, one in zip(rows, reported, strict=True):
        expected = row - row.max() - np.log(np.exp(row - row.max()).sum())
        assert one.logprob == pytest.approx(expected[one.token_id], abs=1e-3)
        assert one.top[0][1] == pytest.approx(expected.max(), abs=1e-3)


class _Rude:
    def __call__(self, _: list[int]) -> bytes:
        raise ZeroDivisionError("one too many")


LAST = VOCABULARY - 1
FAULTS: list[tuple[Callable[[list[int]], Any], str]] = [
    (
        _Rude(),
        "raised ZeroDivisionError: one too many; the request ends here, the next one works.",
    ),
    (lambda: None, "raised TypeError: {}; the request ends here, the next one works."),
    (
        lambda _: mask(),
        "allows no token; loosen it, or have it return None where the answer may end.",
    ),
    (lambda _: b"", "allows no token; loosen it, or have it return None where the answer may end."),
    (
        lambda _: b"\0" * (4 * WORDS - 1) + b"\x80",
        "allows no token; loosen it, or have it return None where the answer may end.",
    ),
    (
        lambda _: ALL + b"\0\0\0\1",
        f"gave a mask of {4 * WORDS + 4} bytes, but the model's {VOCABULARY} tokens take "
        f"{4 * WORDS} at most; make it with this model's tokenizer.",
    ),
    (
        lambda _: ALL[:-1],
        f"gave a mask of {4 * WORDS - 1} bytes, which is not whole words of 4; pad its last word "
        "with zeros.",
    ),
    (
        lambda _: "abc",
        "returned a str; return a mask (bytes or another buffer), a list of tokens that must "
        "follow, or None to end the answer.",
    ),
    (
        lambda _: [1.5],
        "returned a list; return a mask (bytes or another buffer), a list of tokens that must "
        "follow, or None to end the answer.",
    ),
    (lambda _: [], "forces a list of no tokens; return a mask, or None to end the answer."),
    (lambda _: [7, VOCABULARY], f"forces token {VOCABULARY}, which must be from 0 to {LAST}."),
    (lambda _: [-1], f"forces token -1, which must be from 0 to {LAST}."),
]


@pytest.mark.parametrize(("fault", "sentence"), FAULTS)
@pytest.mark.parametrize("after", [0, 3])
def test_a_bad_constraint_ends_its_request_alone(
    engine: Engine, fault: Callable[[list[int]], Any], sentence: str, after: int
) -> None:
    calls = 0

    def constraint(accepted: list[int]) -> Any:
        nonlocal calls
        calls += 1
        return fault(accepted) if calls > after else ALL

    if "{}" in sentence:
        constraint = fault  # type: ignore[assignment]
        after = 0
    params = SamplingParams(max_tokens=9, ignore_eos=True)
    other = engine.generate(ids(5), params)
    answer = engine.generate(ids(20), params, constraint=constraint)
    tokens: list[int] = []
    with pytest.raises(ConstraintError) as caught:
        tokens.extend(token for chunk in answer for token in chunk.token_ids)
    head, _, tail = f"[constraint] {sentence}".partition("{}")
    assert str(caught.value).startswith(head)
    assert str(caught.value).endswith(tail)
    assert "{}" in sentence or str(caught.value) == head
    assert len(tokens) == after
    assert caught.value.code == "invalid_request"
    other.text()
    assert other.stats.output_tokens == 9


def test_what_is_not_callable_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        engine.generate("a", constraint="[0-9]+")  # type: ignore[arg-type]
    assert str(caught.value) == (
        "[engine] constraint is of type str; give a callable, as convergio_mlx.Constraint "
        "describes it."
    )


def test_a_slow_constraint_is_measured_and_can_be_cancelled(engine: Engine) -> None:
    asked = threading.Event()
    go_on = threading.Event()

    def constraint(_: list[int]) -> bytes:
        asked.set()
        go_on.wait(60)
        return ALL

    params = SamplingParams(max_tokens=5, ignore_eos=True)
    answer = engine.generate(ids(9), params, constraint=constraint)
    asked.wait(60)
    answer.cancel()
    assert list(answer)[-1].finish_reason == "cancelled"
    go_on.set()
    assert 0 <= answer.stats.mask_wait_seconds <= answer.stats.mask_seconds < 60


@pytest.mark.slow
def test_it_is_let_go_of_at_the_end(engine: Engine) -> None:
    class Held:
        """Holds the answer that holds it."""

        answer: Any = None

        def __call__(self, _: list[int]) -> Any:
            return mask(7)

    for ending in ("length", "cancelled", "error"):
        held = Held()
        params = SamplingParams(max_tokens=3, ignore_eos=True)
        held.answer = engine.generate(ids(9), params, constraint=held, timeout=600)
        if ending == "cancelled":
            held.answer.cancel()
        if ending == "error":
            Held.__call__ = lambda *_: b""  # type: ignore[method-assign]
        try:
            held.answer.text()
        except ConvergioError:
            assert ending == "error"
        gone = threading.Event()
        weakref.finalize(held, gone.set)
        held.answer = None
        del held
        for _ in range(500):  # its thread lets go of it after the answer has ended
            gc.collect()
            if gone.wait(0.01):
                break
        assert gone.is_set(), ending


@pytest.mark.parametrize("call", ["generate", "logits", "load"])
def test_a_constraint_that_calls_the_engine_is_told_so(engine: Engine, call: str) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "generate": lambda: engine.generate(ids(3)).text(),
        "logits": lambda: engine.logits(ids(3)),
        "load": lambda: Engine.load(engine.folder),
    }

    def constraint(_: list[int]) -> bytes:
        calls[call]()
        return ALL

    with pytest.raises(ConstraintError) as caught:
        tokens_of(engine, ids(9), constraint)
    assert str(caught.value) == (
        "[constraint] raised InvalidRequestError: [engine] a constraint called the engine while an "
        "answer waits for what it returns; do this before the answer begins, or on another "
        "thread.; the request ends here, the next one works."
    )


def test_a_constraint_that_blocks_is_left_at_the_deadline_and_others_go_on(engine: Engine) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def constraint(_: list[int]) -> bytes:
        entered.set()
        go_on.wait(60)
        return ALL

    expected = engine.generate(ids(20), SamplingParams(max_tokens=9, ignore_eos=True)).text()
    blocked = [engine.generate(ids(9), constraint=constraint, timeout=0.5) for _ in range(9)]
    assert entered.wait(60)
    params = SamplingParams(max_tokens=9, ignore_eos=True)
    assert engine.generate(ids(20), params).text() == expected
    for answer in blocked:
        with pytest.raises(DeadlineExceededError):
            answer.text()
    go_on.set()


def test_a_program_ends_although_a_constraint_blocks(folder: str) -> None:
    code = f"""
import threading
from convergio_mlx import Engine
entered = threading.Event()
def constraint(_):
    entered.set()
    threading.Event().wait()
engine = Engine.load({str(folder)!r})
answer = engine.generate([5, 6, 7], constraint=constraint)
assert entered.wait(60)
print("ended")
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")


class _Claims(Sequence[int]):
    """A sequence that lies about its length, and goes on for ever unless `items` end it."""

    def __init__(self, items: int | None) -> None:
        self.items = items

    def __len__(self) -> int:
        return 1 << 40

    def __getitem__(self, index: Any) -> Any:
        if self.items is not None and index >= self.items:
            raise IndexError
        return 9


def test_a_length_that_is_claimed_is_not_believed(engine: Engine) -> None:
    assert tokens_of(engine, ids(5), lambda _: _Claims(400), max_tokens=6) == [9] * 6
    with pytest.raises(ConstraintError) as caught:
        tokens_of(engine, ids(5), lambda _: _Claims(None))
    assert str(caught.value) == "[constraint] forces more than 1048576 tokens; return fewer."
    with pytest.raises(ConstraintError, match="gave a mask of 134217728 bytes"):
        tokens_of(engine, ids(5), lambda _: bytes(1 << 27))


def test_ids_beyond_the_tokenizer_are_never_chosen(tmp_path: Path) -> None:
    """Here every other logit is of an id that stands for nothing."""
    backend = make_tokenizer()
    known = backend.get_vocab_size()
    checkpoints.write(tmp_path, config(vocab_size=2 * known))
    backend.save(str(tmp_path / "tokenizer.json"))
    with Engine.load(tmp_path) as padded:
        for options in ({}, SAMPLED, SAMPLED | {"top_k": 5, "logprobs": 1}):
            for constraint in (None, lambda _: b"\xff" * (8 * WORDS)):
                tokens = tokens_of(padded, ids(9), constraint, max_tokens=40, **options)
                assert max(tokens) < known


def test_llguidance_gives_json_that_fits_its_schema(engine: Engine) -> None:
    vocabulary = llguidance.LLTokenizer(make_tokenizer().to_str(), n_vocab=VOCABULARY, eos_token=1)
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 8}, "big": {"type": "boolean"}},
        "required": ["name", "big"],
        "additionalProperties": False,
    }
    compact: Any = {"whitespace_flexible": False}

    def constraint() -> Callable[[list[int]], Any]:
        grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, overrides=compact)
        matcher = llguidance.LLMatcher(vocabulary, grammar)

        def step(accepted: list[int]) -> Any:
            assert matcher.consume_tokens(accepted)
            if matcher.is_stopped():
                return None
            return matcher.compute_ff_tokens() or matcher.compute_bitmask()

        return step

    forced = 0
    for seed in range(10):
        params = SamplingParams(temperature=1.0, seed=seed, max_tokens=100)
        answer = engine.generate(ids(9), params, constraint=constraint())
        value = json.loads(answer.text())
        assert isinstance(value["name"], str)
        assert isinstance(value["big"], bool)
        forced += answer.stats.forced_tokens
    assert forced > 100
