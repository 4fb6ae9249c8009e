"""Many callers at once."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from convergio_mlx.providers.interface import Provider
from convergio_mlx.testing.subject import Subject, expect, short

_THREADS = 8
_TASKS = 16


def each_thread_gets_its_answer(subject: Subject) -> None:
    """Threads at once get each what they would get alone."""
    with subject.provider() as provider:
        alone = _alone(provider, subject)

        def ask(number: int) -> tuple[str, str]:
            question = subject.questions[number % len(subject.questions)]
            return question, provider.chat(subject.model, None, question, params=short()).text

        with ThreadPoolExecutor(_THREADS) as pool:
            for question, text in pool.map(ask, range(_THREADS)):
                expect(text == alone[question], f"{text!r} is not {alone[question]!r}")


def each_task_gets_its_answer(subject: Subject) -> None:
    """asyncio tasks at once get each what they would get alone, whatever others are cancelled."""

    async def ask(provider: Provider, number: int) -> tuple[str, str]:
        question = subject.questions[number % len(subject.questions)]
        stream = provider.astream(subject.model, None, question, params=short())
        return question, (await stream.response()).text

    async def all_of_them(provider: Provider) -> list[tuple[str, str]]:
        tasks = [asyncio.ensure_future(ask(provider, number)) for number in range(_TASKS)]
        await asyncio.sleep(0.01)
        for task in tasks[::5]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        return [result for result in results if not isinstance(result, asyncio.CancelledError)]  # type: ignore[misc]

    with subject.provider() as provider:
        alone = _alone(provider, subject)
        answers = asyncio.run(all_of_them(provider))
        expect(len(answers) >= _TASKS - len(range(0, _TASKS, 5)), f"{len(answers)} were answered")
        for question, text in answers:
            expect(text == alone[question], f"{text!r} is not {alone[question]!r}")


def shutdown_ends_what_is_under_way(subject: Subject) -> None:
    """shutdown ends an answer that is being made; its reader gets the end and never hangs."""
    provider = subject.create()
    provider.init()
    stream = provider.stream(subject.model, None, subject.questions[0], params=short())
    next(stream)
    provider.shutdown()
    response = stream.response()
    ends = ("cancelled", "stop", "length")
    expect(response.finish_reason in ends, f"it ended with {response.finish_reason}")


def _alone(provider: Provider, subject: Subject) -> dict[str, str]:
    return {
        question: provider.chat(subject.model, None, question, params=short()).text
        for question in subject.questions
    }


CHECKS = (each_thread_gets_its_answer, each_task_gets_its_answer, shutdown_ends_what_is_under_way)
