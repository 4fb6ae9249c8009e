"""A GGUF file's keys as config.json and generation_config.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from convergio_mlx.convert.gguf_architecture import Architecture
from convergio_mlx.convert.gguf_keys import Keys
from convergio_mlx.convert.gguf_rotary import rotary_fields

_MOST_LAYERS = 4096
"""More are refused by the engine."""
Shapes = Mapping[str, tuple[int, ...]]


def model_config(
    keys: Keys, architecture: Architecture, shapes: Shapes, factors: Callable[[str], list[float]]
) -> dict[str, Any]:
    """config.json, without "quantization" and what the tokenizer tells; faults are added to `keys`.

    Args:
        keys: of the file.
        architecture: its row.
        shapes: of the file's tensors, by their names.
        factors: the numbers of a tensor of rotary factors; none where there is no such tensor.
    """
    heads = keys.integer("attention.head_count")
    hidden = keys.integer("embedding_length")
    layers = keys.integer("block_count") - keys.count("nextn_predict_layers")
    if layers < 1:
        keys.refuse("nextn_predict_layers", "fewer than the layers")
        layers = 1
    eps, eps_key = architecture.norm_eps
    if architecture.lettered and keys.get(eps_key) is None:
        eps_key = "attention.layer_norm_epsilon"  # as it is called by a writer that knows no better
    config: dict[str, Any] = {
        "architectures": [architecture.class_name],
        "model_type": architecture.model_type,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "hidden_act": "silu",
        "max_position_embeddings": keys.integer("context_length"),
        eps: keys.number(eps_key),
        "vocab_size": shapes.get("token_embd.weight", (1,))[0],
        "tie_word_embeddings": "output.weight" not in shapes,
    }
    config.update({name: keys.field(key) for name, key in architecture.keys.items()})
    config.update(architecture.fields)
    config.update({name: keys.quotient(*of) for name, of in architecture.quotients.items()})
    there = {name.split(".", 2)[-1] if name.startswith("blk.") else name for name in shapes}
    config.update({name: tensor in there for name, tensor in architecture.present.items()})
    if architecture.full_layers_differ:
        config.update(_sizes_of_two(keys, heads, config, shapes))
    else:
        # a model of experts alone may have no width of others
        config["intermediate_size"] = keys.integer(
            "feed_forward_length",
            config.get("moe_intermediate_size"),
            of_some=architecture.lettered,
        )
        config.update(
            _latent_sizes(keys, heads, config)
            if architecture.latent
            else _head_sizes(keys, architecture, heads, hidden)
        )
    if architecture.scalar_from_width is not None:
        wide = layers == architecture.scalar_from_width
        config["query_pre_attn_scalar"] = hidden / heads if wide else config["head_dim"]
    _check(keys, architecture)
    most = min(layers, _MOST_LAYERS)
    if architecture.recurrent_type:
        config["layer_types"] = _recurrent_layers(keys, architecture, most)
    else:
        config.update(_layer_types(keys, config))
    if architecture.lettered:
        config["hybrid_override_pattern"] = _letters(keys, most)
    if architecture.delta_config:
        config["linear_attn_config"] = _delta_config(keys, heads, most)
    if architecture.at_interval:
        config["full_attention_interval"] = _interval(keys, most)
    config.update(rotary_fields(keys, architecture, config, factors))
    return config


def _head_sizes(keys: Keys, architecture: Architecture, heads: int, hidden: int) -> dict[str, Any]:
    head_dim = keys.integer("attention.key_length", max(hidden // heads, 1))
    if keys.integer("attention.value_length", head_dim) != head_dim:
        keys.faults.append(
            f"heads have keys of {head_dim} numbers and values of "
            f"{keys.get('attention.value_length')}, which must be as many"
        )
    of_some = bool(architecture.recurrent_type) or architecture.lettered
    kv_heads = keys.integer("attention.head_count_kv", heads, of_some=of_some)
    return {"num_key_value_heads": kv_heads, "head_dim": head_dim}


def _latent_sizes(keys: Keys, heads: int, config: Mapping[str, Any]) -> dict[str, Any]:
    """Older files have the sizes of heads under the names that newer ones have those of the one
    latent head under."""
    lengths = {
        part: keys.integer(f"attention.{part}_length_mla", keys.integer(f"attention.{part}_length"))
        for part in ("key", "value")
    }
    return {
        "num_key_value_heads": heads,
        "qk_nope_head_dim": lengths["key"] - config["qk_rope_head_dim"],
        "v_head_dim": lengths["value"],
    }


def _sizes_of_two(
    keys: Keys, heads: int, config: Mapping[str, Any], shapes: Shapes
) -> dict[str, Any]:
    """Of layers that slide and of those that do not, and of the last ones, which may be wider."""
    layers = range(min(config["num_hidden_layers"], _MOST_LAYERS))
    slides = keys.each("attention.sliding_window_pattern", len(layers))
    kv_heads = keys.each("attention.head_count_kv", len(layers), heads)
    widths = keys.each("feed_forward_length", len(layers))
    full = [layer for layer in layers if not slides[layer]]
    sliding = [layer for layer in layers if slides[layer]]
    if not full or not sliding:
        keys.faults.append(f"{len(full)} of its {len(layers)} layers have no window")
        return {"num_key_value_heads": 1, "head_dim": 2, "global_head_dim": 2}
    has = [{part: f"blk.{at}.attn_{part}.weight" in shapes for part in "kv"} for at in full]
    equal = any(one["k"] and not one["v"] for one in has)
    return {
        "intermediate_size": widths[0],
        "use_double_wide_mlp": widths[-1] == 2 * widths[0],
        "num_key_value_heads": kv_heads[sliding[0]],
        "num_global_key_value_heads": kv_heads[full[0]] if equal else None,
        "head_dim": keys.integer("attention.key_length_swa"),
        "global_head_dim": keys.integer("attention.key_length"),
        "attention_k_eq_v": equal,
        "vocab_size_per_layer_input": shapes.get("per_layer_token_embd.weight", (1,))[0],
    }


def _check(keys: Keys, architecture: Architecture) -> None:
    if keys.get("expert_count") and not architecture.has_experts:
        keys.faults.append(f"it has {keys.get('expert_count')} experts, and must have none")
    for name, wanted in architecture.only.items():
        if keys.get(name) not in (None, wanted):
            said = "missing" if wanted is None else wanted
            keys.refuse(name, f"{said} in a {architecture.model_type} model")


def _recurrent_layers(keys: Keys, architecture: Architecture, layers: int) -> list[str]:
    """Which layers have a recurrence in the place of attention."""
    kv_heads = keys.each("attention.head_count_kv", layers)
    return [architecture.attention_type if one else architecture.recurrent_type for one in kv_heads]


def _letters(keys: Keys, layers: int) -> str:
    """What each layer is: attention, experts or a recurrence."""
    names = ("attention.head_count_kv", "feed_forward_length")
    counts = [keys.each(name, layers) for name in names]
    return "".join("*" if kv else "E" if width else "M" for kv, width in zip(*counts, strict=True))


def _delta_config(keys: Keys, heads: int, layers: int) -> dict[str, Any]:
    """The layers of either kind, counted from 1, and the sizes of those with a recurrence."""
    kv_heads = keys.each("attention.head_count_kv", layers)
    attends = list(enumerate(map(bool, kv_heads), start=1))
    return {
        "full_attn_layers": [layer for layer, attending in attends if attending],
        "kda_layers": [layer for layer, attending in attends if not attending],
        "head_dim": keys.integer("kda.head_dim"),
        "num_heads": heads,
        "short_conv_kernel_size": keys.integer("ssm.conv_kernel"),
    }


def _interval(keys: Keys, layers: int) -> int:
    """Each how many layers one has attention. The list of layers says it, where a file has that:
    writers put a 4 into the key of models with another interval."""
    name = "attention.recurrent_layers"
    if keys.get(name) is None:
        return keys.integer("full_attention_interval", 4)
    recurs = [bool(one) for one in keys.each(name, layers)]
    interval = recurs.index(False) + 1 if False in recurs else layers + 1
    if recurs != [(layer + 1) % interval != 0 for layer in range(len(recurs))]:
        keys.refuse(name, "all but each n-th layer")
    return interval


def _layer_types(keys: Keys, config: Mapping[str, Any]) -> dict[str, Any]:
    """Which layers slide, where the file lists them; a pattern that config.json cannot have without
    a window is taken from it."""
    slides = keys.get("attention.sliding_window_pattern")
    pattern = config.get("sliding_window_pattern")
    if config.get("sliding_window") is None:
        none = None if isinstance(pattern, str) else 1
        return {"sliding_window_pattern": none} if pattern else {}
    if type(slides) is int and slides > 0:  # each n-th layer does not slide
        listed = range(1, min(config["num_hidden_layers"], _MOST_LAYERS) + 1)
        slides = [layer % slides != 0 for layer in listed]
    if not isinstance(slides, list):
        return {}
    if len(slides) != config["num_hidden_layers"]:
        keys.faults.append(
            f"the pattern of sliding layers has {len(slides)} and there are "
            f"{config['num_hidden_layers']}"
        )
    names = ["sliding_attention" if one else "full_attention" for one in slides]
    if not isinstance(pattern, str):
        return {"layer_types": names}
    letters = "".join("L" if one else "G" for one in slides)
    return {"layer_types": names, "sliding_window_pattern": letters}


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
