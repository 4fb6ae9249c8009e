"""What a streamed answer consists of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from convergio_mlx.answers.tool_calls import ToolCall
from convergio_mlx.generation import GenerationStats, TokenLogprob

FinishReason = Literal["stop", "length", "tool_calls", "cancelled"]


@dataclass(frozen=True)
class TextEvent:
    """A piece of the answer's text; whole characters."""

    text: str


@dataclass(frozen=True)
class ReasoningEvent:
    """A piece of what the model thinks before it answers, without its marks."""

    text: str


@dataclass(frozen=True)
class ToolCallEvent:
    """A tool call, once all of it is there."""

    call: ToolCall
    complete: bool = True
    """False where the answer was cut (`max_tokens`, a stop string, `cancel`) inside the call: name
    and arguments are then what was written until there, and no JSON."""


@dataclass(frozen=True)
class FinishEvent:
    """The last event of an answer that did not fail."""

    reason: FinishReason
    """stop: the model ended; tool_calls: it ended and has called tools; length: `max_tokens` or the
    context window is spent; cancelled: the caller ended it."""
    stats: GenerationStats = field(default_factory=GenerationStats)
    token_ids: tuple[int, ...] = ()
    """All tokens of the answer, reasoning and calls included."""
    logprobs: tuple[TokenLogprob, ...] = ()
    """One for each token, where asked for."""


Event = TextEvent | ReasoningEvent | ToolCallEvent | FinishEvent


@dataclass(frozen=True)
class Answer:
    """A whole answer: what its events add up to."""

    text: str
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    """The complete ones."""
    cut_call: ToolCall | None
    """A call that was cut."""
    finish: FinishEvent

    def message(self) -> dict[str, object]:
        """The assistant message to go on with. Its reasoning is there under `reasoning_content`:
        the model's template decides what of it the next turn sees, most drop it."""
        message: dict[str, object] = {"role": "assistant", "content": self.text}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.tool_calls:
            message["tool_calls"] = [call.message() for call in self.tool_calls]
        return message


def whole(events: list[Event]) -> Answer:
    """Adds up the events of an answer that came to its end."""
    calls = [event for event in events if isinstance(event, ToolCallEvent)]
    return Answer(
        text="".join(event.text for event in events if isinstance(event, TextEvent)),
        reasoning="".join(event.text for event in events if isinstance(event, ReasoningEvent)),
        tool_calls=tuple(event.call for event in calls if event.complete),
        cut_call=next((event.call for event in calls if not event.complete), None),
        finish=next(event for event in events if isinstance(event, FinishEvent)),
    )
