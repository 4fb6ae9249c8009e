"""Logits by an engine that computes in float32 from end to end (CONVERGIO_MLX_EXACT=1): in a
process of its own, as an engine reads that once."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import convergio_mlx as cm


def _be_exact() -> None:
    os.environ["CONVERGIO_MLX_EXACT"] = "1"


@cache
def _process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _be_exact)


def _logits(
    folder: Path, tokens: tuple[int, ...], chunks: tuple[int, ...]
) -> list[np.ndarray[Any, Any]]:
    with cm.Engine.load(folder) as engine:
        return [np.asarray(engine.logits(tokens, chunk=chunk)) for chunk in chunks]


@cache
def engine_logits(
    folder: Path, tokens: tuple[int, ...], chunks: tuple[int, ...] = (512,)
) -> list[np.ndarray[Any, Any]]:
    """For each of `chunks`, at every token, (len(tokens), vocab_size), by forwards of so many."""
    return _process().submit(_logits, folder, tokens, chunks).result()
