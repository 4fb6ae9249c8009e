"""Whole answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from convergio_mlx.errors import ErrorCode
from convergio_mlx.testing.subject import Subject, expect, expect_error, expect_fine, short


def an_answer_has_text_usage_and_times(subject: Subject) -> None:
    """chat gives the text, why it ended, what it used and how long it took."""
    with subject.provider() as provider:
        for question in subject.questions:
            response = provider.chat(subject.model, None, question, params=short())
            usage, times = response.usage, response.timings
            expect(response.text.strip(), f"the answer to {question!r} is {response.text!r}")
            expect(response.finish_reason in ("stop", "length"), f"it ended with {response!r}")
            expect(0 < usage.output_tokens <= 24, f"usage is {usage}")
            expect(0 <= usage.cached_tokens <= usage.input_tokens, f"usage is {usage}")
            expect(usage.estimated_cost >= 0, f"usage is {usage}")
            free = not provider.type.is_local or usage.estimated_cost == 0
            expect(free, f"a local model costs {usage.estimated_cost}")
            expect(0 < times.first_event_seconds <= times.total_seconds, f"timings: {times}")
            if subject.counts_exactly:
                counted = provider.count_tokens(subject.model, None, question)
                expect(counted == usage.input_tokens, f"count_tokens is {counted}, usage {usage}")


def the_provider_may_be_named_before_the_model(subject: Subject) -> None:
    """`type/id` is the same model as `id`."""
    with subject.provider() as provider:
        question = subject.questions[0]
        plain = provider.chat(subject.model, None, question, params=short())
        named = provider.chat(f"{provider.type}/{subject.model}", None, question, params=short())
        expect(named.text == plain.text, f"{named.text!r} is not {plain.text!r}")


def a_conversation_of_several_turns_is_taken(subject: Subject) -> None:
    """user may be the messages of a conversation, after a system text or with a system message."""
    with subject.provider() as provider:
        first = provider.chat(subject.model, "Be brief.", subject.questions[0], params=short())
        turns = [
            {"role": "user", "content": subject.questions[0]},
            first.message(),
            {"role": "user", "content": subject.questions[1]},
        ]
        second = provider.chat(subject.model, "Be brief.", turns, params=short())
        expect(second.usage.input_tokens > first.usage.input_tokens, f"it read {second.usage}")
        system = {"role": "system", "content": "Be brief."}
        third = provider.chat(subject.model, None, [system, *turns], params=short())
        expect(third.text == second.text, f"{third.text!r} is not {second.text!r}")
        expect_error(
            ErrorCode.INVALID_REQUEST,
            lambda: provider.chat(subject.model, "Be brief.", [system, *turns]),
        )


def max_tokens_cuts(subject: Subject) -> None:
    """An answer of max_tokens tokens says "length"."""
    with subject.provider() as provider:
        response = provider.chat(
            subject.model, None, subject.questions[0], params=short(max_tokens=2)
        )
        found = (response.finish_reason, response.usage.output_tokens)
        expect(found == ("length", 2), f"an answer of 2 tokens at most ended with {found}")


def stop_strings_end_the_answer(subject: Subject) -> None:
    """The answer ends before a stop string, nothing of which is given."""
    with subject.provider() as provider:
        question = subject.questions[0]
        whole = provider.chat(subject.model, None, question, params=short()).text
        stop = whole[len(whole) // 2 :][:3]
        response = provider.chat(subject.model, None, question, params=short(stop=[stop]))
        expected = whole[: whole.index(stop)]
        expect(response.text == expected, f"{response.text!r} is not {expected!r}")
        expect(response.finish_reason == "stop", f"it ended with {response.finish_reason}")


def what_cannot_be_honoured_is_refused(subject: Subject) -> None:
    """Invalid messages, options and tools end with invalid_request, an unknown keyword with
    Python's own TypeError, and the next request is answered."""
    with subject.provider() as provider:
        prompts: list[Any] = [
            [],
            5,
            None,
            [{"role": "user"}],
            [{"role": 5, "content": "hello"}],
            [{"role": "user", "content": [{"type": "image_url"}]}],
            ["hello"],
        ]
        for prompt in prompts:
            ask = partial(provider.chat, subject.model, None, prompt)
            expect_error(ErrorCode.INVALID_REQUEST, ask)
        question = subject.questions[0]
        options: list[dict[str, Any]] = [
            {"params": {"temperature": 0}},
            {"timeout": -1},
            {"timeout": "soon"},
            {"tools": [{"description": "nameless"}]},
            {"tools": [subject.tool], "tool_choice": "sometimes"},
        ]
        for option in options:
            stream = partial(provider.stream, subject.model, None, question, **option)
            expect_error(ErrorCode.INVALID_REQUEST, lambda: stream().response())  # noqa: B023
        expect_error(
            ErrorCode.INVALID_REQUEST,
            lambda: provider.chat(subject.model, 5, question),  # type: ignore[arg-type]
        )
        expect_error(ErrorCode.INVALID_REQUEST, lambda: provider.chat("", None, question))
        unknown: dict[str, Any] = {"no_such_option": 1}
        _expect_type_error(partial(provider.chat, subject.model, None, question, **unknown))
        expect_fine(provider, subject)


def _expect_type_error(call: Callable[[], object]) -> None:
    try:
        result = call()
    except TypeError:
        return
    raise AssertionError(f"expected a TypeError, got {result!r}")


CHECKS = (
    an_answer_has_text_usage_and_times,
    the_provider_may_be_named_before_the_model,
    a_conversation_of_several_turns_is_taken,
    max_tokens_cuts,
    stop_strings_end_the_answer,
    what_cannot_be_honoured_is_refused,
)
