"""What a model thinks before it answers, told apart from the answer while it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from convergio_mlx.text.tokenizer import Tokenizer

Piece = tuple[Literal["reasoning", "text"], str]


@dataclass(frozen=True)
class Marks:
    """What stands before and after a model's reasoning."""

    begin: str
    end: str


KNOWN = (Marks("<think>", "</think>"), Marks("[THINK]", "[/THINK]"))
"""Of DeepSeek-R1, Qwen3, SmolLM3 and others; of Magistral."""
_TAIL = 8
"""Tokens at a prompt's end in which an opening mark lies, where the template writes one."""


def marks_of(tokenizer: Tokenizer) -> Marks | None:
    """The marks of a model that reasons, found in its chat template or vocabulary; else None."""
    source = tokenizer.chat_templates.get("default", "")
    for marks in KNOWN:
        if marks.end in source or tokenizer.token_to_id(marks.end) is not None:
            return marks
    return None


def begins_inside(tokenizer: Tokenizer, prompt: Sequence[int], marks: Marks) -> bool:
    """Whether the prompt ends with the opening mark, so that the answer begins as reasoning."""
    tail = tokenizer.decode(prompt[-_TAIL:], skip_special_tokens=False)
    return tail.rstrip().endswith(marks.begin)


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
        """Whether reasoning goes on, or may still begin."""
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


def overlap(text: str, mark: str) -> int:
    """The length of the longest end of `text` that begins `mark`, and is not all of it."""
    for size in range(min(len(text), len(mark) - 1), 0, -1):
        if text.endswith(mark[:size]):
            return size
    return 0
