"""What layers with latent attention hold, as published or as mlx-lm converts them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Config = dict[str, Any]
Shapes = dict[str, tuple[int, ...]]
Numbers = np.ndarray[Any, np.dtype[np.float64]]

ABSORBED = "latent_as"
"""A key of config.json that nobody reads: `absorbed` for a matrix of queries and one of values for
each head, as mlx-lm converts them; else one matrix of keys and values, as published."""


def shapes(config: Config, attention: str) -> Shapes:
    """The tensors of a layer's attention but its projection out, in the order of a forward."""
    hidden, heads, rank = (
        config[key] for key in ("hidden_size", "num_attention_heads", "kv_lora_rank")
    )
    plain, rotated, value = (
        config[key] for key in ("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
    )
    out: Shapes = {}
    queries = heads * (plain + rotated)
    if low := config["q_lora_rank"]:
        out[f"{attention}.q_a_proj.weight"] = (low, hidden)
        if config.get("attention_bias"):
            out[f"{attention}.q_a_proj.bias"] = (low,)
        out[f"{attention}.q_a_layernorm.weight"] = (low,)
        out[f"{attention}.q_b_proj.weight"] = (queries, low)
    else:
        out[f"{attention}.q_proj.weight"] = (queries, hidden)
    out[f"{attention}.kv_a_proj_with_mqa.weight"] = (rank + rotated, hidden)
    if config.get("attention_bias"):
        out[f"{attention}.kv_a_proj_with_mqa.bias"] = (rank + rotated,)
    out[f"{attention}.kv_a_layernorm.weight"] = (rank,)
    if config.get(ABSORBED) == "absorbed":
        out[f"{attention}.embed_q.weight"] = (heads, rank, plain)
        out[f"{attention}.unembed_out.weight"] = (heads, value, rank)
    else:
        out[f"{attention}.kv_b_proj.weight"] = (heads * (plain + value), rank)
    return out


def part(
    config: Config, name: str, noise: Callable[[str, tuple[int, ...]], Numbers]
) -> Numbers | None:
    """The numbers of an absorbed matrix: those of the published one that it is made of."""
    attention, _, module = name.removesuffix(".weight").rpartition(".")
    if module not in ("embed_q", "unembed_out"):
        return None
    heads, rank, plain = (
        config[key] for key in ("num_attention_heads", "kv_lora_rank", "qk_nope_head_dim")
    )
    width = plain + config["v_head_dim"]
    whole = noise(f"{attention}.kv_b_proj.weight", (heads * width, rank)) / np.sqrt(rank)
    each = whole.reshape(heads, width, rank)
    return each[:, :plain].swapaxes(1, 2) if module == "embed_q" else each[:, plain:]
