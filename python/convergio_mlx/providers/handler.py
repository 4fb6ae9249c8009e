"""An answer as calls of a host's handler."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from convergio_mlx.answers.events import ReasoningEvent, TextEvent, ToolCallEvent
from convergio_mlx.errors import ConvergioError
from convergio_mlx.providers.chat import ResponseEvent, StreamHandler
from convergio_mlx.providers.interface import ProviderErrorInfo

if TYPE_CHECKING:
    from convergio_mlx.providers.stream import ChatStream
    from convergio_mlx.providers.transcript import StreamEvent


def serve(handler: StreamHandler, begin: Callable[[], ChatStream]) -> None:
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
            if isinstance(event, ResponseEvent):
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


def _report(handler: StreamHandler, error: ConvergioError) -> None:
    """Tells the handler of an error; one that does not listen gets it raised."""
    if handler.on_error is None:
        raise error
    handler.on_error(ProviderErrorInfo.of(error))
