"""What a streamed answer consists of."""

from __future__ import annotations

from dataclasses import dataclass

from convergio_mlx.chats.response import ChatResponse
from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.generation.stats import FinishReason, GenerationStats, TokenLogprob


@dataclass(frozen=True)
class TextEvent:
    """A piece of the answer's text; whole characters."""

    text: str


@dataclass(frozen=True)
class ReasoningEvent:
    """A piece of the model's reasoning, without its marks."""

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
    """The last event of an answer that did not fail: the whole answer."""

    response: ChatResponse

    @property
    def reason(self) -> FinishReason:
        """Why it ended; see `ChatResponse.finish_reason`."""
        return self.response.finish_reason

    @property
    def stats(self) -> GenerationStats:
        """What it took."""
        return self.response.stats


@dataclass(frozen=True)
class End:
    """How a source's answer ended; the stream that reads it makes the `FinishEvent`."""

    reason: FinishReason
    stats: GenerationStats
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()


StreamEvent = TextEvent | ReasoningEvent | ToolCallEvent | FinishEvent
"""What a stream gives."""
SourceEvent = TextEvent | ReasoningEvent | ToolCallEvent | End
"""What a source gives."""
