"""The text of an answer to events: text, reasoning and tool calls separated."""

from __future__ import annotations

from convergio_mlx.chats.events import ReasoningEvent, TextEvent, ToolCallEvent
from convergio_mlx.chats.pieces import AnySplitter
from convergio_mlx.chats.tool_parser import ToolParser

ParsedEvent = TextEvent | ReasoningEvent | ToolCallEvent


class EventParser:
    """Turns an answer's text into events. They depend on the text alone, not on its pieces, but
    that adjoining text may come in one event or in several."""

    def __init__(self, splitter: AnySplitter | None, tools: ToolParser | None) -> None:
        """Takes the splitter of reasoning and the parser of calls, where the model has them."""
        self._splitter = splitter
        self._tools = tools

    def feed(self, text: str) -> list[ParsedEvent]:
        """Takes the next piece of the answer; returns what is certain now."""
        if self._splitter is None:
            return self._answer(text)
        out: list[ParsedEvent] = []
        for kind, piece in self._splitter.feed(text):
            out += [ReasoningEvent(piece)] if kind == "reasoning" else self._answer(piece)
        return out

    def finish(self, cut: bool) -> list[ParsedEvent]:
        """Returns what was held back; `cut` where the answer was ended from outside."""
        out: list[ParsedEvent] = []
        if self._splitter is not None:
            for kind, piece in self._splitter.finish():
                out += [ReasoningEvent(piece)] if kind == "reasoning" else self._answer(piece)
        return out if self._tools is None else [*out, *self._tools.finish(cut)]

    def _answer(self, text: str) -> list[ParsedEvent]:
        if self._tools is not None:
            return [*self._tools.feed(text)]
        return [TextEvent(text)] if text else []
