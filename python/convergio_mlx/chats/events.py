"""What a streamed answer consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from convergio_mlx.chats.response import ChatResponse
from convergio_mlx.chats.tools import ToolCall
from convergio_mlx.generation.stats import FinishReason, GenerationStats, TokenLogprob


@dataclass(frozen=True)
class TextEvent:
    """A piece of the answer's text; whole characters."""

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()
    """Of the tokens that it is made of, where asked for."""


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
class ToolResultEvent:
    """What a tool that `run_tools` called gave; what the model says next follows."""

    call: ToolCall
    content: str
    """The text that it returned, or the JSON of another value; `{"error": …}` where it raised."""

    def message(self) -> dict[str, Any]:
        """The tool's message, in OpenAI's shape."""
        call = self.call
        content = {"name": call.name, "content": self.content}
        return {"role": "tool", "tool_call_id": call.id, **content}


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
    stop_text: str | None = None
    earlier: tuple[GenerationStats, ...] = ()
    """What the rounds before took, where tools were run."""


StreamEvent = TextEvent | ReasoningEvent | ToolCallEvent | ToolResultEvent | FinishEvent
"""What a stream gives."""
SourceEvent = TextEvent | ReasoningEvent | ToolCallEvent | ToolResultEvent | End
"""What a source gives."""
