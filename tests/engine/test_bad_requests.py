"""What cannot be honoured is refused with a sentence before any work, and harms nothing."""

import math
from typing import Any

import pytest
from small_models import VOCABULARY, ids

from convergio_mlx import Engine, SamplingParams
from convergio_mlx.errors import ContextLengthError, InvalidRequestError

LAST = VOCABULARY - 1
OUTSIDE = f"[engine] the prompt has token {LAST + 1}, which must be from 0 to {LAST}."
HUGE = 10**400


def must_be(name: str, value: object, wanted: str) -> tuple[dict[str, Any], str]:
    return {name: value}, f"[sampling] {name} is {value!r}, which must be {wanted}."


def number(name: str, low: Any, high: Any, wanted: str) -> list[tuple[dict[str, Any], str]]:
    """Every way in which a number can be wrong."""
    return [
        *(must_be(name, value, "a number") for value in ("1", True, [1.0], 1j)),
        *(must_be(name, value, "a finite number") for value in (math.nan, math.inf, -math.inf)),
        must_be(name, HUGE, "a finite number"),
        *(must_be(name, value, wanted) for value in (low, high, -1e300, 1e300)),
    ]


def integer(name: str, low: int, wanted: str) -> list[tuple[dict[str, Any], str]]:
    whole = "a whole number"
    return [
        *(must_be(name, value, whole) for value in ("1", False, 1.0, math.nan, math.inf, [1])),
        must_be(name, low, wanted),
        *(must_be(name, value, f"{whole} of 31 bits at most") for value in (1 << 31, -(1 << 31))),
    ]


OPTIONS = [
    *number("temperature", -0.5, 100.5, "from 0 (greedy) to 100"),
    *number("top_p", -0.1, 1.0000001, "above 0 and at most 1"),
    must_be("top_p", 0, "above 0 and at most 1"),
    *number("min_p", -1e-09, 1.5, "from 0 to below 1"),
    *number("repetition_penalty", 0.009, 100.5, "from 0.01 to 100"),
    *number("presence_penalty", -100.5, 100.5, "from -100 to 100"),
    *number("frequency_penalty", -100.5, 100.5, "from -100 to 100"),
    *integer("top_k", -1, "0 (all tokens) or more"),
    *integer("logprobs", -1, "from 0 to 100"),
    must_be("logprobs", 101, "from 0 to 100"),
    must_be("presence_penalty", None, "a number"),
    must_be("seed", 1.5, "a whole number"),
    must_be("seed", "abc", "a whole number"),
    must_be("seed", 1 << 64, "a whole number of 64 bits at most"),
    must_be("logit_bias", [1, 2], "a mapping of token ids to numbers"),
    must_be("stop", 5, "a text or a list of texts"),
    must_be("stop", b"a", "a text or a list of texts"),
    *(
        ({"logit_bias": bias}, f"[sampling] {what}, which must be {wanted}.")
        for bias, what, wanted in [
            ({"a": 1.0}, "a token of logit_bias is 'a'", "a whole number"),
            ({-1: 1.0}, "a token of logit_bias is -1", f"from 0 to {LAST}"),
            ({LAST + 1: 1.0}, f"a token of logit_bias is {LAST + 1}", f"from 0 to {LAST}"),
            ({1: math.nan}, "a value of logit_bias is nan", "a finite number"),
            ({1: "x"}, "a value of logit_bias is 'x'", "a number"),
            ({1: -1000.5}, "a value of logit_bias is -1000.5", "from -1000 to 1000"),
        ]
    ),
    *(
        (
            {"stop": stop},
            f"[stop] {bad!r} is not a stop string; give a text of at least one character.",
        )
        for stop, bad in [("", ""), (["a", ""], ""), (["a", 7], 7), ([b"a"], b"a")]
    ),
    *(
        (
            {"max_tokens": value},
            f"[engine] max_tokens is {value!r}; give a whole number of at least 1.",
        )
        for value in (0, -5, 1.0, "8", True, math.nan)
    ),
    (
        {"ignore_eos": "yes"},
        "[engine] ignore_eos is 'yes', which must be True or False.",
    ),
    *(
        ({"stop_token_ids": value}, f"[engine] stop_token_ids {said}")
        for value, said in [
            ([LAST + 1], f"has {LAST + 1}, which must be from 0 to {LAST}."),
            ([-1], f"has -1, which must be from 0 to {LAST}."),
            ([1 << 70], f"has token {1 << 70}, which no vocabulary has; give ids of this one."),
            (["a"], "has 'a', which is not a token id; give whole numbers."),
            ("12", "is of type str; give a list of token ids."),
            (7, "is of type int; give a list of token ids."),
        ]
    ),
]


@pytest.mark.parametrize(("options", "sentence"), OPTIONS, ids=lambda value: str(value)[:40])
def test_bad_options(engine: Engine, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        engine.generate(ids(3), SamplingParams(**options))
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ([], "[engine] the prompt is empty; give it at least one token."),
        ("", "[engine] the prompt is empty; give it at least one token."),
        ((), "[engine] the prompt is empty; give it at least one token."),
        (
            [5, LAST + 1],
            f"[engine] the prompt has token {LAST + 1}, which must be from 0 to {LAST}.",
        ),
        ([-1], f"[engine] the prompt has token -1, which must be from 0 to {LAST}."),
        (
            [1 << 31],
            f"[engine] the prompt has token {1 << 31}, which no vocabulary has; "
            "give ids of this one.",
        ),
        ([1.5], "[engine] the prompt has 1.5, which is not a token id; give whole numbers."),
        ([True], "[engine] the prompt has True, which is not a token id; give whole numbers."),
        (["a"], "[engine] the prompt has 'a', which is not a token id; give whole numbers."),
        (None, "[engine] the prompt is of type NoneType; give a list of token ids."),
        (7, "[engine] the prompt is of type int; give a list of token ids."),
        (b"ab", "[engine] the prompt is of type bytes; give a list of token ids."),
        (
            {"role": "user", "content": "a"},
            "[engine] the prompt is a single dict; give messages as a list of them.",
        ),
        (
            [{"role": "user", "content": "a"}, 3],
            "[messages] messages[1] is of type int; give a dict with 'role' and 'content'.",
        ),
        (
            "a\ud800",
            "[tokenizer] character 1 of the text is half of a surrogate pair ('\\ud800'); "
            "give text that can be written as UTF-8.",
        ),
    ],
    ids=str,
)
def test_bad_prompts(engine: Engine, prompt: Any, sentence: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        engine.generate(prompt, SamplingParams(max_tokens=1))
    assert str(caught.value) == sentence


@pytest.mark.parametrize("timeout", [0, -1, math.nan, math.inf, "1", True, HUGE])
def test_bad_timeouts(engine: Engine, timeout: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        engine.generate(ids(3), timeout=timeout)
    assert str(caught.value) == (
        f"[request] timeout is {timeout!r}, which must be a number of seconds above 0 and at most "
        "1000000000; give None for none."
    )


@pytest.mark.parametrize(
    ("size", "max_tokens", "sentence"),
    [
        (
            500,
            13,
            "a prompt of 500 tokens and max_tokens of 13 exceed the context window of 512 "
            "tokens; shorten the prompt or lower max_tokens.",
        ),
        (
            512,
            None,
            "a prompt of 512 tokens and max_tokens of 1 exceed the context window of 512 "
            "tokens; shorten the prompt or lower max_tokens.",
        ),
        (
            513,
            1,
            "a prompt of 513 tokens exceeds the context window of 512 tokens; shorten the prompt.",
        ),
        (
            1,
            1 << 40,
            f"max_tokens is {1 << 40}, which exceeds every context window; give fewer, "
            "or None for what the window leaves.",
        ),
    ],
)
def test_context_overflow(engine: Engine, size: int, max_tokens: int | None, sentence: str) -> None:
    with pytest.raises(ContextLengthError) as caught:
        engine.generate(ids(size), SamplingParams(max_tokens=max_tokens))
    assert str(caught.value) == f"[engine] {sentence}"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"params": {"top_k": 1}},
            "[sampling] params is of type dict; give SamplingParams or None.",
        ),
        (
            {"tools": [{"name": "f"}]},
            "[engine] tools and template variables need messages; give the prompt as a list of "
            "messages.",
        ),
        (
            {"chat_template_kwargs": {"a": 1}},
            "[engine] tools and template variables need messages; give the prompt as a list of "
            "messages.",
        ),
    ],
)
def test_bad_arguments(engine: Engine, arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        engine.generate(ids(3), **arguments)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (
            [1],
            "is of type list; give a dict of the chat template's variables.",
        ),
        (
            {"messages": []},
            "has the variable 'messages'; give names other than 'messages' and 'tools'.",
        ),
        (
            {3: 1},
            "has the variable 3; give names other than 'messages' and 'tools'.",
        ),
    ],
)
def test_bad_template_variables(engine: Engine, template: Any, sentence: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        engine.generate([{"role": "user", "content": "a"}], chat_template_kwargs=template)
    assert str(caught.value) == f"[request] chat_template_kwargs {sentence}"


@pytest.mark.parametrize(
    ("tokens", "chunk", "sentence"),
    [
        ([], 5, "[engine] the prompt is empty; give it at least one token."),
        (
            [LAST + 1],
            5,
            f"[engine] the prompt has token {LAST + 1}, which must be from 0 to {LAST}.",
        ),
        (ids(3), 0, "[engine] chunk is 0; give a whole number of at least 1."),
        (ids(3), "2", "[engine] chunk is '2'; give a whole number of at least 1."),
        (
            ids(513),
            512,
            "[engine] a prompt of 513 tokens exceeds the context window of 512 tokens; "
            "shorten the prompt.",
        ),
    ],
    ids=str,
)
def test_bad_logits(engine: Engine, tokens: Any, chunk: Any, sentence: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        engine.logits(tokens, chunk=chunk)
    assert str(caught.value) == sentence


def test_a_refusal_leaves_the_engine_as_it_was(engine: Engine) -> None:
    params = SamplingParams(max_tokens=10, ignore_eos=True)
    before = engine.generate(ids(30), params).text()
    for options in ({"top_k": -1}, {"max_tokens": 0}, {"stop": [""]}):
        with pytest.raises(InvalidRequestError):
            engine.generate(ids(30), SamplingParams(**options))
    assert engine.generate(ids(30), params).text() == before
