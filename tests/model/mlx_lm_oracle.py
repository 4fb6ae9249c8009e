"""mlx-lm as a reference: the same folder, computed in float32 or another dtype."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map

TOLERANCE = 1e-4
"""Absolute, on logits of order 1."""


@contextmanager
def _model(folder: Path, dtype: str = "float32") -> Iterator[Any]:
    """mlx-lm's model of a folder.

    All floats of the checkpoint, scales and biases too, are cast to a dtype: on CPU the engine
    computes in float32 from the numbers that the file has.
    """

    def cast(value: Any) -> Any:
        return (
            value.astype(getattr(mx, dtype)) if mx.issubdtype(value.dtype, mx.floating) else value
        )

    from mlx_lm.utils import load_model

    mx.disable_compile()  # compiling means calling the system's C++ compiler, at each new shape
    try:
        model, _ = load_model(folder, lazy=True)
        model.update(tree_map(cast, model.parameters()))
        yield model
    finally:
        mx.enable_compile()


def logits(folder: Path, tokens: list[int], dtype: str = "float32") -> np.ndarray[Any, Any]:
    """mlx-lm's logits at every token, (len(tokens), vocab_size), in one forward without a cache."""
    with _model(folder, dtype) as model:
        return np.array(model(mx.array([tokens]))[0].astype(mx.float32))


def greedy(folder: Path, prompt: list[int], count: int) -> list[int]:
    """The `count` likeliest tokens after a prompt, chosen by mlx-lm's own loop with its cache."""
    from mlx_lm.generate import generate_step

    with _model(folder) as model:
        steps = generate_step(mx.array(prompt), model, max_tokens=count)
        return [int(token) for token, _ in steps]
