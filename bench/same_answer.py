"""Does it change an answer how its prompt was cut, or what was reused of an earlier one?

    python bench/same_answer.py FOLDER [--conversations 20] [--tokens 48] [--logits-tokens 640]
        [--json FILE]

FOLDER is a model's, best a real one. Two measurements, neither of which is of speed:

- conversations of three turns, seeded, at several temperatures, with the KV cache of the turns
  before them and without (`prefix_cache_bytes=0`): the texts that differ, and the largest
  difference of the log-probabilities of a token that both chose after the same text;
- logits of one sequence computed in passes of one token (as decode steps are) and in passes of more
  (as a prefill is): the rows whose bits differ, and the largest difference, for each chunk size.

Set CONVERGIO_MLX_EXACT=1 or CONVERGIO_MLX_ISA to measure other kernels.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import convergio_mlx as cm

TEMPERATURES = (0.0, 0.7, 1.0, 1.2)
CHUNKS = (1, 2, 3, 4, 7, 8, 9, 16, 64, 512)
SUBJECTS = (
    "the tides", "bread", "a lighthouse", "Rome", "chess", "volcanoes", "honey bees", "glaciers",
    "the violin", "coffee", "maps", "owls", "the moon", "paper", "salt", "trains", "rain", "tea",
    "bridges", "the desert",
)  # fmt: skip
QUESTIONS = (
    "Tell me something surprising about {}.",
    "Explain {} to a child of seven.",
    "Write four lines of a poem about {}.",
    "What would a historian ask about {}?",
)
FOLLOW_UPS = (
    "Can you say that in one sentence?",
    "Why is that so?",
    "Give me an example.",
    "And what do people often get wrong about it?",
    "Now say it as a list of three points.",
)


@dataclass
class Outcome:
    """What differed at one temperature."""

    temperature: float
    conversations: int
    turns_that_differ: int
    conversations_that_differ: int
    largest_logprob_difference: float


@dataclass
class Rows:
    """What differed at one chunk size, against passes of one token."""

    chunk: int
    rows_that_differ: int
    largest_difference: float


def turn(
    engine: cm.Engine, messages: list[dict[str, str]], params: cm.SamplingParams
) -> tuple[str, list[tuple[int, float]]]:
    """An answer's text, and its tokens with their log-probabilities."""
    chunks = list(engine.generate(messages, params))
    chosen = [
        (token, one.logprob)
        for chunk in chunks
        for token, one in zip(chunk.token_ids, chunk.logprobs, strict=True)
    ]
    return "".join(chunk.text for chunk in chunks), chosen


def difference(one: list[tuple[int, float]], other: list[tuple[int, float]]) -> float:
    """The largest difference of log-probabilities up to the first token that differs."""
    largest = 0.0
    for (token, logprob), (other_token, other_logprob) in zip(one, other, strict=False):
        if token != other_token:
            break
        largest = max(largest, abs(logprob - other_logprob))
    return largest


def converse(
    reusing: cm.Engine, fresh: cm.Engine, number: int, params: dict[str, Any]
) -> tuple[int, float]:
    """One conversation: the turns whose texts differ, and the largest difference. Both engines are
    given the answers of the one that reuses, so that each turn is a comparison of its own."""
    dice = random.Random(number)
    subject = dice.choice(SUBJECTS)
    messages = [{"role": "user", "content": dice.choice(QUESTIONS).format(subject)}]
    differing, largest = 0, 0.0
    for _ in range(3):
        sampling = cm.SamplingParams(**params, seed=dice.randrange(1 << 30), logprobs=0)
        text, chosen = turn(reusing, messages, sampling)
        other_text, other_chosen = turn(fresh, messages, sampling)
        differing += text != other_text
        largest = max(largest, difference(chosen, other_chosen))
        messages.append({"role": "assistant", "content": text})
        messages.append({"role": "user", "content": dice.choice(FOLLOW_UPS)})
    return differing, largest


def conversations(
    reusing: cm.Engine, fresh: cm.Engine, count: int, tokens: int, temperature: float
) -> Outcome:
    """So many conversations at one temperature."""
    params = {"temperature": temperature, "max_tokens": tokens}
    outcomes = [converse(reusing, fresh, number, params) for number in range(count)]
    return Outcome(
        temperature,
        count,
        sum(turns for turns, _ in outcomes),
        sum(turns > 0 for turns, _ in outcomes),
        max(largest for _, largest in outcomes),
    )


def logits_rows(engine: cm.Engine, tokens: int) -> list[Rows]:
    """The logits of one sequence, by chunk size."""
    dice = random.Random(1)
    length = min(tokens, engine.context_window)
    ids = [dice.randrange(engine.vocab_size) for _ in range(length)]
    single = np.asarray(engine.logits(ids, chunk=1))
    found = []
    for chunk in CHUNKS:
        seen = np.asarray(engine.logits(ids, chunk=chunk))
        rows = int(np.any(seen.view(np.uint32) != single.view(np.uint32), axis=1).sum())
        found.append(Rows(chunk, rows, float(np.abs(seen - single).max())))
    return found


def main() -> None:
    """Prints what differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a model's folder")
    parser.add_argument("--conversations", type=int, default=20, help="at each temperature")
    parser.add_argument("--tokens", type=int, default=48, help="of an answer, at most")
    parser.add_argument("--logits-tokens", type=int, default=640, help="of the sequence; 0: none")
    parser.add_argument("--json", type=Path, help="also writes the figures there")
    args = parser.parse_args()
    started = time.perf_counter()
    found: dict[str, list[Any]] = {"logits": [], "conversations": []}
    with cm.Engine.load(args.folder) as reusing:
        if args.logits_tokens:
            found["logits"] = logits_rows(reusing, args.logits_tokens)
        for row in found["logits"]:
            print(
                f"passes of {row.chunk:>3} tokens: {row.rows_that_differ:>4} of "
                f"{args.logits_tokens} rows of logits differ from passes of one, by "
                f"{row.largest_difference:.1e} at most",
                flush=True,
            )
        if args.conversations:
            with cm.Engine.load(args.folder, prefix_cache_bytes=0) as fresh:
                for temperature in TEMPERATURES:
                    one = conversations(
                        reusing, fresh, args.conversations, args.tokens, temperature
                    )
                    found["conversations"].append(one)
                    print(
                        f"temperature {one.temperature}: {one.turns_that_differ} of "
                        f"{3 * one.conversations} answers, {one.conversations_that_differ} of "
                        f"{one.conversations} conversations differ; log-probabilities by "
                        f"{one.largest_logprob_difference:.1e} at most",
                        flush=True,
                    )
    print(f"{time.perf_counter() - started:.0f} s")
    if args.json:
        figures = {name: [asdict(one) for one in ones] for name, ones in found.items()}
        args.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
