"""What a model takes in memory, from its config.json and the sizes of its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convergio_mlx.errors import LoadError
from convergio_mlx.native import native

if TYPE_CHECKING:
    from convergio_mlx._native import Geometry
    from convergio_mlx.registry import RegistryEntry

PREFILL_CHUNK = 256
"""Tokens of a prompt that are run at once; other requests get their turn between. On a CPU more at
once go no faster, and what they take grows with them."""
_PROGRAM = 200_000_000
"""Bytes of the interpreter, the libraries and a tokenizer: a vocabulary of 128 thousand takes 77
MB, and 212 while its file is read."""


@dataclass(frozen=True)
class Need:
    """What a model takes at one length of context, in bytes."""

    context: int
    """Tokens of prompt and answer together."""
    weights: int
    kv_cache: int
    compute: int
    """The most that computing takes at a time, in prefill, and the program itself."""

    @property
    def total(self) -> int:
        """All together."""
        return self.weights + self.kv_cache + self.compute


@dataclass(frozen=True)
class Footprint:
    """A model's sizes, from its config.json and its files."""

    geometry: Geometry
    weights: int
    """Bytes of the files."""
    activation_bytes: int
    """Of a number that is computed with."""
    kv_bytes: int
    """Of a number in the KV cache."""

    @property
    def context_window(self) -> int:
        """The most tokens that the model takes."""
        return self.geometry.context_window

    def need(self, context: int) -> Need:
        """Bytes at a length of context. Layers with a sliding window keep two windows, or one and
        a chunk of the prompt (csrc/model/cache.cpp)."""
        sizes = self.geometry
        row = 2 * sizes.kv_heads * sizes.head_dim * self.kv_bytes
        rows = sum(
            min(context, max(2 * window, window - 1 + PREFILL_CHUNK)) if window else context
            for window in self._windows
        )
        return Need(context, self.weights, rows * row, self._compute(min(context, PREFILL_CHUNK)))

    def longest(self, memory: int) -> int:
        """The longest context that fits into so many bytes; 0 where none does."""
        low, high = 0, self.context_window
        while low < high:
            middle = (low + high + 1) // 2
            if self.need(middle).total <= memory:
                low = middle
            else:
                high = middle - 1
        return low

    @cached_property
    def _windows(self) -> list[int]:
        return self.geometry.windows

    def _compute(self, tokens: int) -> int:
        """The arrays that one layer has at a time, no less than what MLX counts at its peak (a
        test holds that), and a row of logits."""
        sizes = self.geometry
        query = sizes.heads * sizes.head_dim
        key = sizes.kv_heads * sizes.head_dim
        width = 5 * sizes.hidden_size + 3 * query + 3 * key + 3 * sizes.intermediate_size
        return tokens * width * self.activation_bytes + 8 * sizes.vocab_size + _PROGRAM


def footprint(config: Mapping[str, Any], weights: int) -> Footprint:
    """A model's footprint.

    Args:
        config: its config.json, or as much of it as sizes it.
        weights: bytes of its files.

    Raises:
        ModelCorruptError, UnsupportedModelError: the engine cannot run such a config.
        UnavailableError: MLX cannot run here.
    """
    core = native()
    geometry = core.geometry(json.dumps(dict(config)).encode())
    dtype = str(config.get("dtype") or config.get("torch_dtype") or "")
    width = 4 if core.backend() == "cpu" or dtype == "float32" else 2
    return Footprint(geometry, weights, width, 2 if core.keeps_half_cache() else width)


def folder_footprint(folder: Path) -> Footprint | None:
    """As `footprint`, of a model's folder; None where its files cannot be looked at, which loading
    it will tell better."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
        weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    except (OSError, ValueError, RecursionError):
        return None
    return footprint(config, weights) if isinstance(config, dict) else None


def entry_footprint(entry: RegistryEntry) -> Footprint | None:
    """As `footprint`, of a model that is not here yet; None where the registry does not say enough
    or the engine cannot run it."""
    if entry.config is None or entry.download_bytes is None or entry.context_window is None:
        return None
    config = {
        "model_type": entry.model_type,
        "max_position_embeddings": entry.context_window,
        **entry.config,
    }
    try:
        return footprint(config, entry.download_bytes)
    except LoadError:
        return None
