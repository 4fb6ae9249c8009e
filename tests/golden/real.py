"""What mlx-lm computes in float32 for the prompts of tests/real: smollm2.safetensors.

For each prompt the token ids, of which the last `ANSWER` are mlx-lm's greedy answer, and for each
token of the answer the log-probabilities of the `TOP` likeliest tokens before it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("smollm2.safetensors")
PROMPTS = Path(__file__).parents[1] / "real" / "prompts.json"
ANSWER = 64
"""Tokens of each answer."""
TOP = 32
"""Tokens a position whose log-probabilities are kept."""


@dataclass(frozen=True)
class Golden:
    """One prompt's."""

    tokens: list[int]
    top: np.ndarray[Any, Any]
    """(ANSWER, TOP) token ids, the likeliest first."""
    logprobs: np.ndarray[Any, Any]
    """(ANSWER, TOP) float32, natural logarithms."""


@cache
def prompts() -> list[dict[str, Any]]:
    """Each has a kind, and either messages or a text."""
    loaded: list[dict[str, Any]] = json.loads(PROMPTS.read_text())
    return loaded


@cache
def goldens() -> list[Golden]:
    """In the order of the prompts."""
    from safetensors.numpy import load_file

    stored = load_file(FILE)
    return [
        Golden(
            stored[f"{number}.tokens"].tolist(),
            stored[f"{number}.top"],
            stored[f"{number}.logprobs"],
        )
        for number in range(len(prompts()))
    ]


def log_softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Over the last axis, in float64."""
    wide = np.asarray(logits, dtype=np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    return np.asarray(wide - np.log(np.exp(wide).sum(axis=-1, keepdims=True)))


def divergence(golden: Golden, logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(ANSWER,) KL divergence in nats of `logits`, (ANSWER, vocab_size), from the golden ones, over
    the kept tokens and all others as one: no more than that over all tokens."""
    ours = np.take_along_axis(log_softmax(logits), golden.top.astype(np.int64), axis=-1)
    theirs = golden.logprobs.astype(np.float64)
    p, q = np.exp(theirs), np.exp(ours)
    rest_p = np.clip(1 - p.sum(axis=-1), 1e-12, None)
    rest_q = np.clip(1 - q.sum(axis=-1), 1e-12, None)
    return np.asarray((p * (theirs - ours)).sum(axis=-1) + rest_p * np.log(rest_p / rest_q))
