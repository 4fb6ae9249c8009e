"""What a request for events needs: the messages to render, and how to read the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convergio_mlx import messages as conversation
from convergio_mlx import reasoning, tool_prompt
from convergio_mlx.event_stream import EventParser
from convergio_mlx.tokenizer import Tokenizer
from convergio_mlx.tool_calls import ToolChoice, parse_choice, parse_tools
from convergio_mlx.tool_formats import HERMES, ToolFormat, format_of
from convergio_mlx.tool_parser import ToolParser


@dataclass(frozen=True)
class Plan:
    """How one conversation is put to a model, and its answer read."""

    tokenizer: Tokenizer
    messages: list[conversation.Message]
    tools: list[dict[str, Any]] | None
    """For the chat template."""
    notation: ToolFormat
    choice: ToolChoice
    marks: reasoning.Marks | None

    @property
    def shown(self) -> tuple[str, ...]:
        """Special tokens that must show up in the answer's text, for the parsers to see."""
        marks = () if self.marks is None else (self.marks.begin, self.marks.end)
        notation = self.notation
        calls = (*notation.marks, *notation.closers, *notation.around, "<｜tool▁sep｜>")
        return (*marks, *(calls if self.reads_calls else ()))

    @property
    def reads_calls(self) -> bool:
        """Whether the answer may have calls."""
        return bool(self.choice.callable) and self.choice.mode != "none"

    def parser(self, prompt: Sequence[int]) -> EventParser:
        """What turns the answer to this prompt into events."""
        splitter = None
        if self.marks is not None:
            inside = reasoning.begins_inside(self.tokenizer, prompt, self.marks)
            splitter = reasoning.Splitter(self.marks, inside)
        names = [tool.name for tool in self.choice.callable]
        return EventParser(splitter, ToolParser(self.notation, names) if self.reads_calls else None)


def plan(
    tokenizer: Tokenizer,
    messages: Any,
    tools: Sequence[Mapping[str, Any]] | None,
    tool_choice: str | Mapping[str, Any],
) -> Plan:
    """Checks a request and makes its plan.

    Raises:
        InvalidRequestError: messages, tools or choice are not in OpenAI's shape.
    """
    given = parse_tools(tools)
    choice = parse_choice(tool_choice, given)
    notation = format_of(tokenizer) or HERMES
    chat = tokenizer.chat_template(tools=bool(given))
    placed, definitions = tool_prompt.place(chat, messages, given, notation)
    return Plan(tokenizer, placed, definitions, notation, choice, reasoning.marks_of(tokenizer))
