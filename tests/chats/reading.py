"""What a parser of tool calls makes of an answer."""

from __future__ import annotations

from collections.abc import Iterable

from cases import TOOLS

from convergio_mlx.chats.events import TextEvent, ToolCallEvent
from convergio_mlx.chats.tool_format import ToolFormat
from convergio_mlx.chats.tool_parser import ToolParser

Said = tuple[str, list[tuple[str, str, bool]]]


def read(known: ToolFormat, pieces: Iterable[str], cut: bool = False) -> Said:
    """The text, and the calls as (name, arguments, complete)."""
    parser = ToolParser(known, TOOLS)
    events = [event for piece in pieces for event in parser.feed(piece)]
    events += parser.finish(cut)
    calls = [event for event in events if isinstance(event, ToolCallEvent)]
    return (
        "".join(event.text for event in events if isinstance(event, TextEvent)),
        [(event.call.name, event.call.arguments, event.complete) for event in calls],
    )
