"""Whether a model fits into memory, in numbers, before any of it is loaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from convergio_mlx.errors import OutOfMemoryError
from convergio_mlx.platform.hardware.facts import Memory
from convergio_mlx.platform.hardware.system_memory import memory as machine_memory
from convergio_mlx.platform.native import native
from convergio_mlx.platform.once import once
from convergio_mlx.sizing.footprint import (
    Footprint,
    Need,
    config_footprint,
    entry_footprint,
    folder_footprint,
)
from convergio_mlx.sizing.memory import memory_use

if TYPE_CHECKING:
    from convergio_mlx._native import Geometry
    from convergio_mlx.registry import RegistryEntry
    from convergio_mlx.text.model_folder import ModelFolder

LEAST_CONTEXT = 2048
"""Tokens; a model without room for a conversation of this length is loaded only by force."""

Verdict = Literal["fits", "shorter", "too large"]


@dataclass(frozen=True)
class Fit:
    """A model's footprint compared with the available memory."""

    footprint: Footprint
    available: int
    """Bytes."""

    @once
    def context(self) -> int:
        """The longest context that fits, in tokens; 0 where none does."""
        return self.footprint.longest(self.available)

    @property
    def least(self) -> Need:
        """What it takes with `LEAST_CONTEXT` tokens, or its window where that is shorter."""
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
            "active_weights_bytes": self.footprint.active_weights,
            "least": {
                "context": need.context,
                "weights_bytes": need.weights,
                "kv_cache_bytes": need.kv_cache,
                "compute_bytes": need.compute,
                "total_bytes": need.total,
            },
        }


def fit_of_folder(
    folder: Path | ModelFolder, memory: Memory | None, geometry: Geometry | None = None
) -> Fit | None:
    """How a model's folder fits; None where that is unknown."""
    known = folder_footprint(folder, geometry)
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
    left = max(use.limit - use.held, 0)
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


def check(
    name: str,
    folder: Path | ModelFolder,
    geometry: Geometry | None = None,
    draft: Path | ModelFolder | None = None,
) -> None:
    """Refuses a model that does not fit into memory.

    Args:
        name: what the person called it.
        folder: where it lies.
        geometry: that of its config.json, where that has been parsed already.
        draft: where a smaller model lies that is to draft for it.

    Raises:
        OutOfMemoryError: it does not fit; with the numbers, and what would.
        ModelCorruptError, UnsupportedModelError: the engine cannot run it at all.
    """
    memory = memory_for_models()
    known = folder_footprint(folder, geometry)
    if memory is None or known is None:
        return
    if draft is not None:
        known = replace(known, draft=folder_footprint(draft))
    _refuse_too_large(name, Fit(known, memory.available), memory, "load")


def check_config(name: str, config: bytes, weights: int) -> None:
    """As `check`, of a model that is not here yet.

    Args:
        name: what the person called it.
        config: its config.json.
        weights: bytes of its files of weights.

    Raises:
        OutOfMemoryError: it does not fit.
        ModelCorruptError, UnsupportedModelError: the engine cannot run it at all.
    """
    memory = memory_for_models()
    if memory is not None:
        _refuse_too_large(name, fit_of_config(config, weights, memory), memory, "download")


def fit_of_config(config: bytes, weights: int, memory: Memory) -> Fit:
    """How a model with this config.json and so many bytes of weights fits.

    Raises:
        ModelCorruptError, UnsupportedModelError: the engine cannot run it at all.
    """
    return Fit(config_footprint(config, weights), memory.available)


def _refuse_too_large(name: str, fit: Fit, memory: Memory, what: str) -> None:
    if fit.verdict != "too large":
        return
    need = fit.least
    if fit.footprint.draft is not None:
        drafting, remedy = " with its draft model", ", or leave that out"
    else:
        other, drafting = _largest_that_fits(memory, below=need.weights), ""
        remedy = f", or take {other.id!r}, which fits" if other else ""
    raise OutOfMemoryError(
        f"[fit] {name[:200]!r}{drafting} needs {size(need.total)} of memory "
        f"({size(need.weights)} of weights, {size(need.kv_cache)} of KV cache for {need.context} "
        f"tokens, {size(need.compute)} to compute) and {size(memory.available)} is available; "
        "close other programs, force the "
        f"{what} with {'force=True or --force' if what == 'load' else '--force'}{remedy}."
    )


def _largest_that_fits(memory: Memory, below: int) -> RegistryEntry | None:
    """The largest model of the registry with fewer bytes than `below` that fits into memory and is
    not deprecated."""
    from convergio_mlx.registry import load_registry

    smaller = [
        (found.footprint.weights, entry)
        for entry in load_registry()
        if not entry.deprecated
        and (found := fit_of_entry(entry, memory)) is not None
        and found.verdict != "too large"
        and found.footprint.weights < below
    ]
    return max(smaller, key=lambda pair: pair[0])[1] if smaller else None
