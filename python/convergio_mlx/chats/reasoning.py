"""A model's reasoning, separated from its answer while it is generated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from convergio_mlx.chats import channels
from convergio_mlx.chats.channels import Channels, ChannelSplitter
from convergio_mlx.chats.pieces import Piece, overlap
from convergio_mlx.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Marks:
    """What stands before and after a model's reasoning."""

    begin: str
    end: str
    channels: Channels | None = None
    """Of a model that writes its answer in several messages."""
    around_text: tuple[str, ...] = ()
    """Special tokens, in pairs, that may stand around an answer's text; nobody sees them."""

    @property
    def spelled(self) -> tuple[str, ...]:
        """All marks, which a vocabulary may have as special tokens."""
        others = () if self.channels is None else self.channels.spelled
        return tuple(dict.fromkeys(filter(None, (self.begin, self.end, *others))))

    @property
    def closing(self) -> str:
        """What ends reasoning that is to go on no longer."""
        return f"\n{self.end}\n\n" if self.channels is None else f"{self.end}{self.channels.start}"


KNOWN = (
    Marks("<think>", "</think>"),  # DeepSeek-R1, Qwen3, GLM, SmolLM3 and others
    Marks("[THINK]", "[/THINK]"),  # Magistral, Ministral 3
    Marks("<seed:think>", "</seed:think>"),
    Marks("<|channel>thought", "<channel|>"),  # Gemma 4
    Marks(  # Cohere
        "<|START_THINKING|>",
        "<|END_THINKING|>",
        around_text=(
            *("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
            *("<|START_TEXT|>", "<|END_TEXT|>"),
        ),
    ),
    Marks("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
)
IN_CHANNELS = tuple(Marks(known.begin, known.end, known) for known in channels.KNOWN)
_TAIL = 8
"""Tokens at a prompt's end in which an opening mark lies, where the template writes one."""


def marks_of(tokenizer: Tokenizer) -> Marks | None:
    """The marks of a model that reasons, found in its chat template or vocabulary; else None."""
    source = tokenizer.chat_templates.get("default", "")
    for marks in IN_CHANNELS:
        if marks.channels is not None and marks.channels.sign in source:
            return marks
    for marks in KNOWN:
        if marks.end in source or tokenizer.token_to_id(marks.end) is not None:
            return marks
    return None


def begins_inside(tokenizer: Tokenizer, prompt: Sequence[int], marks: Marks) -> bool:
    """Whether the prompt ends with the opening mark, so that the answer begins as reasoning."""
    tail = tokenizer.decode(prompt[-_TAIL:], skip_special_tokens=False)
    return tail.rstrip().endswith(marks.begin)


def splitter(marks: Marks, inside: bool) -> Splitter | ChannelSplitter:
    """What splits one answer."""
    return Splitter(marks, inside) if marks.channels is None else ChannelSplitter(marks.channels)


class Splitter:
    """Splits an answer into its reasoning and the rest. Space around either is of neither.

    What is given depends on the text alone and not on how it was cut into pieces.
    """

    def __init__(self, marks: Marks, inside: bool) -> None:
        """Begins an answer, in the midst of reasoning where `inside`."""
        self._marks = marks
        self._state: Literal["start", "inside", "after", "answer"] = "inside" if inside else "start"
        self._said = False  # reasoning was given out, so that space is a part of it
        self._pending = ""

    @property
    def is_thinking(self) -> bool:
        """Whether the text so far ends within reasoning."""
        return self._state == "inside"

    @property
    def may_think(self) -> bool:
        """Whether reasoning continues, or may still begin."""
        return self._state in ("start", "inside")

    def feed(self, text: str) -> list[Piece]:
        """Takes the next piece; returns what is certain now."""
        rest, self._pending = self._pending + text, ""
        out: list[Piece] = []
        if self._state == "start":
            rest = self._before(rest)
        if self._state == "inside":
            rest = self._inside(rest, out)
        if self._state == "after":
            rest = rest.lstrip()
            self._state = "answer" if rest else "after"
        if self._state == "answer":
            if rest:
                out.append(("text", rest))
        else:
            self._pending = rest
        return out

    def finish(self) -> list[Piece]:
        """Returns what was held back, now that no more will come."""
        kind: Literal["reasoning", "text"] = "reasoning" if self._state == "inside" else "text"
        rest, self._pending = self._pending, ""
        if kind == "reasoning":
            rest = rest.rstrip()
        return [(kind, rest)] if rest else []

    def _before(self, rest: str) -> str:
        stripped = rest.lstrip()
        if stripped.startswith(self._marks.begin):
            self._state = "inside"
            return stripped[len(self._marks.begin) :]
        if not self._marks.begin.startswith(stripped):
            self._state = "answer"
        return rest

    def _inside(self, rest: str, out: list[Piece]) -> str:
        thought, mark, after = rest.partition(self._marks.end)
        if not self._said:
            thought = thought.lstrip()
        if mark:
            self._state = "after"
            thought, rest = thought.rstrip(), after
        else:
            keep = thought[: len(thought) - overlap(thought, self._marks.end)].rstrip()
            thought, rest = keep, thought[len(keep) :]
        if thought:
            out.append(("reasoning", thought))
            self._said = True
        return rest
