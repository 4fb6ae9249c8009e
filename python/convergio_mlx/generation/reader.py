"""A native request's tokens as chunks of text."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from convergio_mlx.errors import GenerationCancelledError, InvalidRequestError
from convergio_mlx.generation.stats import Chunk, FinishReason, GenerationStats, TokenLogprob
from convergio_mlx.text.stop_strings import StopStrings

if TYPE_CHECKING:
    from convergio_mlx.text.detokenizer import Detokenizer

POLL_SECONDS = 0.1
"""Between looks at signals while a thread waits: Ctrl-C is heard this fast."""


@dataclass(frozen=True)
class Prepared:
    """A request that is ready to be submitted, and how to read its tokens."""

    model: Any
    request: Any
    prompt: list[int]
    """Token ids."""
    detokenizer: Detokenizer
    stop_strings: StopStrings
    template_seconds: float
    tokenize_seconds: float
    grammar: Any = None
    """The native GrammarConstraint of the answer, which may still be compiled."""

    def is_compiled(self, timeout: float) -> bool:
        """Whether the request may be submitted: its grammar is compiled, or it is cancelled.
        Waits at most `timeout` seconds.

        Raises:
            InvalidRequestError: it was refused.
            DeadlineExceededError: the deadline passed.
        """
        if self.grammar is None or self.grammar.wait(timeout):
            return True
        try:
            self.request.check()
        except GenerationCancelledError:
            return True  # it is not needed: the worker ends the request
        return False


class Reader:
    """Turns what a native request gives into chunks; for one thread at a time."""

    def __init__(self, prepared: Prepared) -> None:
        """Submits nothing yet."""
        self.prepared = prepared
        self.finished = False
        self._process = os.getpid()
        self._reading = threading.Lock()
        self._stats: Any = None
        self._output_tokens = 0

    def wait_for_grammar(self) -> None:
        """Waits until the request's grammar is compiled; raises why it cannot be."""
        while not self.prepared.is_compiled(POLL_SECONDS):
            pass  # and Ctrl-C is heard

    async def compiled(self) -> None:
        """As `wait_for_grammar`, for asyncio."""
        import asyncio

        pause = 0.001
        while not self.prepared.is_compiled(0):
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.05)

    def submit(self) -> None:
        """Hands the request to the worker."""
        self.prepared.model.submit(self.prepared.request)

    def cancel(self) -> None:
        """Ends the request soon; from any thread."""
        self.prepared.request.cancel()

    def stats(self) -> GenerationStats:
        """What the request took up to the last chunk."""
        text = GenerationStats(
            template_seconds=self.prepared.template_seconds,
            tokenize_seconds=self.prepared.tokenize_seconds,
        )
        stats = self._stats
        if stats is None:
            return text
        return replace(
            text,
            queued_seconds=stats.queued,
            prefill_seconds=stats.prefill,
            decode_seconds=stats.decode,
            prompt_tokens=stats.prompt_tokens,
            cached_tokens=stats.cached_tokens,
            prefix_miss=stats.prefix_miss,
            prefix_missed_at=stats.prefix_missed_at,
            output_tokens=self._output_tokens,
            forced_tokens=stats.forced_tokens,
            drafted_tokens=stats.drafted_tokens,
            accepted_tokens=stats.accepted_tokens,
            draft_seconds=stats.drafting,
            draft_saved_seconds=stats.saved,
            mask_seconds=stats.mask,
            mask_wait_seconds=stats.mask_wait,
            kv_bytes=stats.kv_bytes,
        )

    def read(self, timeout: float | None) -> Chunk | None:
        """The next chunk, or None where nothing came in `timeout` seconds."""
        check_process(self._process)
        if not self._reading.acquire(blocking=False):
            raise already_read("engine")
        try:
            return self._read(timeout)
        finally:
            self._reading.release()

    def _read(self, timeout: float | None) -> Chunk | None:
        update = self.prepared.request.next(timeout)
        tokens = update.tokens
        finish = update.finish
        if not tokens and finish is None:
            return None
        self._stats = update.stats
        if finish == "error" and not tokens:
            self.finished = True
            update.raise_error()
        pieces, stopped = self._pieces(tokens)
        text, used = "".join(pieces), len(pieces)
        reason: FinishReason | None = None
        if stopped:
            self.cancel()
            reason = "stop"
        elif finish is not None and finish != "error":  # what came before an error is given first
            text += self._rest()
            reason = finish
        self._output_tokens += used
        self.finished = reason is not None
        kept = tokens[:used]
        logprobs = self._logprobs(kept, update.logprobs)
        return Chunk(text, tuple(kept), logprobs, reason, tuple(pieces))

    def _pieces(self, tokens: list[int]) -> tuple[list[str], bool]:
        """The text of each token up to a stop string, and whether one was met."""
        pieces: list[str] = []
        for token in tokens:
            text, stopped = self.prepared.stop_strings.feed(self.prepared.detokenizer.add(token))
            pieces.append(text)
            if stopped:
                return pieces, True
        return pieces, False

    def _rest(self) -> str:
        text, stopped = self.prepared.stop_strings.feed(self.prepared.detokenizer.finish())
        return text if stopped else text + self.prepared.stop_strings.finish()

    @staticmethod
    def _logprobs(tokens: list[int], logprobs: list[Any]) -> tuple[TokenLogprob, ...]:
        pairs = zip(tokens, logprobs, strict=False)
        return tuple(
            TokenLogprob(token, one[0], tuple(map(tuple, one[1])))
            for token, one in pairs
            if one is not None
        )


def check_process(made_in: int) -> None:
    """Refuses to read an answer in a process that was forked off.

    Raises:
        InvalidRequestError: the answer is being made in another process, `made_in`.
    """
    if os.getpid() != made_in:
        raise InvalidRequestError(
            "[engine] this answer is being made in the process that this one was forked off; "
            "ask for one in a process started with multiprocessing's 'spawn' method."
        )


def already_read(speaker: str) -> InvalidRequestError:
    """The error of a second reader of an answer, who is told by `speaker`."""
    return InvalidRequestError(
        f"[{speaker}] another thread, task or event loop is reading this answer; give each reader "
        "an answer of its own."
    )
