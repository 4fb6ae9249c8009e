"""What a request for events needs: the messages to render, and how to hold and read the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from convergio_mlx.chats import reasoning, tool_prompt
from convergio_mlx.chats.argument_rules import arguments_rules
from convergio_mlx.chats.event_parser import EventParser
from convergio_mlx.chats.grammar import answer_grammar
from convergio_mlx.chats.pieces import AnySplitter
from convergio_mlx.chats.reasoning_budget import ReasoningBudget
from convergio_mlx.chats.request import ChatRequest
from convergio_mlx.chats.tool_format import ToolFormat
from convergio_mlx.chats.tool_parser import ToolParser
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.structured.constraint import Constraint
from convergio_mlx.structured.grammars import grammars_of
from convergio_mlx.structured.response_format import own_grammar
from convergio_mlx.text import messages as conversation
from convergio_mlx.text.detokenizer import Detokenizer
from convergio_mlx.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Plan:
    """How one conversation is put to a model, and its answer held to a form and read."""

    request: ChatRequest
    """With one call at most where the chat template takes no more in a message."""
    tokenizer: Tokenizer
    messages: list[conversation.Message]
    """Those of the request, with what the chat template has no place for written into them."""
    tools: list[dict[str, Any]] | None
    """For the chat template."""
    tool_format: ToolFormat
    marks: reasoning.Marks | None
    is_marked: bool = False
    """Whether the messages have signs in the texts of special tokens (text/control_tokens.py)."""

    @property
    def spelled(self) -> tuple[str, ...]:
        """All marks of the model: of reasoning and of calls."""
        return _spelled(self.tool_format, self.marks)

    @property
    def stop_ids(self) -> frozenset[int]:
        """Tokens that end an answer, besides those of the model's configuration."""
        known = (self.tokenizer.token_to_id(token) for token in self.tool_format.stops)
        return frozenset(one for one in known if one is not None)

    @property
    def reads_calls(self) -> bool:
        """Whether the answer may have calls."""
        return bool(self.request.choice.callable) and self.request.choice.mode != "none"

    def parser(self, prompt: Sequence[int]) -> EventParser:
        """What turns the answer to this prompt into events."""
        schemas = {tool.name: tool.parameters for tool in self.request.choice.callable}
        syntax = self.tool_format.syntax
        tools = None
        if self.reads_calls:
            choice, is_text = self.request.choice, self.request.response_format is None
            left = {
                tool.name: arguments_rules(tool, "args", choice.mode, syntax, str)[1]
                for tool in choice.callable
            }
            tools = ToolParser(self.tool_format, schemas, json_is_call=is_text, unenforced=left)
        return EventParser(self._splitter(prompt), tools)

    def detokenizer(self) -> Detokenizer:
        """What turns the answer's tokens into the text that the parsers read."""
        thinking = () if self.marks is None else self.marks.spelled
        shown = self.spelled if self.reads_calls else thinking
        keeps_space = self.request.response_format is not None
        return self.tokenizer.detokenizer(shown=shown, keeps_space=keeps_space)

    def constraint(
        self, prompt: Sequence[int], stop_tokens: Sequence[int], vocab_size: int
    ) -> Constraint | None:
        """What holds the answer to this prompt to its form, or None where any will do.

        Raises:
            InvalidRequestError: a form that cannot be enforced, or a budget for a model that does
                not reason.
        """
        splitter = self._splitter(prompt)
        held: Constraint | None = self._held(splitter, stop_tokens, vocab_size)
        if self.request.reasoning_budget is None:
            return held
        if self.marks is None or splitter is None or not self.marks.begin:
            raise InvalidRequestError(
                "[reasoning] this model marks no reasoning, so it has no budget of it; leave "
                "reasoning_budget out."
            )
        return ReasoningBudget(
            self.request.reasoning_budget,
            end=self.tokenizer.encode(self.marks.closing, add_special_tokens=False),
            splitter=splitter,
            detokenizer=self.detokenizer(),
            vocab_size=vocab_size,
            within=held,
        )

    def _held(
        self, splitter: AnySplitter | None, stop_tokens: Sequence[int], vocab_size: int
    ) -> Any:
        """A native GrammarConstraint, or None."""
        inside = splitter is not None and splitter.is_thinking
        around = () if self.marks is None else self.marks.around_text
        grammar = answer_grammar(
            self.request.choice,
            self.tool_format,
            self.request.response_format,
            self.marks,
            inside=inside,
            tokens=self.tokenizer.added_ids((*self.spelled, *around)),
        )
        if grammar is None:
            return None
        return grammars_of(self.tokenizer, self.spelled).constraint(
            grammar,
            own_grammar(self.request.response_format),
            vocab_size=vocab_size,
            stop_tokens=stop_tokens,
        )

    def _splitter(self, prompt: Sequence[int]) -> AnySplitter | None:
        if self.marks is None:
            return None
        inside = reasoning.begins_inside(self.tokenizer, prompt, self.marks)
        return reasoning.splitter(self.marks, inside)


def plan(tokenizer: Tokenizer, request: ChatRequest) -> Plan:
    """How to put a request to the model of a tokenizer.

    Raises:
        InvalidRequestError: the model has no chat template.
    """
    tool_format = tool_prompt.format_for(tokenizer)
    chat = tokenizer.chat_template(tools=bool(request.tools))
    is_marked, given, called = False, request.messages, request.tools
    if not request.special_tokens_in_messages:
        definitions = [tool.definition for tool in called]
        is_marked, (given, definitions) = tokenizer.control_tokens.mark(given, definitions)
        pairs = zip(called, definitions, strict=True)
        called = tuple(replace(tool, definition=definition) for tool, definition in pairs)
    messages, tools = tool_prompt.place(chat, given, called, tool_format)
    if not chat.shape.takes_parallel_calls:
        request = replace(request, choice=replace(request.choice, many=False))
    marks = reasoning.marks_of(tokenizer)
    return Plan(request, tokenizer, messages, tools, tool_format, marks, is_marked)


def prepare_constraints(tokenizer: Tokenizer) -> None:
    """Makes the token table that the first constrained answer would make."""
    spelled = _spelled(tool_prompt.format_for(tokenizer), reasoning.marks_of(tokenizer))
    grammars_of(tokenizer, spelled).prepare()


def _spelled(tool_format: ToolFormat, thinking: reasoning.Marks | None) -> tuple[str, ...]:
    """All marks of a model: of reasoning and of calls."""
    return (*(() if thinking is None else thinking.spelled), *tool_format.spelled)
