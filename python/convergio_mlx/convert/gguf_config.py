"""A GGUF file's keys as config.json and generation_config.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from convergio_mlx.convert.architectures import Architecture
from convergio_mlx.convert.gguf_keys import Keys
from convergio_mlx.convert.gguf_rotary import rotary_fields


def model_config(
    keys: Keys,
    architecture: Architecture,
    *,
    vocab_size: int,
    tied: bool,
    factors: Callable[[str], list[float]],
) -> dict[str, Any]:
    """config.json, without "quantization" and what the tokenizer tells; faults are added to `keys`.

    Args:
        keys: of the file.
        architecture: its row.
        vocab_size: rows of the embedding.
        tied: whether there is no head beside the embedding.
        factors: the numbers of a tensor of rotary factors; none where there is no such tensor.
    """
    heads = keys.integer("attention.head_count")
    hidden = keys.integer("embedding_length")
    layers = keys.integer("block_count")
    head_dim = keys.integer("attention.key_length", max(hidden // heads, 1))
    sliding = keys.get("attention.sliding_window") and architecture.sliding_model_type
    config: dict[str, Any] = {
        "architectures": [architecture.sliding_class_name if sliding else architecture.class_name],
        "model_type": sliding or architecture.model_type,
        "hidden_size": hidden,
        "intermediate_size": keys.integer("feed_forward_length"),
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": keys.integer("attention.head_count_kv", heads),
        "head_dim": head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": keys.integer("context_length"),
        "rms_norm_eps": keys.number("attention.layer_norm_rms_epsilon"),
        "vocab_size": vocab_size,
        "tie_word_embeddings": tied,
    }
    config.update({name: keys.field(key) for name, key in architecture.keys.items()})
    config.update(architecture.fields)
    if architecture.scalar_from_width is not None:
        wide = layers == architecture.scalar_from_width
        config["query_pre_attn_scalar"] = hidden / heads if wide else head_dim
    _check(keys, architecture, head_dim)
    config.update(_layer_types(keys, config))
    config.update(rotary_fields(keys, architecture, config, factors))
    return config


def _check(keys: Keys, architecture: Architecture, head_dim: int) -> None:
    if keys.integer("attention.value_length", head_dim) != head_dim:
        keys.faults.append(
            f"heads have keys of {head_dim} numbers and values of "
            f"{keys.get('attention.value_length')}, which must be as many"
        )
    if keys.get("expert_count") and not architecture.has_experts:
        keys.faults.append(f"it has {keys.get('expert_count')} experts, and must have none")


def _layer_types(keys: Keys, config: Mapping[str, Any]) -> dict[str, Any]:
    """Which layers slide, where the file lists them; a pattern that config.json cannot have without
    a window is taken from it."""
    pattern = keys.get("attention.sliding_window_pattern")
    if config.get("sliding_window") is None and "sliding_window_pattern" in config:
        return {"sliding_window_pattern": 1}
    if config.get("sliding_window") is None or not isinstance(pattern, list):
        return {}
    names = ["sliding_attention" if slides else "full_attention" for slides in pattern]
    if len(names) != config["num_hidden_layers"]:
        keys.faults.append(
            f"the pattern of sliding layers has {len(names)} and there are "
            f"{config['num_hidden_layers']}"
        )
    return {"layer_types": names}


def generation_config(metadata: Mapping[str, Any], ends: Sequence[int]) -> dict[str, Any]:
    """generation_config.json: the tokens that begin, end and pad a text.

    Args:
        metadata: the file's keys and values.
        ends: ids of the tokens that end it.
    """
    found: dict[str, Any] = {}
    for name, key in (("bos_token_id", "bos"), ("pad_token_id", "padding")):
        value = metadata.get(f"tokenizer.ggml.{key}_token_id")
        if type(value) is int:
            found[name] = value
    if ends:
        found["eos_token_id"] = list(ends) if len(ends) > 1 else ends[0]
    return found
