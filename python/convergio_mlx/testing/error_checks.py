"""Failures: their codes, whether a retry can help, and who sees them."""

from __future__ import annotations

import asyncio
import threading

from convergio_mlx.errors import ConvergioError, ErrorCode
from convergio_mlx.providers.interface import Provider
from convergio_mlx.testing.subject import (
    Subject,
    expect,
    expect_error,
    expect_fine,
    expect_last,
    short,
)

_NO_MODEL = "no-such-model-anywhere"


def an_unknown_model_is_not_found(subject: Subject) -> None:
    """A model that there is not ends with model_not_found; asking again does not help."""
    with subject.provider() as provider:
        error = expect_error(
            ErrorCode.MODEL_NOT_FOUND,
            lambda: provider.chat(_NO_MODEL, None, subject.questions[0]),
        )
        expect(not error.retryable, "model_not_found is said to be retryable")
        expect_last(provider, error)
        expect_fine(provider, subject)


def too_long_a_prompt_is_refused(subject: Subject) -> None:
    """A prompt beyond the window ends with context_length; asking again does not help."""
    with subject.provider() as provider:
        window = next(m.context_window for m in provider.list_models() if m.id == subject.model)
        prompt = "so many words " * window
        error = expect_error(
            ErrorCode.CONTEXT_LENGTH, lambda: provider.chat(subject.model, None, prompt)
        )
        expect(not error.retryable, "context_length is said to be retryable")
        expect_last(provider, error)
        expect_fine(provider, subject)


def a_deadline_ends_the_answer(subject: Subject) -> None:
    """An answer that is not complete in time ends with timeout; asking again can help."""
    with subject.provider() as provider:

        async def ask() -> object:
            stream = provider.astream(subject.model, None, subject.questions[0], timeout=1e-4)
            return await stream.response()

        for call in (
            lambda: provider.chat(subject.model, None, subject.questions[0], timeout=1e-4),
            lambda: asyncio.run(ask()),
        ):
            error = expect_error(ErrorCode.TIMEOUT, call)
            expect(error.retryable, "timeout is said not to be retryable")
        expect_fine(provider, subject)


def a_success_clears_the_last_error(subject: Subject) -> None:
    """last_error is that of the last call: ok after one that succeeds."""
    with subject.provider() as provider:
        _fail(provider, subject)
        expect(provider.last_error.code == ErrorCode.MODEL_NOT_FOUND, f"{provider.last_error}")
        expect_fine(provider, subject)


def each_thread_has_its_last_error(subject: Subject) -> None:
    """What fails in one thread is not another's last_error."""
    with subject.provider() as provider:
        seen: list[ErrorCode] = []

        def work() -> None:
            seen.append(provider.last_error.code)
            _fail(provider, subject)
            seen.append(provider.last_error.code)

        provider.chat(subject.model, None, subject.questions[0], params=short(max_tokens=2))
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        expect(seen == [ErrorCode.OK, ErrorCode.MODEL_NOT_FOUND], f"the thread saw {seen}")
        expect(provider.last_error.code == ErrorCode.OK, f"this one {provider.last_error}")


def each_task_has_its_last_error(subject: Subject) -> None:
    """What fails in one asyncio task is not another's last_error."""

    async def ask(provider: Provider, model: str, others: asyncio.Barrier) -> ErrorCode:
        try:
            question = subject.questions[0]
            await provider.astream(model, None, question, params=short(max_tokens=2)).response()
        except ConvergioError:
            pass
        await others.wait()
        return provider.last_error.code

    async def both(provider: Provider) -> list[ErrorCode]:
        models = [_NO_MODEL, subject.model, _NO_MODEL, subject.model]
        others = asyncio.Barrier(len(models))
        return await asyncio.gather(*(ask(provider, model, others) for model in models))

    with subject.provider() as provider:
        seen = asyncio.run(both(provider))
        wrong, right = ErrorCode.MODEL_NOT_FOUND, ErrorCode.OK
        expect(seen == [wrong, right, wrong, right], f"the tasks saw {seen}")


def _fail(provider: Provider, subject: Subject) -> None:
    expect_error(
        ErrorCode.MODEL_NOT_FOUND, lambda: provider.chat(_NO_MODEL, None, subject.questions[0])
    )


CHECKS = (
    an_unknown_model_is_not_found,
    too_long_a_prompt_is_refused,
    a_deadline_ends_the_answer,
    a_success_clears_the_last_error,
    each_thread_has_its_last_error,
    each_task_has_its_last_error,
)
