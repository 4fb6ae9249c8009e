"""A whole answer: what was said, what it took, what it cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.generation.stats import FinishReason, GenerationStats, TokenLogprob


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
    timings: Timings = Timings()
    stats: GenerationStats = field(default_factory=GenerationStats)
    """What the engine took; of a service elsewhere the counts of tokens alone."""
    token_ids: tuple[int, ...] = ()
    """All tokens of the answer, reasoning and calls included, where the model ran in this
    process."""
    logprobs: tuple[TokenLogprob, ...] = ()
    """One for each token, where asked for."""

    def message(self) -> dict[str, Any]:
        """The answer as a message in OpenAI's shape, for the next turn."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.tool_calls:
            message["tool_calls"] = [call.message() for call in self.tool_calls]
        return message
