"""The conformance suite notices what is wrong: a provider with one fault fails the checks of it."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from convergio_mlx import MlxProvider
from convergio_mlx.chats.events import TextEvent
from convergio_mlx.chats.request import ChatRequest
from convergio_mlx.chats.response import ChatResponse
from convergio_mlx.errors import (
    ConvergioError,
    InferenceError,
    ModelNotFoundError,
    ProviderErrorInfo,
)
from convergio_mlx.generation.stats import GenerationStats
from convergio_mlx.testing import CHECKS, Subject, report

BY_NAME = {check.__name__: check for check in CHECKS}


class ForgetsItsState(MlxProvider):
    initialized = True  # type: ignore[assignment]


class ListsNothing(MlxProvider):
    def list_models(self) -> list[Any]:
        return []


class CountsLetters(MlxProvider):
    def count_tokens(self, *given: Any) -> int:
        return super().count_tokens(*given) + 1


class Mute(MlxProvider):
    def chat(self, *given: Any, **options: Any) -> ChatResponse:
        response = super().chat(*given, **options)
        return ChatResponse("", response.finish_reason, response.model, usage=response.usage)


class WritesAtOnce(MlxProvider):
    """Nothing until all."""

    def _open(self, model: str, request: ChatRequest) -> Any:
        source = super()._open(model, request)
        events: list[Any] = []
        while not events or not hasattr(events[-1], "reason"):
            events.append(next(source))
        source.close()
        text = "".join(event.text for event in events if isinstance(event, TextEvent))
        return self.listed([*self.pieces(text), events[-1]])

    def listed(self, events: list[Any]) -> Any:
        return _Listed(events)

    def pieces(self, text: str) -> list[Any]:
        return [TextEvent(text)]


class SplitsAtSpaces(WritesAtOnce):
    """A finished answer, cut up so that it looks like a stream."""

    def pieces(self, text: str) -> list[Any]:
        return [TextEvent(word) for word in re.split("(?= )", text)]


class CutsAtCancel(SplitsAtSpaces):
    """The same, and it withholds the rest when it is cancelled."""

    def listed(self, events: list[Any]) -> Any:
        return _Cut(events)


class _Listed:
    stats = GenerationStats()

    def __init__(self, events: list[Any]) -> None:
        self.events = iter(events)

    def __next__(self) -> Any:
        return next(self.events)

    def cancel(self) -> None: ...
    def close(self) -> None: ...


class _Cut(_Listed):
    def __init__(self, events: list[Any]) -> None:
        super().__init__(events)
        self.last = events[-1]

    def cancel(self) -> None:
        self.events = iter([replace(self.last, reason="cancelled")])


class ErrsUnknown(MlxProvider):
    """Every error is "unknown"."""

    def _open(self, model: str, request: ChatRequest) -> Any:
        try:
            return super()._open(model, request)
        except ConvergioError as error:
            raise ConvergioError(str(error)) from error


class SharesItsLastError(MlxProvider):
    seen = ProviderErrorInfo()
    last_error = property(lambda self: type(self).seen)  # type: ignore[assignment]

    def _ended(self, error: BaseException | None) -> None:
        type(self).seen = ProviderErrorInfo() if error is None else ProviderErrorInfo.of(error)


class SaysRetry(MlxProvider):
    def _open(self, model: str, request: ChatRequest) -> Any:
        try:
            return super()._open(model, request)
        except ModelNotFoundError as error:
            error.retryable = True  # type: ignore[misc]
            raise


class IgnoresStops(MlxProvider):
    def _begun(self, *given: Any) -> ChatRequest:
        request = super()._begun(*given)
        return replace(request, params=replace(request.params, stop=()))


class TakesAnything(MlxProvider):
    def _asked(self, method: str, *given: Any) -> Any:
        *others, options = given
        known = {name: value for name, value in options.items() if name != "no_such_option"}
        return super()._asked(method, *others, known)


class NeverCalls(MlxProvider):
    def chat_with_tools(self, model: str, system: Any, user: Any, *_: Any, **options: Any) -> Any:
        options.pop("tool_choice", None)
        return self.chat(model, system, user, **options)


class Fails(MlxProvider):
    def _open(self, model: str, request: ChatRequest) -> Any:
        raise InferenceError("[test] it is broken; mend it.")


@pytest.mark.parametrize(
    ("faulty", "check"),
    [
        (ForgetsItsState, "it_says_who_it_is"),
        (ListsNothing, "its_models_are_described"),
        (CountsLetters, "an_answer_has_text_usage_and_times"),
        (Mute, "an_answer_has_text_usage_and_times"),
        (WritesAtOnce, "a_stream_is_the_answer"),
        (SplitsAtSpaces, "a_stream_comes_while_it_is_made"),
        (CutsAtCancel, "a_stream_comes_while_it_is_made"),
        (ErrsUnknown, "an_unknown_model_is_not_found"),
        (ErrsUnknown, "a_handler_gets_the_error"),
        (SharesItsLastError, "each_thread_has_its_last_error"),
        (SharesItsLastError, "each_task_has_its_last_error"),
        (SaysRetry, "an_unknown_model_is_not_found"),
        (IgnoresStops, "stop_strings_end_the_answer"),
        (TakesAnything, "what_cannot_be_honoured_is_refused"),
        (NeverCalls, "a_tool_is_called"),
    ],
)
def test_a_fault_is_found(faulty: Callable[[], MlxProvider], check: str) -> None:
    with pytest.raises(AssertionError):
        BY_NAME[check](Subject(create=faulty, model="convergio-guide"))


def test_a_report_tells_of_every_check() -> None:
    subject = Subject(create=Fails, model="convergio-guide")
    names = ("it_says_who_it_is", "max_tokens_cuts")
    results = report(subject, [BY_NAME[name] for name in names])
    assert [(result.check, result.passed) for result in results] == [
        ("it_says_who_it_is", True),
        ("max_tokens_cuts", False),
    ]
    assert results[1].promise == 'An answer of max_tokens tokens says "length".'
    assert "it is broken; mend it." in (results[1].failure or "")
    assert all(check.__doc__ for check in CHECKS)
