"""Checkpoints of a true geometry with random weights, written as fast as the disk takes them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import checkpoints
from expert_layouts import STACKED
from latent_layouts import ABSORBED
from recurrent_layouts import CONVERTED as CONVERTED_CONVS

CONVERTED = {STACKED: "stacked", ABSORBED: "absorbed", CONVERTED_CONVS: "converted"}
"""What a config is given for tensors as mlx-lm converts them, not as they are published."""
Entry = tuple[str, str, tuple[int, ...]]
"""A tensor's name, dtype and shape."""
SHARD_BYTES = 5_000_000_000
BLOCK = np.random.default_rng(0).bytes(1 << 24)
"""Random bytes that all packed weights are cut from: no tensor is ever whole in memory."""


def spec_of(config: dict[str, Any], module: str) -> dict[str, Any] | None:
    """How a module's weight is quantized: its own entry of the block, or the block's; None: not."""
    block = config.get("quantization")
    if block is None:
        return None
    own = block.get(module, block)
    return own if isinstance(own, dict) else None


def entries(config: dict[str, Any]) -> Iterator[Entry]:
    """The tensors of a checkpoint with config's quantization, if it has one, floats in bfloat16."""
    for name, shape in checkpoints.shapes(config).items():
        module = name.removesuffix(".weight")
        spec = spec_of(config, module) if len(shape) > 1 and module != name else None
        if spec is None or shape[-1] % spec["group_size"]:
            yield name, "BF16", shape
            continue
        rows, cols = shape[:-1], shape[-1]
        groups = (*rows, cols // spec["group_size"])
        yield name, "U32", (*rows, cols * spec["bits"] // 32)
        if spec.get("mode", "affine") == "affine":
            yield f"{module}.scales", "BF16", groups
            yield f"{module}.biases", "BF16", groups
        else:
            yield f"{module}.scales", "U8", groups


def size(entry: Entry) -> int:
    """Bytes."""
    return int(np.prod(entry[2])) * checkpoints.BITS_OF[entry[1]] // 8


def content(entry: Entry, config: dict[str, Any]) -> Iterator[bytes]:
    """A tensor's bytes, in pieces. Scales and biases are such that what they make of uniform
    packed numbers has mean 0 and variance 1 / columns, so that activations stay of order 1."""
    name, dtype, shape = entry
    left = size(entry)
    module, _, part = name.rpartition(".")
    if dtype == "U32":
        piece = BLOCK
    elif part in ("scales", "biases"):
        spec = spec_of(config, module)
        assert spec is not None
        columns = shape[-1] * spec["group_size"]
        if dtype == "U8":  # a power of two, for numbers of 4 bits whose mean square is 8.56
            piece = bytes([127 - round(np.log2(8.56 * columns) / 2)])
        else:
            most = 2 ** spec["bits"] - 1
            scale = np.sqrt(12 / (most * (most + 2)) / columns)
            value = scale if part == "scales" else -scale * most / 2
            piece = checkpoints.stored(np.array([value]), "BF16").data.tobytes()
        piece *= min(left, 1 << 20)
    elif len(shape) > 1:
        columns = shape[-1] if shape[-1] > 1 else shape[-2]  # convolutions may end in an axis of 1
        numbers = np.frombuffer(BLOCK, np.int16) / (2**15 / np.sqrt(3 / columns))
        piece = checkpoints.stored(numbers, "BF16").data.tobytes()
    else:
        value = 1.0 if "norm" in module.split(".")[-1] else 0.1
        piece = checkpoints.stored(np.array([value]), "BF16").data.tobytes() * (left // 2)
    while left > 0:
        yield piece[:left]
        left -= len(piece)


def fabricate(folder: Path, config: dict[str, Any], tokenizer: Path | None = None) -> int:
    """Writes a checkpoint in shards with an index, as large ones are published.

    Args:
        folder: where to; made, and must not exist.
        config: config.json; a "quantization" block, if any, is of affine or mxfp4 mode.
        tokenizer: a folder whose files go along.

    Returns:
        The bytes of all tensors.
    """
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    for extra in tokenizer.iterdir() if tokenizer else ():
        shutil.copy(extra, folder)
    by_name = {entry[0]: entry for entry in entries(config)}
    runs = list(checkpoints.shards(((n, size(e)) for n, e in by_name.items()), SHARD_BYTES))
    places: dict[str, str] = {}
    for number, names in enumerate(runs, start=1):
        path = folder / f"model-{number:05}-of-{len(runs):05}.safetensors"
        places.update(dict.fromkeys(names, path.name))
        with path.open("wb") as file:
            file.write(checkpoints.header(by_name[name] for name in names))
            for name in names:
                for piece in content(by_name[name], config):
                    file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    total = sum(size(entry) for entry in by_name.values())
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return total


def forget(path: Path) -> None:
    """Drops a file, or a folder's checkpoint, from the page cache, where the system has a way to
    ask for it."""
    if hasattr(os, "posix_fadvise"):
        for part in [path] if path.is_file() else path.glob("*.safetensors"):
            with part.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
