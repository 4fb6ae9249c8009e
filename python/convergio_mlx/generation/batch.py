"""Many prompts at once: their answers, as they come or in order."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, Self, TypeVar

from convergio_mlx.errors import ConvergioError
from convergio_mlx.generation.reader import (
    POLL_SECONDS,
    Prepared,
    Reader,
    already_read,
    check_process,
)
from convergio_mlx.generation.stats import Chunk, FinishReason, GenerationStats, TokenLogprob
from convergio_mlx.platform.deadline import Deadline
from convergio_mlx.platform.native import native

AHEAD = 32
"""Prompts that are taken before their answers were given out: as many as share a pass, and as many
again, so that no place in a pass waits for the reader."""


@dataclass(frozen=True)
class Completion:
    """The answer to one of many prompts, or why there is none."""

    index: int
    """Which prompt it answers, from 0."""
    text: str = ""
    """With an error, what there was until then."""
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    """One for each token, where asked for."""
    finish_reason: FinishReason | None = None
    """stop, length or cancelled; None with an error."""
    stats: GenerationStats = field(default_factory=GenerationStats)
    error: ConvergioError | None = None
    """Why the prompt has no whole answer; it concerns no other."""


ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)


class Job(Protocol[ResultT_co]):
    """One of many prompts: how it is prepared, and what becomes of its chunks."""

    @property
    def timeout(self) -> float | None:
        """Seconds from now until it must be complete; raises what is wrong with the request."""

    def prepare(self, deadline: Deadline) -> Prepared:
        """The request, of whose time some has passed; raises what is wrong with it."""

    def add(self, chunk: Chunk, stats: Callable[[], GenerationStats]) -> None:
        """Takes the next chunk."""

    def result(self, stats: GenerationStats, error: ConvergioError | None) -> ResultT_co:
        """What the chunks make; with the error that ended it."""


class Results(Generic[ResultT]):
    """What has ended and was not given out yet."""

    def __init__(self, ahead: int, *, ordered: bool) -> None:
        """Takes how many may be at work or waiting, and whether they are given out in order."""
        self._ahead = ahead
        self._ordered = ordered
        self._waiting: dict[int, ResultT] = {}
        self._taken = 0
        self._given = 0

    def has_room(self) -> bool:
        """Whether another one may be begun."""
        return self._taken - self._given < self._ahead

    def next_index(self) -> int:
        """That of one that is begun now."""
        self._taken += 1
        return self._taken - 1

    def put(self, index: int, result: ResultT) -> None:
        """One has ended."""
        self._waiting[index] = result

    def is_ready(self) -> bool:
        """Whether `pop` has one to give."""
        return self._given in self._waiting if self._ordered else bool(self._waiting)

    def pop(self) -> ResultT:
        """The next one to give out."""
        index = self._given if self._ordered else next(iter(self._waiting))
        self._given += 1
        return self._waiting.pop(index)


class Batch(Iterator[ResultT]):
    """Answers to many prompts: iterate over them, in one thread at a time. To leave it early, by
    `close()`, at the end of a `with` block or by dropping the last reference, cancels what is not
    finished. `close()` may be called from any thread."""

    def __init__(
        self,
        jobs: Iterator[Job[ResultT]],
        *,
        ahead: int = AHEAD,
        ordered: bool = False,
        on_close: Callable[[], object] | None = None,
    ) -> None:
        """Made by `Engine.generate_many`; takes no prompt before the first answer is asked for."""
        self._jobs: Iterator[Job[ResultT]] | None = jobs
        self._results: Results[ResultT] = Results(ahead, ordered=ordered)
        self._running: dict[int, tuple[Job[ResultT], Reader]] = {}
        self._notifier: Any = native().Notifier()
        self._process = os.getpid()
        self._reading = threading.Lock()
        self._ended = False
        self._on_close = on_close

    def __next__(self) -> ResultT:
        """The next answer; waits for it. Raises what the iterable of prompts raises; what goes
        wrong with a prompt is its result's error."""
        check_process(self._process)
        if not self._reading.acquire(blocking=False):
            raise already_read("engine")
        try:
            return self._next()
        except BaseException:
            self.close()
            raise
        finally:
            self._reading.release()

    def _next(self) -> ResultT:
        while not self._ended:
            self._fill()
            if self._results.is_ready():
                return self._results.pop()
            if not self._running:
                break
            for index in sorted(self._notifier.wait(POLL_SECONDS)):
                self._read(index)
        raise StopIteration

    def _fill(self) -> None:
        while (jobs := self._jobs) is not None and self._results.has_room():
            job = next(jobs, None)
            if job is None:
                self._jobs = None
            else:
                self._begin(self._results.next_index(), job)

    def _begin(self, index: int, job: Job[ResultT]) -> None:
        from convergio_mlx.generation.background import within

        try:
            reader = Reader(within(job.timeout, job.prepare))
            self._running[index] = (job, reader)
            reader.wait_for_grammar()
            reader.prepared.request.notify(self._notifier, index)
            reader.submit()
        except ConvergioError as error:
            self._running.pop(index, None)
            self._results.put(index, job.result(GenerationStats(), error))
        else:
            if self._jobs is None:  # cancelled meanwhile, by another thread
                reader.cancel()

    def _read(self, index: int) -> None:
        if index not in self._running:  # the rest of one that a stop string ended
            return
        job, reader = self._running[index]
        error: ConvergioError | None = None
        try:
            while not reader.finished and (chunk := reader.read(0)) is not None:
                job.add(chunk, reader.stats)
        except ConvergioError as failure:
            reader.cancel()
            error = failure
        if reader.finished or error is not None:
            del self._running[index]
            self._results.put(index, job.result(reader.stats(), error))

    def cancel(self) -> None:
        """Takes no further prompt, and ends the answers at work soon: they say "cancelled". From
        any thread."""
        self._jobs = None
        for _, reader in list(self._running.values()):
            reader.cancel()

    def close(self) -> None:
        """Cancels what is not finished; there are no further answers. Idempotent."""
        self._ended = True
        self.cancel()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()

    def __enter__(self) -> Self:
        """Closes at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Cancels what is not finished."""
        self.close()

    def __del__(self) -> None:
        """Cancels what nothing can read any more."""
        if not getattr(self, "_ended", True):
            self.close()
