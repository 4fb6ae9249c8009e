"""What a request for events needs: the messages to render, and how to hold and read the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, TypedDict

from convergio_mlx.answers import reasoning, tool_prompt
from convergio_mlx.answers.event_stream import EventParser
from convergio_mlx.answers.grammar import answer_grammar
from convergio_mlx.answers.reasoning_budget import ReasoningBudget
from convergio_mlx.answers.tool_calls import ToolChoice, parse_choice, parse_tools
from convergio_mlx.answers.tool_formats import ToolFormat
from convergio_mlx.answers.tool_parser import ToolParser
from convergio_mlx.constraint import Constraint
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.structured.matcher import GrammarConstraint
from convergio_mlx.structured.response_format import own_grammar
from convergio_mlx.structured.token_table import matchers_of
from convergio_mlx.text import messages as conversation
from convergio_mlx.text.detokenizer import Detokenizer
from convergio_mlx.text.tokenizer import Tokenizer


class Form(TypedDict, total=False):
    """Of what form an answer is to be."""

    tools: Sequence[Mapping[str, Any]] | None
    """OpenAI's tool definitions. They go through the chat template where it has a place for them,
    otherwise into the system message (docs/tools.md)."""
    tool_choice: str | Mapping[str, Any]
    """auto, none, required or `{"type": "function", "function": {"name": …}}`. What is called
    always parses, and fits the tool's parameters."""
    response_format: Mapping[str, Any] | None
    """What an answer that is no call must be: `{"type": "json_object"}`, `{"type": "json_schema",
    "json_schema": {"schema": …}}`, `{"type": "regex", "regex": …}`, `{"type": "choice", "choice":
    […]}` or `{"type": "grammar", "grammar": …}`."""
    reasoning_budget: int | None
    """Tokens of reasoning at most, for a model that reasons."""


@dataclass(frozen=True)
class Plan:
    """How one conversation is put to a model, and its answer held to a form and read."""

    tokenizer: Tokenizer
    messages: list[conversation.Message]
    tools: list[dict[str, Any]] | None
    """For the chat template."""
    notation: ToolFormat
    choice: ToolChoice
    response_format: Mapping[str, Any] | None
    marks: reasoning.Marks | None
    budget: int | None

    @property
    def spelled(self) -> tuple[str, ...]:
        """All marks of the model: of reasoning and of calls."""
        return _spelled(self.notation, self.marks)

    @property
    def reads_calls(self) -> bool:
        """Whether the answer may have calls."""
        return bool(self.choice.callable) and self.choice.mode != "none"

    def parser(self, prompt: Sequence[int]) -> EventParser:
        """What turns the answer to this prompt into events."""
        names = [tool.name for tool in self.choice.callable]
        tools = None
        if self.reads_calls:
            tools = ToolParser(self.notation, names, json_is_call=self.response_format is None)
        return EventParser(self._splitter(prompt), tools)

    def detokenizer(self) -> Detokenizer:
        """What turns the answer's tokens into the text that the parsers read."""
        shown = self.spelled[: None if self.reads_calls else -len(self.notation.spelled)]
        keeps_space = self.response_format is not None
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
        held = self._held(splitter, stop_tokens, vocab_size)
        if self.budget is None:
            return held
        if self.marks is None or splitter is None:
            raise InvalidRequestError(
                "[reasoning] this model marks no reasoning, so it has no budget of it; leave "
                "reasoning_budget out."
            )
        return ReasoningBudget(
            self.budget,
            end=self.tokenizer.encode(f"\n{self.marks.end}\n\n", add_special_tokens=False),
            splitter=splitter,
            detokenizer=self.detokenizer(),
            vocab_size=vocab_size,
            within=held,
        )

    def _held(
        self, splitter: reasoning.Splitter | None, stop_tokens: Sequence[int], vocab_size: int
    ) -> GrammarConstraint | None:
        inside = splitter is not None and splitter.is_thinking
        grammar = answer_grammar(
            self.choice,
            self.notation,
            self.response_format,
            self.marks,
            inside=inside,
            tokens=self.tokenizer.added_ids(self.spelled),
        )
        if grammar is None:
            return None
        matchers = matchers_of(self.tokenizer, self.spelled)
        matcher = matchers.fresh(grammar, own_grammar(self.response_format))
        return GrammarConstraint(matcher, vocab_size, stop_tokens)

    def _splitter(self, prompt: Sequence[int]) -> reasoning.Splitter | None:
        if self.marks is None:
            return None
        inside = reasoning.begins_inside(self.tokenizer, prompt, self.marks)
        return reasoning.Splitter(self.marks, inside)


def plan(
    tokenizer: Tokenizer,
    messages: Any,
    *,
    tools: Sequence[Mapping[str, Any]] | None = None,
    tool_choice: str | Mapping[str, Any] = "auto",
    response_format: Mapping[str, Any] | None = None,
    reasoning_budget: int | None = None,
) -> Plan:
    """Checks a request and makes its plan.

    Raises:
        InvalidRequestError: messages, tools or choice are not in OpenAI's shape.
    """
    given = parse_tools(tools)
    choice = parse_choice(tool_choice, given)
    notation = tool_prompt.notation_of(tokenizer)
    chat = tokenizer.chat_template(tools=bool(given))
    placed, definitions = tool_prompt.place(chat, messages, given, notation)
    return Plan(
        tokenizer,
        placed,
        definitions,
        notation,
        choice,
        response_format,
        reasoning.marks_of(tokenizer),
        None if reasoning_budget is None else _tokens(reasoning_budget),
    )


def prepare_constraints(tokenizer: Tokenizer) -> None:
    """Makes the token table that the first constrained answer would make."""
    matchers_of(
        tokenizer, _spelled(tool_prompt.notation_of(tokenizer), reasoning.marks_of(tokenizer))
    )


def _spelled(notation: ToolFormat, thinking: reasoning.Marks | None) -> tuple[str, ...]:
    """All marks of a model: of reasoning and of calls."""
    marks = () if thinking is None else (thinking.begin, thinking.end)
    return (*marks, *notation.spelled)


def _tokens(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, Integral) or int(given) < 0:
        raise InvalidRequestError(
            f"[reasoning] reasoning_budget is {given!r}, which must be a whole number of tokens, "
            "0 or more; give None for no budget."
        )
    return int(given)
