"""How a GGUF file says that its rotary embedding is scaled, as config.json says it."""

from __future__ import annotations

import array
import math
from collections.abc import Callable, Mapping
from typing import Any

from convergio_mlx.convert.gguf_architecture import Architecture
from convergio_mlx.convert.gguf_keys import Keys, shortest

_LLAMA3_CONTEXT = 8192
"""Positions that all models with Llama 3's rotary scaling were first trained on."""

_NEVER = array.array("f", [1e30])[0]
"""The factor of a pair that is not rotated, as a float32."""


def rotary_fields(
    keys: Keys,
    architecture: Architecture,
    config: Mapping[str, Any],
    factors: Callable[[str], list[float]],
) -> dict[str, Any]:
    """The fields of config.json; faults are added to `keys`.

    Args:
        keys: of the file.
        architecture: its row.
        config: what config.json says besides.
        factors: the numbers of a tensor of rotary factors; none where there is no such tensor.
    """
    if architecture.full_layers_differ:
        return {"rope_parameters": _of_two(keys, config, factors)}
    fields: dict[str, Any] = {"rope_theta": keys.number("rope.freq_base", 10000.0)}
    head_dim = config["qk_rope_head_dim" if architecture.latent else "head_dim"]
    dims = keys.integer("rope.dimension_count", head_dim)
    if architecture.partial_rotary:
        fields["partial_rotary_factor"] = dims / head_dim
    elif dims != head_dim:
        keys.faults.append(
            f"{dims} of a head's {head_dim} numbers are rotated, and this engine rotates all"
        )
    if keys.get("rope.scaling.alpha"):
        keys.refuse("rope.scaling.alpha", "0")
    if "rope_local_base_freq" not in config:
        sliding = keys.number("rope.freq_base_swa", fields["rope_theta"])
        if sliding != fields["rope_theta"]:
            keys.refuse("rope.freq_base_swa", f"{fields['rope_theta']:g}, that of all layers")
    scaling = _scaling(keys, architecture, config, dims, factors)
    plain = {"rope_type": "default"} if architecture.scaled_by_default else None
    if architecture.rope_parameters:
        more = _sections(keys)
        more |= {name: keys.field(key) for name, key in architecture.rotary_keys.items()}
        return {"rope_parameters": {**fields, **(scaling or {"rope_type": "default"}), **more}}
    fields["rope_scaling"] = scaling or plain
    if architecture.first_context:
        fields["original_max_position_embeddings"] = keys.integer(
            "rope.scaling.original_context_length", config["max_position_embeddings"]
        )
    return fields


def _sections(keys: Keys) -> dict[str, Any]:
    """Which pairs are rotated by the first, second and third part of a position, which in a text
    are all the same."""
    found = keys.get("rope.dimension_sections")
    if found is None:
        return {}
    if not isinstance(found, list) or len(found) < 3 or not all(type(one) is int for one in found):
        keys.refuse("rope.dimension_sections", "three counts or more")
        return {}
    return {"mrope_interleaved": True, "mrope_section": found[:3]}


def _of_two(
    keys: Keys, config: Mapping[str, Any], factors: Callable[[str], list[float]]
) -> dict[str, Any]:
    """Of layers that do not slide, where the pairs that are not rotated have huge factors, and of
    those that do."""
    full, sliding = config["global_head_dim"], config["head_dim"]
    found = factors("rope_freqs.weight") or [1.0] * (full // 2)
    rotated = found.count(1.0)
    if found != [1.0] * rotated + [_NEVER] * (full // 2 - rotated):
        keys.faults.append(
            f"the rotary factors of its layers without a window are not {full // 2} of 1 and "
            f"{_NEVER:g}"
        )
    for name, dims in (("dimension_count", full), ("dimension_count_swa", sliding)):
        if keys.integer(f"rope.{name}", dims) != dims:
            keys.refuse(f"rope.{name}", f"{dims}, all of a head")
    if keys.get("rope.scaling.type", "none") != "none" or keys.get("rope.scaling.factor", 1.0) != 1:
        keys.faults.append("its rotary embedding is scaled")
    return {
        "full_attention": {
            "rope_type": "proportional",
            "partial_rotary_factor": 2 * rotated / full,
            "rope_theta": keys.number("rope.freq_base", 10000.0),
        },
        "sliding_attention": {
            "rope_type": "default",
            "rope_theta": keys.number("rope.freq_base_swa", 10000.0),
        },
    }


def _scaling(
    keys: Keys,
    architecture: Architecture,
    config: Mapping[str, Any],
    dims: int,
    factors: Callable[[str], list[float]],
) -> dict[str, Any] | None:
    long, short = factors("rope_factors_long.weight"), factors("rope_factors_short.weight")
    if long or short:
        found: dict[str, Any] = {"type": "longrope", "long_factor": long, "short_factor": short}
        if keys.get("rope.scaling.attn_factor") is not None:
            found["attention_factor"] = keys.number("rope.scaling.attn_factor")
        _check_factors(keys, dims, long, short)
        return found
    if frequencies := factors("rope_freqs.weight"):
        _check_factors(keys, dims, frequencies)
        return _from_frequencies(frequencies, keys.number("rope.freq_base", 10000.0), config)
    kind = keys.get("rope.scaling.type", "linear")
    if kind in ("none", "longrope"):  # longrope without factors scales nothing
        return None
    if kind == "linear":
        factor = keys.number("rope.scaling.factor", keys.number("rope.scale_linear", 1.0))
        return {"rope_type": "linear", "factor": factor} if factor != 1 else None
    if kind == "yarn":
        return _yarn(keys, architecture)
    keys.faults.append(f"its rotary embedding is scaled by {ascii(kind)[:40]}")
    return None


def _yarn(keys: Keys, architecture: Architecture) -> dict[str, Any]:
    found: dict[str, Any] = {
        "rope_type": "yarn",
        "factor": keys.number("rope.scaling.factor"),
        "original_max_position_embeddings": keys.integer("rope.scaling.original_context_length"),
    }
    for name in ("attn_factor", "yarn_attn_factor"):
        if keys.get(f"rope.scaling.{name}") is not None:
            found["attention_factor"] = keys.number(f"rope.scaling.{name}")
    for name in ("beta_fast", "beta_slow"):
        if keys.get(f"rope.scaling.yarn_{name}") is not None:
            found[name] = keys.number(f"rope.scaling.yarn_{name}")
    if keys.get("rope.scaling.yarn_ext_factor") not in (None, 1.0):
        keys.refuse("rope.scaling.yarn_ext_factor", "1")
    if keys.get("rope.scaling.yarn_log_multiplier"):
        if not architecture.log_multiplier:
            keys.faults.append("its YaRN has a multiplier of the logarithm")
            return found
        multiplier = keys.number("rope.scaling.yarn_log_multiplier") / architecture.log_multiplier
        found["mscale_all_dim"] = shortest(multiplier)
        found["mscale"] = found["mscale_all_dim"] if architecture.latent else 1.0
    return {**found, **architecture.yarn}


def _check_factors(keys: Keys, dims: int, *lists: list[float]) -> None:
    for one in lists:
        if len(one) != dims // 2 or not all(0 < factor < math.inf for factor in one):
            keys.faults.append(
                f"a tensor of rotary factors has {len(one)} numbers, which must be {dims // 2} "
                "above 0"
            )


def _from_frequencies(found: list[float], base: float, config: Mapping[str, Any]) -> dict[str, Any]:
    """Llama 3's scaling where its formula gives these very factors, else the factors themselves."""
    factor = shortest(found[-1])
    if all(
        math.isclose(one, made, rel_tol=1e-5)
        for one, made in zip(found, _llama3(factor, base, len(found)), strict=True)
    ):
        return {
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": _LLAMA3_CONTEXT,
        }
    return {
        "rope_type": "longrope",
        "long_factor": found,
        "short_factor": found,
        "attention_factor": 1.0,
        "original_max_position_embeddings": config["max_position_embeddings"],
    }


def _llama3(factor: float, base: float, pairs: int) -> list[float]:
    """What the periods of each pair are multiplied with, by the formula of Llama 3.1."""
    factors = []
    for pair in range(pairs):
        turns = _LLAMA3_CONTEXT / (2 * math.pi * base ** (pair / pairs))
        smooth = min(max((turns - 1.0) / (4.0 - 1.0), 0.0), 1.0)
        factors.append(1 / ((1 - smooth) / factor + smooth))
    return factors
