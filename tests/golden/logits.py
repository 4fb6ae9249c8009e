"""The logits that transformers computed: transformers.safetensors in this folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import checkpoints
from arch.variants import Variant

FILE = Path(__file__).with_name("transformers.safetensors")
GOLDEN_ROWS = 3
"""Positions, the last ones, whose logits are kept."""
REMEDY = "run tools/transformers_goldens.py (docs/add-a-model.md)."


@cache
def _content() -> tuple[dict[str, Any], dict[str, str]]:
    from safetensors import safe_open

    with safe_open(FILE, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def golden(variant: Variant) -> np.ndarray[Any, Any]:
    """transformers' logits at the last positions of a variant, (GOLDEN_ROWS, vocab_size)."""
    logits, fingerprints = _content()
    assert variant.name in logits, f"there are no golden logits of '{variant.name}'; {REMEDY}"
    assert fingerprints[variant.name] == checkpoints.fingerprint(variant.config), (
        f"'{variant.name}' has changed since its golden logits were computed; {REMEDY}"
    )
    return np.asarray(logits[variant.name])
