"""Rows as a run would leave them, with invented figures."""

from __future__ import annotations

from typing import Any

from comparison.row import Row

MACHINE = {
    "processor": "Example 9000",
    "cores": 2,
    "memory_bytes": 1 << 34,
    "system": "Linux x86_64",
    "gpu": None,
}
JOB = {
    "vocab_size": 512,
    "prompt": 16,
    "answer": 11,
    "second_turn": 4,
    "warm_up": True,
    "constrained": 0,
    "threads": 2,
}


def row(
    engine: str = "ours",
    form: str = "affine-64",
    bits: float = 4.5,
    *,
    number: int = 0,
    decode_seconds: float = 1.0,
    **changes: Any,
) -> Row:
    """A row whose other figures are the same for each engine."""
    turn = {
        "prompt_tokens": 16,
        "answer_tokens": 11,
        "first_token_seconds": 0.5,
        "decode_seconds": decode_seconds,
    }
    found = {
        "import_seconds": 0.1,
        "load_seconds": 0.002,
        "loaded_resident_bytes": 30_000_000,
        "peak_bytes": 700_000_000,
        "own_bytes": 50_000_000,
        "process_to_first_token_seconds": 0.8,
        "checkpoint_bytes": 600_000_000,
        "energy_joules": None,
        "others_share": None,
        "first_turn": turn,
        "second_turn": turn | {"first_token_seconds": 0.125},
        "detail": {},
    }
    fields: dict[str, Any] = {
        "engine": engine,
        "format": form,
        "bits_per_weight": bits,
        "geometry": "thin-16",
        "case": "short",
        "round": number,
        "job": JOB,
        "machine": MACHINE,
        "device": "cpu",
        "versions": {"mlx": "0.32.4"},
        "commit": "0123456789ab",
        "environment": {},
        "at": "2026-11-25T12:00:00+00:00",
        "found": found,
    }
    return Row(**(fields | changes))
