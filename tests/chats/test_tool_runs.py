"""`run_tools`: rounds of calls, their results, and their limits."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from convergio_mlx.chats.async_tool_runs import aopened
from convergio_mlx.chats.events import (
    End,
    FinishEvent,
    SourceEvent,
    TextEvent,
    ToolCallEvent,
    ToolResultEvent,
)
from convergio_mlx.chats.request import ChatRequest
from convergio_mlx.chats.response import ChatResponse
from convergio_mlx.chats.response_builder import ResponseBuilder
from convergio_mlx.chats.stream import AsyncEventStream, EventStream
from convergio_mlx.chats.tool_runs import opened
from convergio_mlx.chats.tools import ToolCall, ToolDefinition
from convergio_mlx.errors import DeadlineExceededError, InvalidRequestError
from convergio_mlx.generation.stats import GenerationStats

Round = Sequence[SourceEvent]
STATS = GenerationStats(prompt_tokens=10, output_tokens=3)


def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


def fail(a: int) -> int:
    raise ValueError(f"not {a}")


async def later(a: int) -> int:
    await asyncio.sleep(0)
    return a + 1


def calls(*given: tuple[str, str]) -> Round:
    made = [ToolCallEvent(ToolCall(f"id{i}", name, text)) for i, (name, text) in enumerate(given)]
    return [TextEvent("let me see"), *made, End("tool_calls", STATS)]


def says(text: str) -> Round:
    return [TextEvent(text), End("stop", STATS)]


class Model:
    """Gives the events of each round, and remembers what it was asked."""

    def __init__(self, *rounds: Round) -> None:
        self.rounds = list(rounds)
        self.requests: list[ChatRequest] = []

    def open(self, request: ChatRequest) -> Any:
        self.requests.append(request)
        return Source(list(self.rounds[min(len(self.requests), len(self.rounds)) - 1]))

    async def aopen(self, request: ChatRequest) -> Any:
        return self.open(request)


class Source:
    stats = STATS

    def __init__(self, events: list[SourceEvent]) -> None:
        self.events = events

    def __next__(self) -> SourceEvent:
        return self.events.pop(0)

    async def __anext__(self) -> SourceEvent:
        return self.events.pop(0)

    def cancel(self) -> None:
        self.events = [End("cancelled", STATS)]

    def close(self) -> None: ...


def request(tools: Sequence[Any], **options: Any) -> ChatRequest:
    messages = [{"role": "user", "content": "What is 1 + 2?"}]
    return ChatRequest.of("chat", messages, None, tools, {"run_tools": True, **options})


def stream(model: Model, tools: Sequence[Any], **options: Any) -> EventStream:
    return EventStream(ResponseBuilder("m"), opened(request(tools, **options), model.open))


def in_thread(model: Model, tools: Sequence[Any], **options: Any) -> ChatResponse:
    return stream(model, tools, **options).response()


def in_loop(model: Model, tools: Sequence[Any], **options: Any) -> ChatResponse:
    async def run() -> ChatResponse:
        async def open_source() -> Any:
            return await aopened(request(tools, **options), model.aopen)

        return await AsyncEventStream(ResponseBuilder("m"), open_source).response()

    return asyncio.run(run())


BOTH = pytest.mark.parametrize("ask", [in_thread, in_loop])
Ask = Callable[..., ChatResponse]


@BOTH
def test_calls_are_run_and_the_model_goes_on(ask: Ask) -> None:
    model = Model(calls(("add", '{"a": 1, "b": 2}'), ("fail", '{"a": 7}')), says("It is 3."))
    response = ask(model, [add, fail])
    assert (response.text, response.finish_reason) == ("It is 3.", "stop")
    assert response.tool_calls == ()
    asked, first, second = response.tool_messages
    assert [call["id"] for call in asked["tool_calls"]] == ["id0", "id1"]
    assert asked["content"] == "let me see"
    assert first == {"role": "tool", "tool_call_id": "id0", "name": "add", "content": "3"}
    assert second["content"] == '{"error": "ValueError: not 7"}'
    assert model.requests[1].messages == [*model.requests[0].messages, *response.tool_messages]
    assert (response.usage.input_tokens, response.usage.output_tokens) == (20, 6)


@BOTH
def test_arguments_that_do_not_fit_are_told_to_the_model(ask: Ask) -> None:
    model = Model(calls(("add", '{"a": "x", "b": 2}')), says("Sorry."))
    result = ask(model, [add]).tool_messages[1]["content"]
    assert result == """{"error": "ValueError: a is 'x', and not a whole number"}"""


@BOTH
def test_a_result_that_cannot_be_written_is_an_error_of_the_tool(ask: Ask) -> None:
    def half(how: str) -> Any:
        if how == "raised":
            raise ValueError("\ud800")
        return "\ud800" if how == "text" else ["\ud800"]

    hows = ["text", "list", "raised"]
    model = Model(calls(*(("half", f'{{"how": "{how}"}}') for how in hows)), says("Sorry."))
    _, *written, raised = (one["content"] for one in ask(model, [half]).tool_messages)
    assert all(one.startswith('{"error": "UnicodeEncodeError: ') for one in written)
    assert raised == '{"error": "ValueError: ?"}'


@BOTH
def test_rounds_are_limited(ask: Ask) -> None:
    model = Model(calls(("add", '{"a": 1, "b": 2}')))
    response = ask(model, [add], max_tool_rounds=3)
    assert len(model.requests) == 4
    assert (response.finish_reason, len(response.tool_calls)) == ("tool_calls", 1)
    assert len(response.tool_messages) == 6


@BOTH
def test_a_call_of_a_tool_that_is_no_function_is_left_to_the_host(ask: Ask) -> None:
    model = Model(calls(("add", '{"a": 1, "b": 2}'), ("other", "{}")), says("no"))
    response = ask(model, [add, ToolDefinition("other", "…")])
    assert [call.name for call in response.tool_calls] == ["add", "other"]
    assert response.tool_messages == ()
    assert len(model.requests) == 1


@BOTH
def test_what_had_to_be_called_may_be_left_after_the_first_round(ask: Ask) -> None:
    model = Model(calls(("add", '{"a": 1, "b": 2}')), says("3"))
    named = {"type": "function", "function": {"name": "add"}}
    ask(model, [add, fail], tool_choice=named)
    choices = [one.choice for one in model.requests]
    assert [choice.mode for choice in choices] == ["required", "auto"]
    assert [tool.name for tool in choices[1].callable] == ["add", "fail"]


@BOTH
def test_tools_that_were_not_allowed_stay_so_after_the_first_round(ask: Ask) -> None:
    model = Model(calls(("add", '{"a": 1, "b": 2}')), says("3"))
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "add"}}]}
    ask(model, [add, fail], tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    choices = [one.choice for one in model.requests]
    assert [choice.mode for choice in choices] == ["required", "auto"]
    assert [tool.name for tool in choices[1].callable] == ["add"]


@BOTH
def test_any_function_is_run_after_the_round_of_the_named_one(ask: Ask) -> None:
    model = Model(calls(("add", '{"a": 1, "b": 2}')), calls(("fail", '{"a": 3}')), says("no"))
    named = {"type": "function", "function": {"name": "add"}}
    response = ask(model, [add, fail], tool_choice=named)
    assert (response.text, len(model.requests)) == ("no", 3)


@BOTH
def test_a_function_beyond_the_deadline_is_left_behind(ask: Ask) -> None:
    free = threading.Event()

    def hang() -> None:
        free.wait(10)

    began = time.monotonic()
    with pytest.raises(DeadlineExceededError, match=r"^\[tools\] the deadline passed"):
        ask(Model(calls(("hang", "{}")), says("no")), [hang], timeout=0.05)
    free.set()
    assert time.monotonic() - began < 5


@BOTH
@pytest.mark.parametrize("timeout", [None, 5])
def test_what_ends_the_program_ends_the_answer(ask: Ask, timeout: float | None) -> None:
    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        ask(Model(calls(("leave", "{}"))), [leave], timeout=timeout)


def test_the_time_of_the_rounds_before_is_gone() -> None:
    model = Model(calls(("add", '{"a": 1, "b": 2}')), says("3"))
    in_thread(model, [add], timeout=5)
    first, second = (one.timeout for one in model.requests)
    assert first == 5
    assert second is not None
    assert 0 < second < 5


def test_events_of_all_rounds_come_in_order() -> None:
    model = Model(calls(("add", '{"a": 1, "b": 2}')), says("3"))
    kinds = [type(event) for event in stream(model, [add])]
    assert kinds == [TextEvent, ToolCallEvent, ToolResultEvent, TextEvent, FinishEvent]


def test_a_cancelled_answer_runs_no_further_function() -> None:
    ran: list[int] = []

    def note(a: int) -> None:
        ran.append(a)
        answer.cancel()

    answer = stream(Model(calls(("note", '{"a": 1}'), ("note", '{"a": 2}')), says("no")), [note])
    response = answer.response()
    assert (response.finish_reason, ran) == ("cancelled", [1])
    assert response.tool_messages == ()  # a call without its result is no conversation


def test_a_cancelled_answer_leaves_the_async_function_that_runs() -> None:
    left: list[bool] = []

    async def run() -> ChatResponse:
        async def hang() -> None:
            asyncio.get_running_loop().call_soon(answer.cancel)
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                left.append(True)
                raise

        async def open_source() -> Any:
            return await aopened(request([hang]), Model(calls(("hang", "{}"))).aopen)

        answer = AsyncEventStream(ResponseBuilder("m"), open_source)
        return await answer.response()

    assert asyncio.run(run()).finish_reason == "cancelled"
    assert left == [True]


def test_async_functions_are_awaited_and_need_a_loop() -> None:
    model = Model(calls(("later", '{"a": 1}')), says("2"))
    assert in_loop(model, [later]).tool_messages[1]["content"] == "2"
    with pytest.raises(InvalidRequestError, match="'later' is an async function; use achat"):
        in_thread(model, [later])


def test_a_function_on_a_thread_sees_the_context_and_not_the_loop() -> None:
    names: list[str] = []

    def where() -> None:
        names.append(threading.current_thread().name)

    in_thread(Model(calls(("where", "{}")), says("")), [where])
    in_loop(Model(calls(("where", "{}")), says("")), [where])
    assert names[0] == threading.current_thread().name != names[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"run_tools": 1}, "[request] run_tools is 1"),
        ({"max_tool_rounds": 0}, "[tools] max_tool_rounds is 0"),
        ({"max_tool_rounds": True}, "[tools] max_tool_rounds is True"),
    ],
)
def test_options_of_other_types_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        request([add], **options)
    assert str(caught.value).startswith(said)


def test_running_tools_needs_a_function() -> None:
    with pytest.raises(InvalidRequestError, match="none of the tools is a function"):
        request([ToolDefinition("other", "…")])
