"""A whole answer: what was said, what it took, what it cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.errors import InferenceError
from convergio_mlx.generation.stats import FinishReason, GenerationStats, TokenLogprob
from convergio_mlx.platform.once import once
from convergio_mlx.structured.type_schemas import name_of
from convergio_mlx.structured.typed_values import problem_text, typed


@dataclass(frozen=True)
class TokenUsage:
    """Tokens of a request and what they cost."""

    input_tokens: int = 0
    output_tokens: int = 0
    """Of the answer, its reasoning and calls included."""
    cached_tokens: int = 0
    """Those of the input that came from the prefix cache."""
    estimated_cost: float = 0.0
    """Dollars; 0 for a local model."""
    reasoning_tokens: int = 0
    """Those of the output that are reasoning."""


@dataclass(frozen=True)
class Timings:
    """Seconds, as the caller waited."""

    first_event_seconds: float = 0.0
    """From the call (with asyncio: the first await) to the first piece of the answer; loading the
    model is part of it."""
    total_seconds: float = 0.0


@dataclass(frozen=True)
class ChatResponse:
    """A whole answer."""

    text: str
    finish_reason: FinishReason
    """stop: the model ended it; tool_calls: it ended and asks for calls; length: it was cut off;
    cancelled: this is what there was until then."""
    model: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    incomplete_tool_call: ToolCall | None = None
    """A call that was cut off: its arguments are no JSON."""
    reasoning: str = ""
    """What the model thought before it answered, where it tells."""
    usage: TokenUsage = TokenUsage()
    """Where tools were run, that of all rounds."""
    timings: Timings = Timings()
    stats: GenerationStats = field(default_factory=GenerationStats)
    """What the engine took; of a service elsewhere the counts of tokens alone."""
    token_ids: tuple[int, ...] = ()
    """All tokens of the answer, reasoning and calls included, where the model ran in this
    process."""
    logprobs: tuple[TokenLogprob, ...] = ()
    """One for each token, where asked for."""
    text_logprobs: tuple[TokenLogprob, ...] = ()
    """Those of the text's tokens, without reasoning, calls and marks."""
    stop_text: str | None = None
    """The text of `stop` that ended it."""
    tool_messages: tuple[dict[str, Any], ...] = ()
    """The calls that `run_tools` ran and their results: the messages between the question and this
    answer."""
    answer_type: Any = None
    """The type that was given as `response_format`."""

    @once
    def parsed(self) -> Any:
        """The answer as a value of the type that was given as `response_format`; None where none
        was, or the answer is calls.

        Raises:
            InferenceError: the answer was cut off, or the type's own checks refuse it.
        """
        if self.answer_type is None or self.tool_calls:
            return None
        try:
            return typed(self.answer_type, json.loads(self.text), "the answer")
        except (ValueError, TypeError, RecursionError) as error:
            cut = self.finish_reason != "stop"
            problem = f"it ended with {self.finish_reason!r}" if cut else problem_text(error)
            remedy = "allow more tokens" if self.finish_reason == "length" else "ask again"
            raise InferenceError(
                f"[chat] the answer is no {name_of(self.answer_type)} ({problem}); {remedy}."
            ) from error

    def message(self) -> dict[str, Any]:
        """The answer as a message in OpenAI's shape, for the next turn."""
        return assistant_message(self.text, self.reasoning, self.tool_calls)


def assistant_message(text: str, reasoning: str, calls: Sequence[ToolCall]) -> dict[str, Any]:
    """An answer as a message in OpenAI's shape."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if reasoning:
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = [call.message() for call in calls]
    return message
