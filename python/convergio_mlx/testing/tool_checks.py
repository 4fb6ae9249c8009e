"""Calls of tools."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from convergio_mlx.chats.events import FinishEvent, StreamEvent, ToolCallEvent
from convergio_mlx.chats.response import ChatResponse
from convergio_mlx.chats.tools import ToolDefinition
from convergio_mlx.providers.interface import Provider
from convergio_mlx.testing.subject import Subject, arguments_fit, expect, short


def a_tool_is_called(subject: Subject) -> None:
    """With tool_choice "required", or the tool by name, the answer has a call of it whose arguments
    are JSON of the schema; its reason is "tool_calls"."""
    with subject.provider() as provider:
        named = {"type": "function", "function": {"name": subject.tool.name}}
        for choice in ("required", named):
            _expect_call(subject, _asked(provider, subject, choice))


def tools_are_taken_in_either_shape(subject: Subject) -> None:
    """A ToolDefinition and OpenAI's dict are the same."""
    with subject.provider() as provider:
        ours, theirs = (
            [
                (call.name, call.arguments)
                for call in _asked(provider, subject, tool=tool).tool_calls
            ]
            for tool in (subject.tool, subject.tool.openai())
        )
        expect(ours == theirs, f"{ours} are not {theirs}")


def no_tool_is_called_unasked(subject: Subject) -> None:
    """With tool_choice "none" there is no call."""
    with subject.provider() as provider:
        response = _asked(provider, subject, "none")
        expect(response.tool_calls == (), f"it calls {response.tool_calls}")
        expect(response.finish_reason != "tool_calls", f"it ended with {response.finish_reason}")


def a_call_is_streamed_whole(subject: Subject) -> None:
    """A stream gives each call as one event, and the calls are those of its response; asyncio the
    same."""
    prompt = (subject.model, None, subject.tool_question)
    tools = [subject.tool]

    async def ask(provider: Provider) -> list[StreamEvent]:
        stream = provider.astream(*prompt, tools=tools, tool_choice="required", params=short())
        return [event async for event in stream]

    with subject.provider() as provider:
        stream = provider.stream(*prompt, tools=tools, tool_choice="required", params=short())
        for events in (list(stream), asyncio.run(ask(provider))):
            last = events[-1]
            expect(isinstance(last, FinishEvent), f"the last event is {last!r}")
            assert isinstance(last, FinishEvent)
            _expect_call(subject, last.response)
            calls = tuple(event.call for event in events if isinstance(event, ToolCallEvent))
            expect(calls == last.response.tool_calls, f"{calls} were streamed")


def a_tools_result_is_taken(subject: Subject) -> None:
    """A conversation continues with the call and its result."""
    with subject.provider() as provider:
        called = _asked(provider, subject)
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


def _asked(
    provider: Provider,
    subject: Subject,
    choice: str | Mapping[str, Any] = "required",
    tool: ToolDefinition | Mapping[str, Any] | None = None,
) -> ChatResponse:
    return provider.chat_with_tools(
        subject.model,
        None,
        subject.tool_question,
        [tool or subject.tool],
        tool_choice=choice,
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
