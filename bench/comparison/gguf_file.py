"""A GGUF checkpoint of a given geometry with random weights, written in one pass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from comparison.geometry import head_dim, shapes
from comparison.vocabulary import vocabulary

_TYPE = gguf.GGMLQuantizationType
FORMATS = {"Q4_0": _TYPE.Q4_0, "Q4_1": _TYPE.Q4_1, "Q4_K": _TYPE.Q4_K, "Q6_K": _TYPE.Q6_K}
MIXED = "Q4_K_M"
"""llama.cpp's most used recipe: Q4_K, and Q6_K for what loses most by it."""
_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate": "ffn_gate_inp",
    "mlp.switch_mlp.gate_proj": "ffn_gate_exps",
    "mlp.switch_mlp.up_proj": "ffn_up_exps",
    "mlp.switch_mlp.down_proj": "ffn_down_exps",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
_PIECE_BYTES = 1 << 24
"""Blocks of a format that are made once and written again and again."""


def write(path: Path, config: dict[str, Any], kind: str) -> None:
    """Writes one file, every matrix of it in `kind` (one of FORMATS, or MIXED)."""
    arch = config["model_type"].replace("_", "")
    writer = gguf.GGUFWriter(path, arch)
    _describe(writer, config)
    tensors = {_gguf_name(name): shape for name, shape in shapes(config).items()}
    if "rope_scaling" in config:
        tensors["rope_freqs.weight"] = (head_dim(config) // 2,)
    formats = {
        name: _mixed(name, config) if kind == MIXED else kind
        for name, shape in tensors.items()
        if len(shape) > 1
    }
    for name, shape in tensors.items():
        if name in formats:
            number = FORMATS[formats[name]]
            columns, block_bytes = gguf.GGML_QUANT_SIZES[number]
            size = (*shape[:-1], shape[-1] // columns * block_bytes)
            writer.add_tensor_info(name, size, np.dtype(np.uint8), math.prod(size), number)
        else:
            writer.add_tensor_info(name, shape, np.dtype(np.float32), 4 * shape[0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    file = writer.fout[0]  # type: ignore[index]
    noise = {of: _noise(of) for of in set(formats.values())}
    for name, shape in tensors.items():
        writer.write_padding(file, file.tell())
        if name in formats:
            for piece in _matrix(noise[formats[name]], shape, formats[name]):
                file.write(piece)
        else:
            value = 1.0 if name.endswith(("norm.weight", "freqs.weight")) else 0.1
            file.write(np.full(shape, value, np.float32).tobytes())
        writer.write_padding(file, file.tell())
    writer.close()


def _mixed(name: str, config: dict[str, Any]) -> str:
    """The format that MIXED has for a tensor: Q6_K for the head, and in the first and last eighth
    of the layers and each third of those between for values and the feed-forward's output."""
    if name == "output.weight" or (name == "token_embd.weight" and config["tie_word_embeddings"]):
        return "Q6_K"
    if not name.endswith(("attn_v.weight", "ffn_down.weight")):
        return "Q4_K"
    layer, layers = int(name.split(".")[1]), config["num_hidden_layers"]
    edge = layers // 8
    finer = layer < edge or layer >= 7 * layers // 8 or (layer - edge) % 3 == 2
    return "Q6_K" if finer else "Q4_K"


def _noise(kind: str) -> np.ndarray[Any, Any]:
    """Random blocks, a row each."""
    block_bytes = gguf.GGML_QUANT_SIZES[FORMATS[kind]][1]
    count = _PIECE_BYTES // block_bytes
    noise = np.random.default_rng(0).bytes(count * block_bytes)
    return np.frombuffer(bytearray(noise), np.uint8).reshape(count, block_bytes)


def _matrix(blocks: np.ndarray[Any, Any], shape: tuple[int, ...], kind: str) -> Iterator[bytes]:
    """Mean 0 and variance 1 / columns, so that activations stay of order 1. A block's scales of
    float16 come first, or last in Q6_K; those of 6 and 8 bits are as random as its numbers."""
    columns = shape[-1]
    if kind == "Q4_K":
        scale = 1 / math.sqrt(66_700 * columns)
        floats = [scale, 7.5 * scale]
    elif kind == "Q6_K":
        floats = [1 / math.sqrt(1.86e6 * columns)]
    else:
        scale = 1 / math.sqrt(21.25 * columns)
        floats = [scale] if kind == "Q4_0" else [scale, -7.5 * scale]
    stored = np.array(floats, "<f2").view(np.uint8)
    at = slice(-len(stored), None) if kind == "Q6_K" else slice(len(stored))
    blocks[:, at] = stored
    left = math.prod(shape) // gguf.GGML_QUANT_SIZES[FORMATS[kind]][0]
    whole = blocks.tobytes()
    while left > 0:
        yield whole[: left * blocks.shape[1]]
        left -= len(blocks)


def _gguf_name(name: str) -> str:
    module, _, suffix = name.rpartition(".")
    if module.startswith("model.layers."):
        layer, _, inner = module.removeprefix("model.layers.").partition(".")
        return f"blk.{layer}.{_NAMES[inner]}.{suffix}"
    return f"{_NAMES[module]}.{suffix}"


def _describe(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(head_dim(config))
    writer.add_value_length(head_dim(config))
    writer.add_rope_dimension_count(head_dim(config))
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    if "num_experts" in config:
        writer.add_expert_count(config["num_experts"])
        writer.add_expert_used_count(config["num_experts_per_tok"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    tokens, merges = vocabulary(config["vocab_size"])
    normal, control = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe" if config["model_type"] == "llama" else "qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([normal] * (len(tokens) - 2) + [control] * 2)
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(len(tokens) - 2)
    writer.add_eos_token_id(len(tokens) - 1)
    writer.add_add_bos_token(False)
