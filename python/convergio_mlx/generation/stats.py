"""What an answer consists of, and what it took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

FinishReason = Literal["stop", "length", "tool_calls", "cancelled"]
"""stop: the model or a stop string ended the answer; tool_calls: it ended and asks for calls (chats
alone); length: `max_tokens` or the context window is spent; cancelled: the caller ended it."""
PrefixMiss = Literal[
    "", "off", "empty", "diverged", "evicted", "trimmed", "no snapshot", "other rotary table"
]


@dataclass(frozen=True)
class TokenLogprob:
    """A token's log-probability under the model's own distribution."""

    token_id: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()
    """The likeliest tokens at its place with theirs, likeliest first."""


@dataclass(frozen=True)
class Chunk:
    """What was decided since the last chunk."""

    text: str
    """Whole characters; may be empty while one is incomplete or a stop string may begin."""
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    """One for each token, where asked for."""
    finish_reason: FinishReason | None = None
    """Set in the last chunk: stop (the model or a stop string), length, cancelled."""
    pieces: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """What of the text each token made certain; in the last chunk some text may come after."""


@dataclass(frozen=True)
class GenerationStats:
    """What an answer took. Seconds and tokens."""

    template_seconds: float = 0.0
    tokenize_seconds: float = 0.0
    queued_seconds: float = 0.0
    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Of the prompt, those served from the KV cache of an earlier request."""
    prefix_miss: PrefixMiss = ""
    """Why no more were: off; empty; diverged (what is cached differs from the prompt at token
    `prefix_missed_at`); evicted (what continues to there was); trimmed (its sliding
    layers no longer hold the rows before there); no snapshot (its states have gone on, and none
    was kept between the tokens that were served and there); other rotary table (it was made for
    another length). '' where all of the prompt, or all that is cached of it, was served."""
    prefix_missed_at: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    """Of the output, those of its reasoning; of chats alone."""
    forced_tokens: int = 0
    """Of the output, those that a constraint forced and no step of the model was spent on."""
    drafted_tokens: int = 0
    """Tokens that passes ran before it was known whether they come."""
    accepted_tokens: int = 0
    """Of those, the ones that came: each saved a pass."""
    draft_seconds: float = 0.0
    """To find drafted tokens, by the text or a draft model, and to run them: beyond what passes
    take without."""
    draft_saved_seconds: float = 0.0
    """What the tokens that came would have taken, less `draft_seconds`; below 0 where drafts lost
    that much."""
    mask_seconds: float = 0.0
    """In the constraint, which works while the model computes."""
    mask_wait_seconds: float = 0.0
    """Of those, what the model may have waited for: calls that outlasted its step."""
    kv_bytes: int = 0

    @property
    def first_token_seconds(self) -> float:
        """From the call to the first token."""
        return (
            self.template_seconds
            + self.tokenize_seconds
            + self.queued_seconds
            + self.prefill_seconds
        )

    @property
    def prefill_tokens_per_second(self) -> float:
        """Prompt tokens a second."""
        tokens = self.prompt_tokens - self.cached_tokens
        return tokens / self.prefill_seconds if self.prefill_seconds > 0 else 0.0

    @property
    def decode_tokens_per_second(self) -> float:
        """Tokens a second after the first."""
        return (self.output_tokens - 1) / self.decode_seconds if self.decode_seconds > 0 else 0.0
