"""What is measured, the same for each engine: a process reads one job from standard input, does
it and writes what it took to standard output, both as JSON."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Job:
    """A conversation of one or two turns, token ids throughout and each likeliest token taken."""

    model: str
    """The folder or file."""
    vocab_size: int
    prompt: int
    """Tokens of the first turn."""
    answer: int
    """Tokens made after it."""
    second_turn: int = 0
    """Tokens that a second turn adds to the first and its answer; 0 is none."""
    warm_up: bool = True
    """A prompt of 16 other tokens and an answer of 4 come first, unmeasured."""
    threads: int = 1
    constrained: int = 0
    """Tokens of two further answers to a message, the second of which must be JSON; 0 is none."""
    together: int = 0
    """Requests that are then answered at once, each of `prompt` other tokens; 0 is none."""

    @property
    def context(self) -> int:
        """Tokens of both turns together."""
        return self.prompt + self.answer + self.second_turn + 2


class Subject(Protocol):
    """An engine."""

    def load(self, job: Job) -> None:
        """Imports are done; makes the model ready to answer."""

    def answer(self, prompt: Sequence[int], count: int) -> Iterator[int]:
        """`count` tokens after `prompt`, each as soon as it is known. What is in the cache from
        the prompt before is used again where `prompt` begins with it."""

    def constrained(self, count: int) -> dict[str, float] | None:
        """Seconds that `count` tokens take after a message, `free` and `bound` to be JSON; None
        where that is not measured."""

    def together(self, prompts: Sequence[Sequence[int]], count: int) -> float | None:
        """Tokens a second of all prompts' answers, of `count` tokens each, while every one of them
        is decoded; None where that is not measured."""

    def detail(self) -> dict[str, Any]:
        """Its `device` (cpu, metal or cuda), and options that a reader of the row wants to know.
        Asked last, so it may measure what would disturb."""


def prompt_tokens(job: Job, count: int, seed: int) -> list[int]:
    """Tokens that are never special ones: the vocabulary's last are."""
    state, tokens = seed, []
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        tokens.append((state >> 33) % (job.vocab_size - 2))
    return tokens


def run(make: Any) -> None:
    """Serves the one job. `make` imports the engine and returns the Subject."""
    job = Job(**json.loads(sys.stdin.readline()))
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not mix with the answer
    start = time.perf_counter()
    subject: Subject = make()
    imported = time.perf_counter()
    subject.load(job)
    loaded = time.perf_counter()
    found: dict[str, Any] = {
        "import_seconds": imported - start,
        "load_seconds": loaded - imported,
        "loaded_resident_bytes": memory()["resident_bytes"],
    }
    if job.warm_up:
        list(subject.answer(prompt_tokens(job, 16, seed=2), 4))
    turn = prompt_tokens(job, job.prompt, seed=1)
    found["first_turn"], made = _turn(subject, turn, job.answer)
    if job.second_turn:
        turn = [*turn, *made, *prompt_tokens(job, job.second_turn, seed=3)]
        found["second_turn"], _ = _turn(subject, turn, 2)
    found |= memory()
    if job.constrained:
        found["constrained"] = subject.constrained(job.constrained)
    if job.together:
        prompts = [prompt_tokens(job, job.prompt, seed=10 + one) for one in range(job.together)]
        found["together"] = subject.together(prompts, job.answer)
    out.write(json.dumps(found | {"detail": subject.detail()}) + "\n")
    out.flush()


def _turn(subject: Subject, prompt: list[int], count: int) -> tuple[dict[str, Any], list[int]]:
    made: list[int] = []
    times: list[float] = []
    start = time.perf_counter()
    first_at = 0.0
    for token in subject.answer(prompt, count):
        times.append(time.perf_counter())
        first_at = first_at or time.monotonic()
        made.append(token)
    if len(made) != count:
        sys.exit(f"{len(made)} tokens were made instead of {count}")
    return {
        "prompt_tokens": len(prompt),
        "first_token_seconds": times[0] - start,
        "first_token_at": first_at,
        "answer_tokens": count,
        "decode_seconds": times[-1] - times[0],
    }, made


def memory() -> dict[str, int | None]:
    """Bytes resident now, at most so far, and now but for mapped files (None where the system
    does not say). getrusage would count what a parent had resident when it forked."""
    if sys.platform == "darwin":
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"resident_bytes": None, "peak_bytes": peak, "own_bytes": None}
    with open("/proc/self/status", encoding="ascii") as file:
        pairs = dict(line.split(":", 1) for line in file)
    names = {"resident_bytes": "VmRSS", "peak_bytes": "VmHWM", "own_bytes": "RssAnon"}
    return {name: int(pairs[theirs].split()[0]) * 1024 for name, theirs in names.items()}
