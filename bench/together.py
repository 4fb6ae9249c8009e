"""What requests that share passes give: tokens a second of all, and how a newcomer slows them.

    python bench/together.py --scratch FOLDER [--geometry llama-3.2-1b] [--together 1 2 4 8 16]
        [--context 128] [--tokens 40] [--newcomer 512] [--pause SECONDS ...]
        [--only ours] [--rounds 5] [--json FILE]

Each round measures in turn, for each number of requests, how many tokens they make a second, all
together, while every one of them decodes: ours, and llama.cpp with as many sequences and as many
bits a weight, each in a process of its own. Then, beside 4 requests that decode, a newcomer with a
prompt of so many tokens: the longest time between two tokens of any, with it and without, for each
bound on that (`Engine.prefill_pause`). Prompts but the newcomer's are cached before. Weights are
random, 4 bits in groups of 64 or Q4_0; medians are printed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import convergio_mlx as cm
from comparison.checkpoint import Checkpoints
from comparison.contender import CONTENDERS, Contender
from comparison.crowd import Crowd
from comparison.geometry import GEOMETRIES
from comparison.launch import launch
from comparison.progress import tell

COMPARED = ("ours affine-64", "llama_cpp Q4_0")
BESIDE = 4
"""Requests that decode beside a newcomer."""


def rate(contender: Contender, folder: Path, geometry: str, count: int, args: Any) -> float:
    """Tokens a second of `count` requests, measured in a process of its own."""
    job = {
        "model": str(Checkpoints(folder).path(geometry, contender)),
        "vocab_size": GEOMETRIES[geometry]["vocab_size"],
        "prompt": args.context,
        "answer": args.tokens,
        "threads": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "together": count,
    }
    measured = float(launch(contender.engine, job)["together"])
    tell(f"{contender.name} {count} together: {measured:.1f} tokens/s")
    return measured


def gaps(engine: cm.Engine, prompts: list[list[int]], newcomer: list[int]) -> dict[str, float]:
    """Longest seconds between two tokens of those who decode, before and while a prompt is run."""
    answers = [
        engine.generate(prompt, max_tokens=100_000, temperature=0, ignore_eos=True, speculate=False)
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
    longest = max(gap for gap, at in between if begin < at <= end)
    tell(f"a newcomer, pauses of {engine.prefill_pause} s: {longest:.3f} s at most")
    return {
        "alone": statistics.median(gap for gap, at in between if at < begin),
        "longest": longest,
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
    parser.add_argument("--newcomer", type=int, default=512, help="tokens of its prompt; 0 is none")
    parser.add_argument("--only", nargs="+", choices=["ours", "llama_cpp"], help="else both")
    parser.add_argument(
        "--pause",
        type=float,
        nargs="*",
        default=[],
        help="bounds of a newcomer's pause, in seconds",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also writes every sample there")
    args = parser.parse_args()
    dice = random.Random(1)

    def draw(count: int) -> list[int]:
        return [dice.randrange(300, 400) for _ in range(count)]

    contenders = [one for one in CONTENDERS if one.name in COMPARED]
    if args.only:
        contenders = [one for one in contenders if one.engine in args.only]
    rates: dict[tuple[str, int], list[float]] = {}
    bounds: list[float | None] = [None, *args.pause]
    pauses: dict[float | None, list[dict[str, float]]] = {bound: [] for bound in bounds}
    ours = CONTENDERS[0]
    with Crowd() as crowd:
        for _ in range(args.rounds):
            for count in args.together:
                for one in contenders:
                    found = rates.setdefault((one.name, count), [])
                    found.append(rate(one, args.scratch, args.geometry, count, args))
        if args.newcomer:
            with cm.Engine.load(Checkpoints(args.scratch).path(args.geometry, ours)) as engine:
                prompts = [draw(args.context) for _ in range(BESIDE)]
                for prompt in prompts:
                    engine.generate(prompt, max_tokens=1).text()
                for _, (bound, measured) in itertools.product(range(args.rounds), pauses.items()):
                    engine.prefill_pause = bound
                    measured.append(gaps(engine, prompts, draw(args.newcomer)))
    print(f"{args.geometry}, {args.context} tokens of context, {args.rounds} rounds")
    if crowd.share is not None:
        print(f"other processes took {crowd.share:.0%} of the machine")
    medians = {key: statistics.median(found) for key, found in rates.items()}
    for (name, count), median in medians.items():
        low, high = min(rates[name, count]), max(rates[name, count])
        single = medians[name, min(args.together)]
        line = f"{name:16} {count:3} together: {median:7.1f} tokens/s ({low:.1f} to {high:.1f})"
        print(f"{line}, {median / single:.2f} of {min(args.together)}", end="")
        against = [medians[theirs, n] for theirs, n in medians if n == count and theirs != name]
        print("".join(f", {median / one:.2f} of the other's" for one in against))
    if args.json:
        told = [{"bound": bound, "samples": measured} for bound, measured in pauses.items()]
        named = {f"{name} {count}": found for (name, count), found in rates.items()}
        args.json.write_text(json.dumps({"rates": named, "pauses": told}, indent=1))
    for bound, measured in pauses.items():
        if not measured:
            continue
        step, longest, first = (
            statistics.median(one[name] for one in measured)
            for name in ("alone", "longest", "first_token")
        )
        bounded = "as usual" if bound is None else f"a pause of {bound * 1e3:.0f} ms at most"
        print(
            f"{BESIDE} decode, a newcomer with {args.newcomer} tokens, {bounded}: "
            f"a step {step * 1e3:.0f} ms, the longest {longest * 1e3:.0f} ms "
            f"({longest / step:.1f} steps), its first token after {first:.2f} s"
        )


if __name__ == "__main__":
    main()
