"""Which rows and columns of a GGUF file's tensors a folder's have, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from convergio_mlx.convert.gguf_architecture import FUSED_BY_HEAD, Architecture, Place
from convergio_mlx.convert.gguf_source import GgufTensor

Runs = tuple[tuple[int, int], ...]
"""First and end of what is taken together."""
_MOST_RUNS = 1 << 16
"""Of experts or heads, more than the engine takes."""


def rows_of(
    tensor: GgufTensor, place: Place, architecture: Architecture, config: Mapping[str, Any]
) -> Runs:
    """The rows that a place gets, in its order. Those of a tensor of another size than config.json
    tells are left as they are: the engine refuses it.

    Args:
        tensor: of a file.
        place: where it goes, or a part of it.
        architecture: the file's row.
        config: config.json, whose numbers may be of any type yet.
    """
    at, shares = place.share
    if shares > 1:
        heads = _counts(config, "linear_num_key_heads")[0]
        fused = tensor.rows // (shares * heads) if heads else 0
        block = max(fused if place.base == FUSED_BY_HEAD else tensor.shape[-2] // shares, 1)
        if tensor.rows > _MOST_RUNS * shares * block:
            return ((0, tensor.rows),)
        return tuple(
            (first, first + block) for first in range(at * block, tensor.rows, shares * block)
        )
    if architecture.tiled_heads:
        return _untiled(place.base, tensor.rows, config)
    return ((0, tensor.rows),)


def columns_of(tensor: GgufTensor, place: Place, architecture: Architecture, config: Any) -> Runs:
    """The columns in a place's order, as rows_of has it; none: the tensor's."""
    if not architecture.tiled_heads or place.base != "ssm_out":
        return ()
    runs = _untiled(place.base, tensor.cols, config)
    return runs if len(runs) > 1 else ()


def _untiled(base: str, size: int, config: Mapping[str, Any]) -> Runs:
    """Value heads, one key head after the other."""
    names = ("num_key_heads", "num_value_heads", "key_head_dim", "value_head_dim")
    key_heads, heads, key_dim, value_dim = _counts(config, *(f"linear_{name}" for name in names))
    before, width = {
        "attn_qkv": (2 * key_heads * key_dim, value_dim),
        "ssm_conv1d": (2 * key_heads * key_dim, value_dim),
        "attn_gate": (0, value_dim),
        "ssm_out": (0, value_dim),
        "ssm_beta": (0, 1),
        "ssm_alpha": (0, 1),
        "ssm_a": (0, 1),
        "ssm_dt": (0, 1),
    }.get(base, (0, 0))
    is_told = width and key_heads and before + heads * width == size
    if not is_told or heads % key_heads or heads > _MOST_RUNS:
        return ((0, size),)
    order = (tile + head for head in range(key_heads) for tile in range(0, heads, key_heads))
    starts = (before + head * width for head in order)
    return tuple(_merged([(0, before), *((start, start + width) for start in starts)]))


def _merged(runs: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same with those that follow one another as one."""
    first, end = runs[0]
    for begin, to in runs[1:]:
        if begin != end:
            if end > first:
                yield first, end
            first = begin
        end = to
    yield first, end


def _counts(config: Mapping[str, Any], *names: str) -> list[int]:
    """Numbers of config.json; 0 for what is none."""
    found = (config.get(name) for name in names)
    return [one if type(one) is int and one > 0 else 0 for one in found]


def with_columns(data: bytes, rows: int, columns: Runs) -> bytes:
    """Rows of whatever is stored of a matrix, with its columns in another order."""
    view, width, count = memoryview(data), len(data) // rows, columns_in(columns)
    cuts = [(begin * width // count, end * width // count) for begin, end in columns]
    starts = range(0, len(data), width) if width else ()
    return b"".join(view[row + begin : row + end] for row in starts for begin, end in cuts)


def columns_in(columns: Runs) -> int:
    """How many there are."""
    return sum(end - begin for begin, end in columns)
