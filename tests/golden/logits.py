"""The logits that transformers computed: a file for each row of the table, in this folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import checkpoints
from arch.variants import Variant

HERE = Path(__file__).parent
GOLDEN_ROWS = 3
"""Positions, the last ones, whose logits are kept."""
REMEDY = "run tools/transformers_goldens.py (docs/add-a-model.md)."


def file_of(row: str) -> Path:
    """The logits of a row's variants."""
    return HERE / f"{row}.safetensors"


@cache
def _content(row: str) -> tuple[dict[str, Any], dict[str, str]]:
    from safetensors import safe_open

    if not file_of(row).exists():
        return {}, {}
    with safe_open(file_of(row), framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def golden(variant: Variant) -> np.ndarray[Any, Any]:
    """transformers' logits at the last positions of a variant, (GOLDEN_ROWS, vocab_size)."""
    logits, fingerprints = _content(variant.row)
    assert variant.name in logits, f"there are no golden logits of '{variant.name}'; {REMEDY}"
    assert fingerprints[variant.name] == checkpoints.fingerprint(variant.config), (
        f"'{variant.name}' has changed since its golden logits were computed; {REMEDY}"
    )
    return np.asarray(logits[variant.name])
