"""`convergio-mlx complete --batch`: a file of requests, their results as they come."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, Self

from convergio_mlx.cli import exits
from convergio_mlx.cli.batch_input import BatchFile, Line
from convergio_mlx.cli.batch_output import FileResults, StreamResults
from convergio_mlx.cli.options import AnswerOptions
from convergio_mlx.cli.output import Stream, standard_error, standard_output
from convergio_mlx.cli.progress import duration
from convergio_mlx.cli.timings import usage
from convergio_mlx.errors import ConvergioError, InvalidRequestError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from convergio_mlx.chats.request import ChatRequest
    from convergio_mlx.engine.batch import ChatCompletion, ChatJob, CompletionJob
    from convergio_mlx.engine.engine import Engine
    from convergio_mlx.generation.batch import Completion
    from convergio_mlx.generation.reader import Prepared
    from convergio_mlx.generation.sampling import SamplingParams
    from convergio_mlx.generation.stats import Chunk, GenerationStats
    from convergio_mlx.platform.deadline import Deadline


def run(given: argparse.Namespace) -> None:
    """Runs the requests of a file that have no result yet, and ends the process where some
    failed."""
    options, err = AnswerOptions.of(given), standard_error()
    source = BatchFile(given.batch, options.model)
    if given.output is not None and source.is_at(given.output):
        raise InvalidRequestError(
            "[batch] --output is the file of the requests; give another, so that they are kept."
        )
    ids = source.ids(err)
    results = (
        StreamResults(standard_output()) if given.output is None else FileResults(given.output)
    )
    with results:
        todo = len(ids - results.done)
        if todo:
            _run(source, results, options, err, todo)
        if err.is_terminal:
            answers = f"{len(ids)} result{'' if len(ids) == 1 else 's'}"
            err.line(f"{answers}, {results.failed} failed." if results.failed else f"{answers}.")
        if results.failed:
            sys.exit(exits.FAILURE)


def _run(
    source: BatchFile,
    results: StreamResults | FileResults,
    options: AnswerOptions,
    err: Stream,
    todo: int,
) -> None:
    from convergio_mlx.cli.models.offer import have
    from convergio_mlx.cli.waiting import Waiting
    from convergio_mlx.engine.engine import Engine
    from convergio_mlx.generation.batch import Batch

    have(options, err)
    progress = _Progress(err, todo)
    done = set(results.done)
    try:
        with Waiting(err, f"loading {options.model}"):
            engine = Engine.load(
                options.model, draft_model=options.draft_model, force=options.force
            )
            _ = engine.tokenizer.stop_ids
        jobs = (
            _LineJob(line, engine, options)
            for line in source.requests()
            if line.custom_id not in done
        )
        with progress, closing(Batch(jobs)) as batch:
            for record, stats in batch:
                results.write(record)
                progress.add(stats, failed=record["error"] is not None)
    except KeyboardInterrupt:
        if err.is_terminal:  # it has just written ^C
            err.raw("\n")
        again = "" if isinstance(results, StreamResults) else "; the same command goes on from here"
        err.line(f"Stopped at {progress.done} of {todo}{again}.")
        sys.exit(exits.INTERRUPTED)


class _LineJob:
    """A line's request, whose result is what is written of it, and what it took."""

    def __init__(self, line: Line, engine: Engine, options: AnswerOptions) -> None:
        self._line = line
        self._options = options
        self._job: CompletionJob | ChatJob
        if line.prompt is not None:
            self._job = engine.prompt_job(0, line.prompt, self._params, timeout=options.timeout)
        else:
            self._job = engine.chat_job(0, options.model, self._chat)

    def _params(self) -> SamplingParams:
        return self._line.params(self._options.sampling())

    def _chat(self) -> ChatRequest:
        options = {"timeout": self._options.timeout, **self._line.chat}
        tools = options.pop("tools", None)
        from convergio_mlx.chats.request import ChatRequest

        return ChatRequest.of("complete", self._line.messages, self._params(), tools, options)

    @property
    def timeout(self) -> float | None:
        seconds: float | None = self._job.timeout
        return seconds

    def prepare(self, deadline: Deadline) -> Prepared:
        prepared: Prepared = self._job.prepare(deadline)
        return prepared

    def add(self, chunk: Chunk, stats: Callable[[], GenerationStats]) -> None:
        self._job.add(chunk, stats)

    def result(
        self, stats: GenerationStats, error: ConvergioError | None
    ) -> tuple[dict[str, Any], GenerationStats]:
        whole = self._job.result(stats, error)
        if error is not None:
            failure = {"code": error.code.value, "message": str(error)}
            return _record(self._line, None, failure), stats
        kind = "chat.completion" if self._line.prompt is None else "text_completion"
        body = {
            "object": kind,
            "model": self._options.model,
            "choices": [{"index": 0, **_choice(whole)}],
            "usage": usage(_stats(whole)),
        }
        return _record(self._line, {"status_code": 200, "body": body}, None), stats


def _record(line: Line, response: Any, error: Any) -> dict[str, Any]:
    return {"custom_id": line.custom_id, "response": response, "error": error}


def _choice(whole: Completion | ChatCompletion) -> dict[str, Any]:
    from convergio_mlx.generation.batch import Completion

    if isinstance(whole, Completion):
        return {"text": whole.text, "finish_reason": whole.finish_reason}
    assert whole.response is not None  # there was no error
    return {"message": whole.response.message(), "finish_reason": whole.response.finish_reason}


def _stats(whole: Completion | ChatCompletion) -> GenerationStats:
    """What it took; of a chat with the tokens of its reasoning, which the events know."""
    from convergio_mlx.generation.batch import Completion

    if isinstance(whole, Completion):
        return whole.stats
    assert whole.response is not None
    return whole.response.stats


class _Progress:
    """How far it is, on a line of the terminal; nothing without one."""

    def __init__(self, stream: Stream, total: int) -> None:
        self._stream = stream
        self._total = total
        self.done = 0
        self._failed = 0
        self._tokens = 0
        self._began = time.monotonic()
        self._rich: Progress | None = None
        self._task: TaskID | None = None

    def add(self, stats: GenerationStats, *, failed: bool) -> None:
        """One more result."""
        self.done += 1
        self._failed += failed
        self._tokens += stats.output_tokens
        if self._rich is not None and self._task is not None:
            self._rich.update(self._task, completed=self.done, told=self._told())

    def _told(self) -> str:
        parts = [f"{self.done} of {self._total}"]
        spent = time.monotonic() - self._began
        if self._failed:
            parts.append(f"{self._failed} failed")
        if self.done:
            parts.append(f"{self._tokens / max(spent, 1e-3):.0f} tokens/s")
            left = spent / self.done * (self._total - self.done)
            parts.append(f"{duration(left)} left")
        return ", ".join(parts)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        if self._stream.is_terminal and not self._stream.is_dumb:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            self._rich = Progress(
                BarColumn(bar_width=12 if self._stream.columns < 70 else 20),
                TextColumn("{task.fields[told]}", markup=False),
                console=Console(stderr=True),
                transient=True,
            )
            self._rich.start()
            self._task = self._rich.add_task("", total=self._total, told=self._told())
        return self

    def __exit__(self, *_: object) -> None:
        if self._rich is not None:
            self._rich.stop()
            self._rich = None
