"""Checkpoints as GGUF files: names, keys and changes of tensors as llama.cpp's writer has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

Config = dict[str, Any]
Array = np.ndarray[Any, Any]
Kind = gguf.GGMLQuantizationType

ARCHITECTURES = {
    "mistral": "llama",
    "mixtral": "llama",
    "qwen2_moe": "qwen2moe",
    "qwen3_moe": "qwen3moe",
    "gemma3_text": "gemma3",
    "olmo3": "olmo2",
    "hunyuan_v1_dense": "hunyuan-dense",
}
"""By model type, where it is called otherwise."""
INTERLEAVED = ("llama", "smollm3", "granite", "granitemoe")
_STACKED = re.compile(r"model\.layers\.(\d+)\..*\.switch_mlp\.(\w+)_proj\.weight")
ADDED = ("gemma", "gemma2", "gemma3")


def interleaved(value: Array, heads: int) -> Array:
    """The two halves of each head's rows, taken in turn."""
    rows = value.shape[0]
    halves = value.reshape(heads, 2, rows // heads // 2, *value.shape[1:])
    return halves.swapaxes(1, 2).reshape(value.shape)


def architecture_of(config: Config) -> str:
    return ARCHITECTURES.get(config["model_type"], str(config["model_type"]))


def names_of(architecture: str, layers: int) -> Callable[[str], str]:
    """What a tensor of a folder is called in a file."""
    arch = next(a for a, text in gguf.MODEL_ARCH_NAMES.items() if text == architecture)
    names = gguf.get_tensor_name_map(arch, layers)

    def name(module: str) -> str:
        found = names.get_name(module, try_suffixes=(".weight", ".bias"))
        assert found, module
        return found

    return name


def tensors_of(config: Config, weights: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors under their names, changed as the architecture wants them."""
    name = architecture_of(config)
    names = names_of(name, config["num_hidden_layers"])
    heads = {
        "q_proj": config["num_attention_heads"],
        "k_proj": config.get("num_key_value_heads") or config["num_attention_heads"],
    }
    out = {}
    for module, value in weights.items():
        if stacked := re.fullmatch(
            r"model\.layers\.(\d+)\..*\.switch_mlp\.(\w+)_proj\.weight", module
        ):
            out[f"blk.{stacked[1]}.ffn_{stacked[2]}_exps.weight"] = value
            continue
        found = names(module)
        changed = value.reshape(-1) if module.endswith("shared_expert_gate.weight") else value
        if name in INTERLEAVED and (count := heads.get(module.split(".")[-2])):
            changed = interleaved(value, count)
        if name in ADDED and module.endswith("norm.weight"):
            changed = value + np.float32(1)
        out[found] = changed
    if factors := llama3_factors(config):
        out["rope_freqs.weight"] = np.array(factors, np.float32)
    scaling = config.get("rope_scaling") or {}
    for length in ("long", "short"):
        if f"{length}_factor" in scaling and name == "phi3":
            out[f"rope_factors_{length}.weight"] = np.array(scaling[f"{length}_factor"], np.float32)
    return out


def llama3_factors(config: Config) -> list[float]:
    """What the writer makes of Llama 3's rotary scaling."""
    scaling = config.get("rope_scaling") or {}
    if scaling.get("rope_type") != "llama3":
        return []
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    first, factor = scaling["original_max_position_embeddings"], scaling["factor"]
    dims = head_dim(config)
    out = []
    for i in range(0, dims, 2):
        length = 2 * np.pi * config["rope_theta"] ** (i / dims)
        if length < first / high:
            out.append(1.0)
        elif length > first / low:
            out.append(factor)
        else:
            smooth = (first / length - low) / (high - low)
            out.append(1 / ((1 - smooth) / factor + smooth))
    return out


def head_dim(config: Config) -> int:
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def keys_of(config: Config) -> dict[str, Any]:
    """The architecture's own keys, without its name in front."""
    dims = head_dim(config)
    scaling = config.get("rope_scaling") or {}
    heads = config["num_attention_heads"]
    keys = {
        "block_count": config["num_hidden_layers"],
        "context_length": config["max_position_embeddings"],
        "embedding_length": config["hidden_size"],
        "feed_forward_length": config["intermediate_size"],
        "attention.head_count": heads,
        "attention.head_count_kv": config.get("num_key_value_heads") or heads,
        "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        "rope.freq_base": float(config.get("rope_theta", 10000.0)),
        "rope.dimension_count": int(dims * config.get("partial_rotary_factor", 1.0)),
    }
    if "head_dim" in config:
        keys["attention.key_length"] = keys["attention.value_length"] = dims
    for key, name in (
        ("attn_logit_softcapping", "attn_logit_softcapping"),
        ("final_logit_softcapping", "final_logit_softcapping"),
        ("attention_multiplier", "attention.scale"),
        ("embedding_multiplier", "embedding_scale"),
        ("residual_multiplier", "residual_scale"),
        ("logits_scaling", "logit_scale"),
    ):
        if config.get(key):
            keys[name] = float(config[key])
    for key, name in (
        ("num_experts", "expert_count"),
        ("num_local_experts", "expert_count"),
        ("num_experts_per_tok", "expert_used_count"),
        ("moe_intermediate_size", "expert_feed_forward_length"),
        ("shared_expert_intermediate_size", "expert_shared_feed_forward_length"),
    ):
        if config.get(key):
            keys[name] = config[key]
    if scaling.get("rope_type") in ("linear", "yarn"):
        keys["rope.scaling.type"] = scaling["rope_type"]
        keys["rope.scaling.factor"] = float(scaling["factor"])
    if scaling.get("rope_type") == "yarn":
        first = scaling["original_max_position_embeddings"]
        keys["rope.scaling.original_context_length"] = first
    keys.update(_keys_of_type(config))
    return keys


def _keys_of_type(config: Config) -> dict[str, Any]:
    kind, window = config["model_type"], config.get("sliding_window")
    keys: dict[str, Any] = {}
    if kind == "phi3":
        keys["attention.sliding_window"] = window or 0
        keys["rope.scaling.original_context_length"] = config["original_max_position_embeddings"]
    if kind in ("gemma2", "gemma3_text") and window:
        keys["attention.sliding_window"] = window
    if kind in ("olmo3", "exaone4") and window:
        layers = config["num_hidden_layers"]
        period = config.get("sliding_window_pattern") or 4
        types = config.get("layer_types") or [
            "full_attention" if (i + 1) % period == 0 else "sliding_attention"
            for i in range(layers)
        ]
        keys["attention.sliding_window"] = window
        keys["attention.sliding_window_pattern"] = [t == "sliding_attention" for t in types]
    return keys


def vocabulary(size: int) -> dict[str, Any]:
    """A byte-pair vocabulary of an end, some letters, and names of nothing."""
    letters = ["a", "b", "ab", *(chr(code) for code in range(99, 127))][: max(size - 1, 1)]
    tokens = ["<|end|>", *letters, *(f"<unused{i}>" for i in range(size - 1 - len(letters)))]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3, *(1 for _ in tokens[1:])],
        "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.eos_token_id": 0,
    }


def write(
    path: Path,
    architecture: str,
    keys: Mapping[str, Any],
    tensors: Mapping[str, Array | tuple[Array, Kind]],
) -> Path:
    """A file of these keys, whole names, and tensors: float32, or raw blocks, a row of bytes for
    each row, with their kind."""
    writer = gguf.GGUFWriter(path, architecture)
    for name, value in keys.items():
        _add(writer, name, value)
    for name, given in tensors.items():
        if isinstance(given, tuple):
            writer.add_tensor(name, given[0], raw_dtype=given[1])
        else:
            writer.add_tensor(name, np.ascontiguousarray(given, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add(writer: gguf.GGUFWriter, name: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(name, value)
    elif isinstance(value, int):
        writer.add_uint32(name, value)
    elif isinstance(value, float):
        writer.add_float32(name, value)
    elif isinstance(value, str):
        writer.add_string(name, value)
    else:
        writer.add_array(name, value)


def rounded(value: Array, kind: Kind) -> Array:
    """Numbers as `quantized` has them, as floats."""
    if value.ndim < 2 or value.shape[-1] % gguf.GGML_QUANT_SIZES[kind][0]:
        return value
    raw = gguf.quants.quantize(np.ascontiguousarray(value, np.float32), kind)
    floats: Array = gguf.quants.dequantize(raw, kind)
    return floats


def quantized(tensors: Mapping[str, Array], kinds: Iterable[Kind]) -> dict[str, Any]:
    """Matrices in these kinds, in turn, as the package quantizes them; the others as they are."""
    order = list(kinds)
    out: dict[str, Any] = {}
    for at, (name, value) in enumerate(tensors.items()):
        kind = order[at % len(order)]
        block = gguf.GGML_QUANT_SIZES[kind][0]
        if value.ndim > 1 and value.shape[-1] % block == 0 and kind != Kind.F32:
            raw = gguf.quants.quantize(np.ascontiguousarray(value, np.float32), kind)
            out[name] = (raw, kind)
        else:
            out[name] = value
    return out


def write_model(
    path: Path,
    config: Config,
    weights: Mapping[str, Array],
    *,
    kinds: Iterable[Kind] = (Kind.F32,),
    **changes: Any,
) -> Path:
    """A model's file. `changes` replaces keys, dots as double underscores; None removes one."""
    name = architecture_of(config)
    keys = {f"{name}.{key}": value for key, value in keys_of(config).items()}
    keys.update(vocabulary(config["vocab_size"]))
    for key, value in changes.items():
        keys[key.replace("__", ".")] = value
    keys = {key: value for key, value in keys.items() if value is not None}
    return write(path, name, keys, quantized(tensors_of(config, weights), kinds))
