"""An answer on the screen or as JSON, and what a person is told after it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convergio_mlx.cli import exits
from convergio_mlx.cli.output import DIM, Stream
from convergio_mlx.cli.timings import Timings, peak_bytes, usage

if TYPE_CHECKING:
    from convergio_mlx.cli.options import AnswerOptions
    from convergio_mlx.generation.stats import FinishReason, GenerationStats


@dataclass(frozen=True)
class Piece:
    """A part of an answer as it is made; the last one says how the answer ended."""

    text: str = ""
    reasoning: str = ""
    finish_reason: FinishReason | None = None


@dataclass(frozen=True)
class Answer:
    """A complete answer."""

    text: str
    reasoning: str
    """What the model thought before it answered, where it says so."""
    finish_reason: FinishReason
    timings: Timings


class Screen:
    """Shows answers on two streams, as one set of options says."""

    def __init__(self, options: AnswerOptions, out: Stream, err: Stream) -> None:
        """Shows nothing yet; `load_seconds` is part of the next answer's first token."""
        self.options = options
        self.out = out
        self.err = err
        self.load_seconds = 0.0

    def show(
        self,
        pieces: Iterable[Piece],
        stats: Callable[[], GenerationStats],
        on_first: Callable[[], None],
    ) -> Answer:
        """Shows an answer as it is made, unless it is wanted as JSON. Reasoning is shown at a
        terminal, dimmed, and goes into no pipe or file.

        Args:
            pieces: the answer; what it raises is raised here, with the text so far on the screen.
            stats: the engine's statistics; called when the answer has ended.
            on_first: called before the first piece is shown.
        """
        texts: list[str] = []
        thoughts: list[str] = []
        finish: FinishReason = "stop"
        start = time.perf_counter()
        first: float | None = None
        try:
            for piece in pieces:
                if first is None:
                    first = time.perf_counter() - start
                    on_first()
                self._write(piece, is_first_text=not texts and bool(thoughts))
                if piece.text:
                    texts.append(piece.text)
                if piece.reasoning:
                    thoughts.append(piece.reasoning)
                finish = piece.finish_reason or finish
        finally:
            self.out.end_line()
        load, self.load_seconds = self.load_seconds, 0.0
        timings = Timings(load, load + (first or 0.0), stats(), peak_bytes())
        return Answer("".join(texts), "".join(thoughts), finish, timings)

    def _write(self, piece: Piece, *, is_first_text: bool) -> None:
        if self.options.json:
            return
        if piece.reasoning and self.out.is_terminal:
            self.out.write(piece.reasoning, style=DIM)
        if piece.text:
            if is_first_text and self.out.is_terminal:
                self.out.end_line()
                self.out.write("\n")
            self.out.write(piece.text)

    def conclude(self, answer: Answer, **fields: Any) -> None:
        """What follows an answer: the JSON object or a note, and the statistics.

        Args:
            answer: it has been shown already, where it is wanted as text.
            fields: what the JSON object says of the answer's text.
        """
        stats = answer.timings.stats
        if self.options.json:
            found = {
                "model": self.options.model,
                **fields,
                "finish_reason": answer.finish_reason,
                "usage": usage(stats),
                "timings": answer.timings.as_json(),
            }
            self.out.raw(json.dumps(found) + "\n")
        elif self.is_full(answer):
            used = stats.prompt_tokens + stats.output_tokens
            self.note(f"Cut off: the context window of {used} tokens is full.")
        elif answer.finish_reason == "length":
            self.note(f"Cut off: --max-tokens {self.options.max_tokens} is reached.")
        if self.options.stats:
            for line in answer.timings.lines():
                self.err.line(line)

    def conclude_message(self, answer: Answer) -> None:
        """As `conclude`, for an answer of a conversation."""
        message = {"role": "assistant", "content": answer.text}
        if answer.reasoning:
            message["reasoning_content"] = answer.reasoning
        self.conclude(answer, message=message)

    def exit_with(self, answer: Answer) -> None:
        """Ends the process with the exit code of a single answer that was interrupted."""
        if answer.finish_reason == "cancelled":
            sys.exit(exits.INTERRUPTED)

    def is_full(self, answer: Answer) -> bool:
        """Whether the context window ended an answer, not --max-tokens."""
        most = self.options.max_tokens
        cut = answer.finish_reason == "length"
        return cut and (most is None or answer.timings.stats.output_tokens < most)

    def note(self, text: str) -> None:
        """Tells the person at a terminal; written to no pipe or file."""
        if self.err.is_terminal:
            self.err.line(text, style=DIM)
