"""Whether a model fits into memory, in numbers, before any of it is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from convergio_mlx.errors import LoadError, OutOfMemoryError
from convergio_mlx.hardware.facts import Memory
from convergio_mlx.hardware.memory import memory as machine_memory
from convergio_mlx.memory import memory_use
from convergio_mlx.native import native

if TYPE_CHECKING:
    from convergio_mlx._native import Geometry
    from convergio_mlx.registry import RegistryEntry

PREFILL_CHUNK = 512
"""Tokens of a prompt that are run at once; other requests get their turn between."""
LEAST_CONTEXT = 2048
"""Tokens; a model that has no room for a conversation of this length is not loaded unasked."""
_PROGRAM = 200_000_000
"""Bytes of the interpreter, the libraries and a tokenizer: 171 MB were measured with a vocabulary
of 128 thousand."""

Verdict = Literal["fits", "shorter", "too large"]


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


@dataclass(frozen=True)
class Fit:
    """A model's footprint held against the memory that is there."""

    footprint: Footprint
    available: int
    """Bytes."""

    @cached_property
    def context(self) -> int:
        """The longest context that fits, in tokens; 0 where none does."""
        return self.footprint.longest(self.available)

    @property
    def least(self) -> Need:
        """What it takes to be loaded unasked: with `LEAST_CONTEXT` tokens, or its window."""
        return self.footprint.need(min(LEAST_CONTEXT, self.footprint.context_window))

    @property
    def verdict(self) -> Verdict:
        """fits: with its whole window; shorter: with a part of it; too large: with less than
        `LEAST_CONTEXT`."""
        if self.context >= self.footprint.context_window:
            return "fits"
        return "shorter" if self.context >= self.least.context else "too large"

    def __str__(self) -> str:
        """In a few words."""
        if self.verdict == "fits":
            return f"fits with all {self.footprint.context_window} tokens of context"
        if self.verdict == "shorter":
            return f"fits with a context of {self.context} tokens"
        return f"needs {size(self.least.total)}, {size(self.available)} available"

    @property
    def brief(self) -> str:
        """As `str`, for a narrow column."""
        if self.verdict == "fits":
            return f"fits, all {self.footprint.context_window} tokens"
        return f"fits, up to {self.context} tokens" if self.verdict == "shorter" else str(self)

    def as_json(self) -> dict[str, Any]:
        """The numbers: bytes and tokens."""
        need = self.least
        return {
            "verdict": self.verdict,
            "context": self.context,
            "context_window": self.footprint.context_window,
            "available_bytes": self.available,
            "least": {
                "context": need.context,
                "weights_bytes": need.weights,
                "kv_cache_bytes": need.kv_cache,
                "compute_bytes": need.compute,
                "total_bytes": need.total,
            },
        }


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


def fit_of_folder(folder: Path, memory: Memory | None) -> Fit | None:
    """How a model's folder fits; None where that cannot be told."""
    known = folder_footprint(folder)
    return None if known is None or memory is None else Fit(known, memory.available)


def fit_of_entry(entry: RegistryEntry, memory: Memory | None) -> Fit | None:
    """How a model of the registry fits; None where too little is known."""
    known = entry_footprint(entry)
    return None if known is None or memory is None else Fit(known, memory.available)


def memory_for_models() -> Memory | None:
    """The memory where MLX computes: a GPU's own; of an Apple GPU what macOS recommends, less what
    MLX holds; else the machine's or the control group's; and never more than the limit that was set
    leaves. None where the system does not tell."""
    use = memory_use()
    left = max(use.limit - use.active - use.weights, 0)
    core = native()
    backend = core.backend()
    known = core.gpu()
    if backend == "metal" and "max_recommended_working_set_size" in known:
        recommended = int(known["max_recommended_working_set_size"])
        total = int(known.get("memory_size", recommended))
        return Memory(total, min(max(recommended - use.active, 0), left))
    if backend == "cuda" and "free_memory" in known:
        return Memory(int(known.get("total_memory", 0)), min(int(known["free_memory"]), left))
    found = machine_memory()
    return Memory(found.total, min(found.available, left)) if found.total else None


def size(count: float) -> str:
    """Bytes for a person: 4.5 GB, 320 MB."""
    if count >= 999.5e6:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 999.5e3 else f"{count / 1e3:.0f} kB"


def check(name: str, folder: Path) -> None:
    """Refuses a model that does not fit into memory.

    Args:
        name: what the person called it.
        folder: where it lies.

    Raises:
        OutOfMemoryError: it does not fit; with the numbers, and what would.
        ModelCorruptError, UnsupportedModelError: the engine cannot run it at all.
    """
    memory = memory_for_models()
    fit = fit_of_folder(folder, memory)
    if memory is None or fit is None or fit.verdict != "too large":
        return
    need = fit.least
    other = _largest_that_fits(memory, below=need.weights)
    remedy = f", or take {other.id!r}, which fits" if other else ""
    raise OutOfMemoryError(
        f"[fit] {name[:200]!r} needs {size(need.total)} of memory ({size(need.weights)} of weights,"
        f" {size(need.kv_cache)} of KV cache for {need.context} tokens, {size(need.compute)} to "
        f"compute) and {size(memory.available)} is available; close other programs, force the "
        f"load with force=True or --force{remedy}."
    )


def _largest_that_fits(memory: Memory, below: int) -> RegistryEntry | None:
    """The largest model of the registry with fewer bytes than `below` that fits into memory."""
    from convergio_mlx.registry import load_registry

    smaller = [
        (found.footprint.weights, entry)
        for entry in load_registry()
        if (found := fit_of_entry(entry, memory)) is not None
        and found.verdict != "too large"
        and found.footprint.weights < below
    ]
    return max(smaller, key=lambda pair: pair[0])[1] if smaller else None
