"""A GGUF checkpoint of a given geometry with random weights, written in one pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from comparison.geometry import Config, is_matrix, shapes
from comparison.gguf_blocks import FORMATS, Noise
from comparison.gguf_keys import ARCHITECTURES, value
from comparison.recurrent import is_conv
from comparison.vocabulary import vocabulary
from convergio_mlx.convert import architectures

MIXED = "Q4_K_M"
"""llama.cpp's most used recipe: Q4_K, and Q6_K for what loses most by it."""


def write(path: Path, config: Config, kind: str) -> None:
    """Writes one file, every matrix of it in `kind` (one of FORMATS or RECIPES)."""
    architecture = ARCHITECTURES[config["model_type"]]
    writer = gguf.GGUFWriter(path, architecture.name)
    describe(writer, config)
    _add_vocabulary(writer, config["vocab_size"], architecture.pre_tokenizer)
    shaped = tensors(config)
    numbers = {
        name: np.full(shape, _number(name), np.float32)
        for name, shape in shaped.items()
        if not is_matrix(name, shape)
    }
    formats = {
        name: RECIPES.get(kind, lambda *_: kind)(name, config)
        for name in shaped
        if name not in numbers
    }
    if architecture.rope_freqs:
        numbers["rope_freqs.weight"] = np.array(architecture.rope_freqs(config), np.float32)
    for name, array in numbers.items():
        writer.add_tensor_info(name, array.shape, array.dtype, array.nbytes)
    for name, one in formats.items():
        shape, (columns, block_bytes) = shaped[name], FORMATS[one].sizes
        size = (*shape[:-1], shape[-1] // columns * block_bytes)
        number = FORMATS[one].number
        writer.add_tensor_info(name, size, np.dtype(np.uint8), math.prod(size), number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    file = writer.fout[0]  # type: ignore[index]
    noise = {one: Noise(one) for one in set(formats.values())}
    for name in (*numbers, *formats):
        writer.write_padding(file, file.tell())
        is_float = name in numbers
        pieces = [numbers[name].data] if is_float else noise[formats[name]].matrix(shaped[name])
        for piece in pieces:
            file.write(piece)
        writer.write_padding(file, file.tell())
    writer.close()


def _number(name: str) -> float:
    """What all numbers of a vector are: as in our folders, but that decays are no logarithms."""
    if name.endswith(".ssm_a"):
        return -math.exp(0.1)
    return 1.0 if name.endswith("norm.weight") else 0.1


def tensors(config: Config) -> dict[str, tuple[int, ...]]:
    """The shapes of all tensors but rotary factors, by their names in a file."""
    table = architectures.ARCHITECTURES[ARCHITECTURES[config["model_type"]].name].tensors
    bases: dict[str, list[str]] = {}
    for base, module in table.items():
        bases.setdefault(module, []).append(base)
    found = {}
    for name, shape in shapes(config).items():
        module, _, part = name.rpartition(".")
        if part not in ("weight", "bias"):
            module, part = name, "weight"
        before = ""
        if module.startswith("model.layers."):
            layer, _, module = module.removeprefix("model.layers.").partition(".")
            before = f"blk.{layer}."
        for base in bases[module]:
            rows = shape[0] // len(bases[module])
            own = NAMES.get(base, f"{base}.{part}")
            found[before + own] = _shape(own, (rows, *shape[1:]), config)
    return found


NAMES = {"ssm_a": "ssm_a", "ssm_d": "ssm_d", "ssm_dt": "ssm_dt.bias"}
"""Tensors whose part is called otherwise than that of the same tensor here."""


def _shape(name: str, shape: tuple[int, ...], config: Config) -> tuple[int, ...]:
    """A file's: of a convolution without the axis of 1; what each head has in Mamba-2 with one,
    and its norm as a row for each group."""
    if is_conv(f".{name}"):
        return (shape[0], max(shape[1:]))
    groups = config.get("mamba_n_groups")
    if groups and name in ("ssm_a", "ssm_d"):
        return (*shape, 1)
    return (groups, shape[0] // groups) if groups and name == "ssm_norm.weight" else shape


def describe(writer: gguf.GGUFWriter, config: Config) -> None:
    """Adds the architecture's keys, each of its value's type, numbers in 32 bits."""
    add: dict[type, Callable[[str, Any], None]] = {
        bool: writer.add_bool,
        int: writer.add_uint32,
        float: writer.add_float32,
        str: writer.add_string,
        list: writer.add_array,
    }
    architecture = ARCHITECTURES[config["model_type"]]
    for key, field in architecture.keys.items():
        one = value(config, field)
        add[type(one)](f"{architecture.name}.{key}", one)


def _mixed(name: str, config: Config) -> str:
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


def _experts_apart(name: str, _config: Config) -> str:
    return "MXFP4" if name.endswith("_exps.weight") else "Q8_0"


RECIPES: Mapping[str, Callable[[str, Config], str]] = {MIXED: _mixed, "MXFP4": _experts_apart}
"""Files of several formats: a tensor's, by its name. MXFP4 is that of experts alone."""


def _add_vocabulary(writer: gguf.GGUFWriter, size: int, pre_tokenizer: str) -> None:
    """One of bytes and merges, whatever the architecture's own is: ids go in and come out."""
    tokens, merges = vocabulary(size)
    normal, control = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre_tokenizer)
    writer.add_token_list(tokens)
    writer.add_token_types([normal] * (len(tokens) - 2) + [control] * 2)
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(len(tokens) - 2)
    writer.add_eos_token_id(len(tokens) - 1)
    writer.add_add_bos_token(False)
