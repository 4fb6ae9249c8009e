"""What requests that share passes give: tokens a second of all, and how a newcomer slows them.

    python bench/together.py --scratch FOLDER [--geometry llama-3.2-1b] [--together 1 2 4 8 16]
        [--context 128] [--tokens 40] [--newcomer 512] [--rounds 5] [--json FILE]

Each round measures in turn, for each number of requests, how many tokens they make a second, all
together, while every one of them decodes; then, beside 4 requests that decode, a newcomer with a
prompt of so many tokens: the longest time between two tokens of any, with it and without. Prompts
but the newcomer's are cached before. Weights are random, 4 bits in groups of 64; figures are
medians.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import convergio_mlx as cm
from comparison.checkpoint import checkpoint
from comparison.crowd import Crowd
from comparison.geometry import GEOMETRIES

QUANTIZED = {"quantization": {"group_size": 64, "bits": 4}}
BESIDE = 4
"""Requests that decode beside a newcomer."""


def times_of(engine: cm.Engine, prompt: list[int], count: int, gate: threading.Barrier) -> Any:
    """When each of `count` tokens of an answer came, by the clock."""
    params = cm.SamplingParams(temperature=0, max_tokens=count, ignore_eos=True)
    gate.wait()
    return [time.perf_counter() for _ in engine.generate(prompt, params)]


def rate(engine: cm.Engine, prompts: list[list[int]], count: int) -> float:
    """Tokens a second of all requests, from the last one's first to the first one's last token."""
    gate = threading.Barrier(len(prompts))
    with ThreadPoolExecutor(len(prompts)) as pool:
        times = list(pool.map(lambda prompt: times_of(engine, prompt, count, gate), prompts))
    begin, end = max(one[0] for one in times), min(one[-1] for one in times)
    made = sum(begin < at <= end for one in times for at in one)
    return made / (end - begin)


def gaps(engine: cm.Engine, prompts: list[list[int]], newcomer: list[int]) -> dict[str, float]:
    """Longest seconds between two tokens of those who decode, before and while a prompt is run."""
    answers = [
        engine.generate(prompt, max_tokens=100_000, temperature=0, ignore_eos=True)
        for prompt in prompts
    ]
    over = threading.Event()

    def times(answer: cm.Generation) -> list[float]:
        seen = []
        for _ in answer:
            seen.append(time.perf_counter())
            if over.is_set():
                answer.cancel()
        return seen

    with ThreadPoolExecutor(len(prompts)) as pool:
        reading = [pool.submit(times, answer) for answer in answers]
        while any(answer.stats.output_tokens < 12 for answer in answers):
            time.sleep(0.01)
        begin = time.perf_counter()
        stats = engine.generate(newcomer, max_tokens=1)
        stats.text()
        end = time.perf_counter()
        over.set()
        seen = [one.result() for one in reading]
    between = [
        (later - earlier, later) for one in seen for earlier, later in itertools.pairwise(one)
    ]
    return {
        "alone": statistics.median(gap for gap, at in between if at < begin),
        "longest": max(gap for gap, at in between if begin < at <= end),
        "first_token": end - begin,
    }


def main() -> None:
    """Prints the medians and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scratch", type=Path, required=True, help="where checkpoints lie")
    parser.add_argument("--geometry", choices=GEOMETRIES, default="llama-3.2-1b")
    parser.add_argument("--together", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--context", type=int, default=128, help="tokens of each prompt")
    parser.add_argument("--tokens", type=int, default=40, help="of each answer")
    parser.add_argument("--newcomer", type=int, default=512, help="tokens of its prompt")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also writes every sample there")
    args = parser.parse_args()
    dice = random.Random(1)

    def draw(count: int) -> list[int]:
        return [dice.randrange(300, 400) for _ in range(count)]

    rates: dict[int, list[float]] = {count: [] for count in args.together}
    pauses = []
    folder = checkpoint(args.scratch / args.geometry, GEOMETRIES[args.geometry] | QUANTIZED)
    with cm.Engine.load(folder) as engine, Crowd() as crowd:
        prompts = [draw(args.context) for _ in range(max(BESIDE, *args.together))]
        for prompt in prompts:
            engine.generate(prompt, max_tokens=1).text()
        for _ in range(args.rounds):
            for count, found in rates.items():
                found.append(rate(engine, prompts[:count], args.tokens))
            pauses.append(gaps(engine, prompts[:BESIDE], draw(args.newcomer)))
    medians = {count: statistics.median(found) for count, found in rates.items()}
    single = medians[min(medians)]
    print(f"{args.geometry}, {args.context} tokens of context, {args.rounds} rounds")
    if crowd.share is not None:
        print(f"other processes took {crowd.share:.0%} of the machine")
    for count, median in medians.items():
        low, high = min(rates[count]), max(rates[count])
        print(
            f"{count:3} together: {median:7.1f} tokens/s ({low:.1f} to {high:.1f}), "
            f"{median / single:.2f} of one"
        )
    step, longest, first = (
        statistics.median(one[name] for one in pauses)
        for name in ("alone", "longest", "first_token")
    )
    print(
        f"{BESIDE} decode, a newcomer with {args.newcomer} tokens: a step {step * 1e3:.0f} ms, "
        f"the longest {longest * 1e3:.0f} ms ({longest / step:.1f} steps), "
        f"its first token after {first:.2f} s"
    )
    if args.json:
        args.json.write_text(json.dumps({"rates": rates, "pauses": pauses}, indent=1))


if __name__ == "__main__":
    main()
