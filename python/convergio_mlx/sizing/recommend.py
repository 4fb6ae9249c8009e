"""Which model suits this machine, and why."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

from convergio_mlx.platform.hardware.facts import Memory
from convergio_mlx.platform.native import native
from convergio_mlx.registry import RegistryEntry, load_registry
from convergio_mlx.sizing.fit import Fit, fit_of_entry, memory_for_models, size

Purpose = Literal["general", "code", "reasoning", "smallest"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)

GOOD_CONTEXT = 8192
"""Tokens; a model is recommended when so long a conversation fits, or its whole window."""
CPU_WEIGHTS = 2_700_000_000
"""Bytes; a CPU reads the weights of each token, at some tens of GB a second: with more of them an
answer is slower than reading. Of a mixture of experts each token reads a few."""
_TOLERANCE = 0.9
"""A machine sold with 8 GB shows a little less to its programs."""


@dataclass(frozen=True)
class Advice:
    """A model of the registry, compared with this machine."""

    entry: RegistryEntry
    fit: Fit | None
    """None where the registry does not say enough, or the engine does not run it."""
    suits: bool
    """Whether it can be recommended here."""
    why: str
    """A few words for a person."""
    best_for: tuple[Purpose, ...] = ()
    """The purposes that it is the recommendation for."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "id": self.entry.id,
            "suits": self.suits,
            "why": self.why,
            "best_for": list(self.best_for),
            "fit": self.fit.as_json() if self.fit else None,
        }


def advise(entries: Iterable[RegistryEntry] | None = None) -> list[Advice]:
    """What there is to say of each model, in the registry's order.

    Args:
        entries: the models; those of the registry where it is None.

    Raises:
        UnavailableError: MLX cannot run here, so no model suits.
    """
    core = native()
    memory, on_cpu = memory_for_models(), core.backend() == "cpu"
    runnable = set(core.model_types())
    found = [
        _held_against(entry, memory, on_cpu=on_cpu, runs=entry.model_type in {None, *runnable})
        for entry in (load_registry() if entries is None else entries)
    ]
    best = {purpose: _best(found, purpose) for purpose in PURPOSES}
    return [_marked(one, best) for one in found]


def recommend(purpose: Purpose = "general") -> Advice | None:
    """The model to take for a purpose; None where none fits."""
    return next((one for one in advise() if purpose in one.best_for), None)


def _held_against(
    entry: RegistryEntry, memory: Memory | None, *, on_cpu: bool, runs: bool
) -> Advice:
    fit = fit_of_entry(entry, memory)
    suits, why = False, ""
    if not runs:
        why = f"this version does not run {entry.model_type} models"
    elif entry.deprecated:
        why = f"replaced by {entry.replaced_by}" if entry.replaced_by else "no longer advised"
    elif memory and entry.memory_gb and entry.memory_gb * 1e9 * _TOLERANCE > memory.total:
        why = f"wants {entry.memory_gb:g} GB of memory, {size(memory.total)} here"
    elif fit is None:
        why = "its size is not known"
    elif fit.verdict == "too large":
        why = str(fit)
    elif fit.context < min(GOOD_CONTEXT, fit.footprint.context_window):
        why = f"only {fit.context} tokens of context fit"
    elif on_cpu and fit.footprint.active_weights > CPU_WEIGHTS:
        why = "fits, slow without a GPU"
    else:
        suits, why = True, fit.brief
    return Advice(entry, fit, suits, why)


def _best(found: list[Advice], purpose: Purpose) -> str | None:
    """The id of the model to take: the one of its purpose that ranks highest; for `smallest` the
    least to download."""
    suiting = [one.entry for one in found if one.suits]
    if purpose == "smallest":
        sized = [entry for entry in suiting if entry.download_bytes]
        return min(sized, key=lambda entry: entry.download_bytes or 0).id if sized else None
    fitting = [entry for entry in suiting if _serves(entry, purpose)]
    return max(fitting, key=_rank).id if fitting else None


def _rank(entry: RegistryEntry) -> float:
    """By size, where being a year newer counts as much as being four times as large. A mixture of
    experts is as good as a dense model of the geometric mean of its total and active parameters."""
    total = entry.parameters or 0
    size = math.sqrt(total * (entry.active_parameters or total))
    released = date.fromisoformat(entry.release_date or "2024-01-01")
    return size * 4 ** (released.toordinal() / 365.25 - 2024)


def _serves(entry: RegistryEntry, purpose: Purpose) -> bool:
    return entry.purpose == purpose or (purpose == "reasoning" and entry.reasoning)


def _marked(one: Advice, best: dict[Purpose, str | None]) -> Advice:
    purposes = tuple(purpose for purpose in PURPOSES if best[purpose] == one.entry.id)
    return Advice(one.entry, one.fit, one.suits, one.why, purposes)
