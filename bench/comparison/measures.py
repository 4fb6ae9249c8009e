"""The figures that a row gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from comparison.geometry import GEOMETRIES, kv_kept, kv_read, states, weights_read
from comparison.recurrent import STATE_BYTES
from comparison.row import Row

KV_BYTES = 2
"""A number of the KV cache: all engines keep 16 bits."""


@dataclass(frozen=True)
class Measure:
    """A figure, by its name in the table."""

    title: str
    of: Callable[[Row], float | None]
    """None where the row does not have it."""
    more_is_better: bool | None
    """None: neither, so no ratio is made."""
    digits: int = 1


def step_bytes(row: Row) -> float:
    """What making a token reads, in the middle of the answer: weights, keys, values, states."""
    config = GEOMETRIES[row.geometry]
    tokens = row.job["prompt"] + row.job["answer"] // 2
    read = weights_read(config)
    expert_bits = row.expert_bits_per_weight or row.bits_per_weight
    bits = read.dense * row.bits_per_weight + read.experts * expert_bits
    return bits / 8 + kv_read(config, tokens) * KV_BYTES + states(config) * STATE_BYTES


def decode_speed(row: Row) -> float | None:
    """Tokens a second after the first; of two or more, since one tells little."""
    turn = row.found["first_turn"]
    count = turn["answer_tokens"] - 1
    return float(count / turn["decode_seconds"]) if count > 1 else None


def decode_share(row: Row, read: float) -> float | None:
    """Percent of the speed at which `read` bytes a second could feed it."""
    speed = decode_speed(row)
    return None if speed is None else 100 * speed * step_bytes(row) / read


def prefill_speed(row: Row) -> float:
    """Prompt tokens a second until the first token is there."""
    turn = row.found["first_turn"]
    return float(turn["prompt_tokens"] / turn["first_token_seconds"])


def _token(row: Row) -> float | None:
    speed = decode_speed(row)
    return None if speed is None else 1e3 / speed


def _first(row: Row) -> float:
    return float(row.found["first_turn"]["first_token_seconds"]) * 1e3


def _second(row: Row) -> float | None:
    turn = row.found.get("second_turn")
    return turn["first_token_seconds"] * 1e3 if turn else None


def _start(row: Row) -> float | None:
    return None if row.job["warm_up"] else row.found["process_to_first_token_seconds"] * 1e3


def _bound(row: Row) -> float | None:
    found = row.found.get("constrained")
    return 100 * found["free"] / found["bound"] if found else None


def _primitives(row: Row) -> float | None:
    count = row.found["detail"].get("step_primitives")
    return count / GEOMETRIES[row.geometry]["num_hidden_layers"] if count else None


def _map(row: Row) -> float | None:
    seconds = row.found["detail"].get("map_seconds")
    return None if seconds is None else seconds * 1e3


def _tokenizer(row: Row) -> float | None:
    size = row.found["detail"].get("tokenizer_bytes")
    return None if size is None else size / 1e6


def _beyond(row: Row) -> float:
    tokens = sum(row.job[part] for part in ("prompt", "answer", "second_turn"))
    config = GEOMETRIES[row.geometry]
    kept = kv_kept(config, tokens) * KV_BYTES + states(config) * STATE_BYTES
    return float((row.found["peak_bytes"] - row.found["checkpoint_bytes"] - kept) / 1e6)


def _found(name: str, factor: float) -> Callable[[Row], float | None]:
    def of(row: Row) -> float | None:
        value: Any = row.found.get(name)
        return None if value is None else value * factor

    return of


MEASURES = (
    Measure("decode, tokens/s", decode_speed, True, 2),
    Measure("decode, ms a token", _token, False, 2),
    Measure("prefill, tokens/s", prefill_speed, True),
    Measure("first token, ms", _first, False),
    Measure("second turn's first token, ms", _second, False),
    Measure("decode of JSON, % of free", _bound, None, 0),
    Measure("process to first token, ms", _start, False),
    Measure("import, ms", _found("import_seconds", 1e3), False),
    Measure("load, tokenizer included, ms", _found("load_seconds", 1e3), False),
    Measure("load without tokenizer, ms", _map, None),
    Measure("peak resident, MB", _found("peak_bytes", 1e-6), False, 0),
    Measure("peak beyond file and KV, MB", _beyond, None, 0),
    Measure("of it the tokenizer, MB", _tokenizer, None, 0),
    Measure("resident when loaded, MB", _found("loaded_resident_bytes", 1e-6), None, 0),
    Measure("primitives a step and layer", _primitives, None, 1),
    Measure("energy of the whole process, J", _found("energy_joules", 1.0), False),
)
