"""What the default precision costs: perplexity against the same engine in float32.

    python bench/perplexity.py FOLDER --text FILE
    python bench/perplexity.py FOLDER --random 512

By default activations may be rounded and the KV cache is in half precision (docs/kernels.md). The
first form compares perplexities of a text, read by a prefill and token by token. The second is for
a checkpoint of random weights, which gives any text the same: random tokens are read, logits are
sharpened until float32's own perplexity is that of a trained model, and what the default's
distribution costs when float32's is the truth, exp(KL), is the increase. CONVERGIO_MLX_EXACT=1
makes the oracle, in a process of its own.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
WINDOW = 2048
"""Tokens of a text that one context holds."""
SHARP = 10.0
"""The perplexity that random weights are sharpened to."""


def logits_of(folder: Path, tokens: list[int], chunk: int, exact: bool) -> Array:
    """(len(tokens), vocab_size), by forwards of `chunk` tokens each, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, _set_exact, (exact,)) as pool:
        return pool.submit(_logits, folder, tokens, chunk).result()


def _set_exact(exact: bool) -> None:
    os.environ["CONVERGIO_MLX_EXACT"] = "1" if exact else "0"


def _logits(folder: Path, tokens: list[int], chunk: int) -> Array:
    import convergio_mlx

    with convergio_mlx.Engine.load(folder) as engine:
        return np.asarray(engine.logits(tokens, chunk=chunk))


def log_softmax(logits: Array) -> Iterator[Array]:
    """Row by row in float64: a vocabulary times a window would be gigabytes."""
    for row in logits:
        wide = row.astype(np.float64)
        wide -= wide.max()
        yield wide - math.log(np.exp(wide).sum())


def perplexity(logits: Array, tokens: list[int]) -> float:
    """exp of the mean negative log probability of each token after the first."""
    rows = zip(log_softmax(logits[:-1]), tokens[1:], strict=True)
    return math.exp(-sum(float(row[token]) for row, token in rows) / (len(tokens) - 1))


def own_perplexity(logits: Array) -> float:
    """exp of the mean entropy."""
    rows = [float(-(np.exp(row) * row).sum()) for row in log_softmax(logits)]
    return math.exp(sum(rows) / len(rows))


def sharpness(logits: Array) -> float:
    """The factor that brings own_perplexity to SHARP, found by halving."""
    low, high = 2.0**-10, 2.0**10
    some = logits[:: max(1, len(logits) // 32)]
    for _ in range(24):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if own_perplexity(some * middle) > SHARP else (low, middle)
    return low


def divergence(truth: Array, other: Array) -> float:
    """Mean over the rows of KL(truth || other), in nats."""
    pairs = zip(log_softmax(truth), log_softmax(other), strict=True)
    return sum(float((np.exp(p) * (p - q)).sum()) for p, q in pairs) / len(truth)


def of_text(folder: Path, text: str) -> Iterator[tuple[str, float, float]]:
    """Name, perplexity, and its increase over float32's, for each way to compute."""
    import convergio_mlx

    with convergio_mlx.Engine.load(folder) as engine:
        tokens = list(engine.tokenizer.encode(text))[:WINDOW]
    exact = perplexity(logits_of(folder, tokens, 512, exact=True), tokens)
    yield "float32", exact, 0.0
    for name, chunk in (("prefill", 512), ("token by token", 1)):
        value = perplexity(logits_of(folder, tokens, chunk, exact=False), tokens)
        yield name, value, value / exact - 1


def of_random(folder: Path, count: int) -> Iterator[tuple[str, float, float]]:
    """The same for random tokens and sharpened logits."""
    import convergio_mlx

    with convergio_mlx.Engine.load(folder) as engine:
        size = engine.vocab_size
    tokens = [int(t) for t in np.random.default_rng(7).integers(0, size, count)]
    truth = logits_of(folder, tokens, 512, exact=True)
    factor = sharpness(truth)
    truth *= factor
    exact = own_perplexity(truth)
    yield "float32", exact, 0.0
    for name, chunk in (("prefill", 512), ("token by token", 1)):
        other = logits_of(folder, tokens, chunk, exact=False) * factor
        increase = math.expm1(divergence(truth, other))
        yield name, exact * (1 + increase), increase


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", type=Path, metavar="FILE", help="a text for trained weights")
    what.add_argument("--random", type=int, metavar="N", help="N random tokens, for random weights")
    arguments = parser.parse_args()
    rows = (
        of_text(arguments.folder, arguments.text.read_text("utf-8"))
        if arguments.text
        else of_random(arguments.folder, arguments.random)
    )
    for name, value, increase in rows:
        print(f"{name:15} perplexity {value:9.4f}   {100 * increase:+8.4f} %", flush=True)


if __name__ == "__main__":
    main()
