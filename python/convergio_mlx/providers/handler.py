"""An answer as calls of a host's handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from convergio_mlx.chats.events import (
    FinishEvent,
    ReasoningEvent,
    StreamEvent,
    TextEvent,
    ToolCallEvent,
    ToolResultEvent,
)
from convergio_mlx.chats.response import ChatResponse
from convergio_mlx.chats.stream import EventStream
from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.errors import ConvergioError, ProviderErrorInfo


@dataclass(frozen=True, kw_only=True)
class StreamHandler:
    """Callbacks of an answer while it is generated, all called on the thread of `stream_chat`."""

    on_chunk: Callable[[str], object]
    """Each piece of the answer's text."""
    on_complete: Callable[[str], object] | None = None
    """The full text, once; not after an error."""
    on_error: Callable[[ProviderErrorInfo], object] | None = None
    """What went wrong, once; without it the error is raised."""
    on_reasoning: Callable[[str], object] | None = None
    """Each piece of the model's reasoning."""
    on_tool_call: Callable[[ToolCall], object] | None = None
    """Each call, whole."""
    on_tool_result: Callable[[ToolCall, str], object] | None = None
    """What each call that `run_tools` ran gave: the content of its message."""
    on_response: Callable[[ChatResponse], object] | None = None
    """The whole answer with its usage, once, after `on_complete`."""


def serve(handler: StreamHandler, begin: Callable[[], EventStream]) -> None:
    """Begins an answer and calls the handler with each event, then with the whole, or with the
    error. What the handler itself raises ends the answer and is raised here."""
    try:
        stream = begin()
    except ConvergioError as error:
        _report(handler, error)
        return
    with stream:
        while True:
            try:
                event = next(stream)
            except ConvergioError as error:
                _report(handler, error)
                return
            if isinstance(event, FinishEvent):
                break
            _hand(event, handler)
    if handler.on_complete is not None:
        handler.on_complete(event.response.text)
    if handler.on_response is not None:
        handler.on_response(event.response)


def _hand(event: StreamEvent, handler: StreamHandler) -> None:
    match event:
        case TextEvent():
            if event.text:
                handler.on_chunk(event.text)
        case ReasoningEvent() if handler.on_reasoning is not None:
            handler.on_reasoning(event.text)
        case ToolCallEvent() if handler.on_tool_call is not None:
            handler.on_tool_call(event.call)
        case ToolResultEvent() if handler.on_tool_result is not None:
            handler.on_tool_result(event.call, event.content)


def _report(handler: StreamHandler, error: ConvergioError) -> None:
    """Tells the handler of an error; one that does not listen gets it raised."""
    if handler.on_error is None:
        raise error
    handler.on_error(ProviderErrorInfo.of(error))
