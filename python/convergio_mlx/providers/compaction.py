"""Older messages of a conversation replaced by a summary, or by a note that they are gone."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from convergio_mlx.errors import ConvergioError, InferenceError
from convergio_mlx.generation.sampling import SamplingParams
from convergio_mlx.text.messages import as_text

if TYPE_CHECKING:
    from convergio_mlx.providers.interface import Provider

Message = dict[str, Any]

_MOST_SUMMARY_TOKENS = 1024
_FRAME_TOKENS = 64
"""What a chat template puts around a single question, at most."""
_TASK = (
    "Below is the beginning of a conversation that you will continue without seeing it again. "
    "Summarize it in the language it is held in. Keep what was asked for, what was decided, names, "
    "numbers, results of tools, and what is still open. Write the summary alone.\n\n"
)
_SUMMARY = "Summary of our conversation until now:\n\n"
_GONE = "(Messages before this one were left out, since there was no room for them.)"
_NOTED = "Understood."


@dataclass(frozen=True)
class Compaction:
    """What was done to a conversation."""

    kind: Literal["summary", "truncation"]
    """summary: the older messages were replaced by one; truncation: there is nothing of them."""
    replaced: int
    """Messages that the model does not see any more."""
    kept: int
    """Messages that it still sees, the newest."""
    tokens_before: int
    tokens_after: int
    threshold: int
    """Tokens that it was to have at most."""
    model: str
    summary: str | None = None
    problem: str | None = None
    """Why there is no summary."""

    def __str__(self) -> str:
        """In a sentence."""
        how = "replaced by a summary" if self.kind == "summary" else "left out"
        why = "" if self.problem is None else f" (no summary: {self.problem})"
        return (
            f"[conversation] the oldest {self.replaced} messages were {how}{why}, the newest "
            f"{self.kept} kept: {self.tokens_before} tokens became {self.tokens_after}, of "
            f"{self.threshold} allowed."
        )


@dataclass(frozen=True)
class CompactionEvent:
    """How far the compaction of a conversation is: one when it begins, one for each piece that was
    summarized, and one, the last, with what was done."""

    summarized: int
    """Messages that are part of the summary so far."""
    messages: int
    """Messages that the compaction began with."""
    compaction: Compaction | None = None
    """What was done; None until the last event."""


def boundary(messages: Sequence[Message], keep: int) -> int:
    """Where to cut so that the newest `keep` messages stay: earlier where that would part a
    tool's result from the message that called it."""
    cut = max(len(messages) - keep, 0)
    while cut and messages[cut]["role"] == "tool":
        cut -= 1
    return cut


def next_boundary(messages: Sequence[Message], cut: int) -> int:
    """The first place after `cut` where messages can be parted; the end where there is none."""
    cut += 1
    while cut < len(messages) and messages[cut]["role"] == "tool":
        cut += 1
    return min(cut, len(messages))


def note(summary: str | None, gone: bool, first_kept: Message) -> list[Message]:
    """What stands for the older messages: a summary, a word that some are gone, or both. A user's
    message, and an answer to it where the next one is a user's too, since many templates want the
    two to alternate."""
    parts = [] if summary is None else [_SUMMARY + summary]
    parts += [_GONE] if gone else []
    said = [{"role": "user", "content": "\n\n".join(parts)}]
    if first_kept["role"] == "user":
        said.append({"role": "assistant", "content": _NOTED})
    return said


Summarizing = Generator[CompactionEvent, None, str]


def summarize(
    provider: Provider, model: str, messages: Sequence[Message], window: int
) -> Summarizing:
    """A summary of some messages, written by a model. What does not fit its window at once is
    summarized in pieces, each together with the summary so far. Yields how far it is before each
    piece, and returns the summary.

    Args:
        provider: whose model it is.
        model: who writes.
        messages: at least one.
        window: tokens of prompt and answer together that may be used.

    Raises:
        ConvergioError: the model fails, or its summary is empty or no shorter than the messages.
    """
    most = min(_MOST_SUMMARY_TOKENS, max(window // 8, 1))
    room = window - most - _FRAME_TOKENS - provider.estimate_tokens(_TASK, model)
    lines = [_line(message) for message in messages]
    sizes = [provider.estimate_tokens(line, model) + 1 for line in lines]
    summary = ""
    while lines:
        yield CompactionEvent(len(messages) - len(lines), len(messages))
        so_far = f"{_SUMMARY}{summary}\n\n" if summary else ""
        left = room - provider.estimate_tokens(so_far, model)
        count = _fitting(sizes, left)
        if count == 0:
            lines[0] = _shortened(provider, model, lines[0], left)
            count = 1
        prompt = f"{_TASK}{so_far}" + "\n".join(lines[:count])
        params = SamplingParams(temperature=0, max_tokens=most)
        response = provider.chat(model, None, prompt, params=params)
        summary = response.text.strip()
        if not summary or response.finish_reason == "cancelled":
            raise InferenceError("[conversation] the model wrote no summary; ask again.")
        del lines[:count], sizes[:count]
    whole = "\n".join(_line(message) for message in messages)
    if provider.estimate_tokens(summary, model) >= provider.estimate_tokens(whole, model):
        raise InferenceError(
            "[conversation] the model's summary is no shorter than what it summarizes; ask again."
        )
    return summary


def attempt(
    provider: Provider, model: str, messages: Sequence[Message], window: int
) -> Generator[CompactionEvent, None, tuple[str | None, str | None]]:
    """As `summarize`; returns a summary and None, or None and why there is no summary."""
    try:
        return (yield from summarize(provider, model, messages, window)), None
    except ConvergioError as error:
        return None, str(error)


def _line(message: Message) -> str:
    return f"{message['role']}: {as_text(message)}"


def _fitting(sizes: Sequence[int], room: int) -> int:
    """How many of the first fit into the room together."""
    used = 0
    for count, size in enumerate(sizes):
        used += size
        if used > room:
            return count
    return len(sizes)


def _shortened(provider: Provider, model: str, line: str, room: int) -> str:
    """As much of a text's beginning as fits into the room."""
    if room < 1:
        raise InferenceError(
            "[conversation] the model's window has no room for a summary; take a model with a "
            "larger one."
        )
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        if provider.estimate_tokens(line[:middle], model) < room:
            low = middle
        else:
            high = middle - 1
    return line[:low] + "…"
