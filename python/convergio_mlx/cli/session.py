"""A loaded model that answers one prompt after another, onto the screen or as JSON."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import Any

from convergio_mlx.cli import exits
from convergio_mlx.cli.interrupts import Interrupts
from convergio_mlx.cli.options import AnswerOptions
from convergio_mlx.cli.output import DIM, Stream
from convergio_mlx.cli.timings import Timings, peak_bytes, usage
from convergio_mlx.cli.waiting import Waiting
from convergio_mlx.engine import Engine
from convergio_mlx.generation import FinishReason
from convergio_mlx.request import Prompt


@dataclass(frozen=True)
class Answer:
    """A text and how it came to its end."""

    text: str
    finish_reason: FinishReason
    timings: Timings


class Session:
    """One model, one set of options, and the two streams."""

    def __init__(self, options: AnswerOptions, out: Stream, err: Stream) -> None:
        """Loads the model, its tokenizer and its chat template.

        Raises:
            ConvergioError: an option cannot be honoured, or the model cannot be loaded.
        """
        self.options = options
        self.out = out
        self.err = err
        self._params = options.sampling()
        start = time.perf_counter()
        with Waiting(err, f"loading {options.model}"):
            self.engine = Engine.load(options.model, force=options.force)
            _ = self.engine.tokenizer.chat_stop_ids  # reads the template too
        self._load_seconds = time.perf_counter() - start

    def answer(self, prompt: Prompt) -> Answer:
        """Answers onto the screen, unless it is wanted as JSON. Ctrl-C ends it early.

        Raises:
            ConvergioError: the prompt cannot be honoured, or the computation failed; the text so
                far is on the screen.
            KeyboardInterrupt: Ctrl-C before there was an answer.
        """
        parts: list[str] = []
        finish: FinishReason = "stop"
        start = time.perf_counter()
        first: float | None = None
        generation = None
        try:
            with Waiting(self.err, "reading the prompt") as waiting, Interrupts() as interrupts:
                generation = self.engine.generate(
                    prompt, self._params, timeout=self.options.timeout
                )
                for chunk in interrupts.cancels(generation):
                    if first is None:
                        first = time.perf_counter() - start
                        waiting.done()
                    parts.append(chunk.text)
                    if not self.options.json:
                        self.out.write(chunk.text)
                    finish = chunk.finish_reason or finish
        finally:
            if generation is not None:
                generation.cancel()
            self.out.end_line()
        load, self._load_seconds = self._load_seconds, 0.0
        timings = Timings(load, load + (first or 0.0), generation.stats, peak_bytes())
        return Answer("".join(parts), finish, timings)

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
            self.note(
                f"Cut off: the context window of {self.engine.context_window} tokens is full."
            )
        elif answer.finish_reason == "length":
            self.note(f"Cut off: --max-tokens {self.options.max_tokens} is reached.")
        if self.options.stats:
            for line in answer.timings.lines():
                self.err.line(line)

    def conclude_message(self, answer: Answer) -> None:
        """As `conclude`, of an answer of a conversation."""
        self.conclude(answer, message={"role": "assistant", "content": answer.text})

    def exit_with(self, answer: Answer) -> None:
        """Ends the process with its exit code where the only answer was interrupted."""
        if answer.finish_reason == "cancelled":
            sys.exit(exits.INTERRUPTED)

    def is_full(self, answer: Answer) -> bool:
        """Whether the context window ended an answer."""
        stats = answer.timings.stats
        used = stats.prompt_tokens + stats.output_tokens
        return answer.finish_reason == "length" and used >= self.engine.context_window

    def note(self, text: str) -> None:
        """Something for the person at the terminal; nobody else gets to see it."""
        if self.err.is_terminal:
            self.err.line(text, style=DIM)
