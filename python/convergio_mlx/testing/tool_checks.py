"""Calls of tools."""

from __future__ import annotations

import asyncio
import json

from convergio_mlx.answers.events import ToolCallEvent
from convergio_mlx.providers.chat import ChatResponse, ResponseEvent
from convergio_mlx.providers.interface import Provider
from convergio_mlx.testing.subject import Subject, arguments_fit, expect, short


def a_tool_is_called(subject: Subject) -> None:
    """With tool_choice "required", or the tool by name, the answer has a call of it whose arguments
    are JSON of the schema; its reason is "tool_calls"."""
    with subject.provider() as provider:
        _expect_call(subject, _called(provider, subject))
        named = {"type": "function", "function": {"name": subject.tool.name}}
        response = provider.chat_with_tools(
            subject.model,
            None,
            subject.tool_question,
            [subject.tool],
            tool_choice=named,
            params=short(),
        )
        _expect_call(subject, response)


def tools_are_taken_in_either_shape(subject: Subject) -> None:
    """A ToolDefinition and OpenAI's dict are the same."""
    with subject.provider() as provider:
        ours = _called(provider, subject)
        theirs = provider.chat_with_tools(
            subject.model,
            None,
            subject.tool_question,
            [subject.tool.openai()],
            tool_choice="required",
            params=short(),
        )
        told = [(call.name, call.arguments) for call in theirs.tool_calls]
        expect(told == [(call.name, call.arguments) for call in ours.tool_calls], f"{told}")


def no_tool_is_called_unasked(subject: Subject) -> None:
    """With tool_choice "none" there is no call."""
    with subject.provider() as provider:
        response = provider.chat_with_tools(
            subject.model,
            None,
            subject.tool_question,
            [subject.tool],
            tool_choice="none",
            params=short(),
        )
        expect(response.tool_calls == (), f"it calls {response.tool_calls}")
        expect(response.finish_reason != "tool_calls", f"it ended with {response.finish_reason}")


def a_call_is_streamed_whole(subject: Subject) -> None:
    """A stream gives each call as one event, and the calls are those of its response; asyncio the
    same."""

    async def ask(provider: Provider) -> list[object]:
        stream = provider.astream(
            subject.model,
            None,
            subject.tool_question,
            tools=[subject.tool],
            tool_choice="required",
            params=short(),
        )
        return [event async for event in stream]

    with subject.provider() as provider:
        blocking = provider.stream(
            subject.model,
            None,
            subject.tool_question,
            tools=[subject.tool],
            tool_choice="required",
            params=short(),
        )
        for events in (list(blocking), asyncio.run(ask(provider))):
            last = events[-1]
            expect(isinstance(last, ResponseEvent), f"the last event is {last!r}")
            assert isinstance(last, ResponseEvent)
            _expect_call(subject, last.response)
            calls = tuple(event.call for event in events if isinstance(event, ToolCallEvent))
            expect(calls == last.response.tool_calls, f"{calls} were streamed")


def a_tools_result_is_taken(subject: Subject) -> None:
    """A conversation goes on with the call and its result."""
    with subject.provider() as provider:
        called = _called(provider, subject)
        results = [
            {"role": "tool", "tool_call_id": call.id, "content": '{"result": "sunny"}'}
            for call in called.tool_calls
        ]
        turns = [{"role": "user", "content": subject.tool_question}, called.message(), *results]
        response = provider.chat_with_tools(
            subject.model, None, turns, [subject.tool], params=short()
        )
        expect(response.usage.output_tokens > 0, f"it answered {response!r}")
        read = response.usage.input_tokens
        expect(read > called.usage.input_tokens, f"it read {response.usage}")


def _called(provider: Provider, subject: Subject) -> ChatResponse:
    return provider.chat_with_tools(
        subject.model,
        None,
        subject.tool_question,
        [subject.tool],
        tool_choice="required",
        params=short(),
    )


def _expect_call(subject: Subject, response: ChatResponse) -> None:
    expect(response.tool_calls, f"there is no call in {response!r}")
    expect(response.finish_reason == "tool_calls", f"it ended with {response.finish_reason}")
    for call in response.tool_calls:
        expect(call.id and call.name == subject.tool.name, f"the call is {call!r}")
        arguments = json.loads(call.arguments)
        expect(arguments_fit(arguments, subject.tool.parameters), f"the arguments are {arguments}")


CHECKS = (
    a_tool_is_called,
    tools_are_taken_in_either_shape,
    no_tool_is_called_unasked,
    a_call_is_streamed_whole,
    a_tools_result_is_taken,
)
