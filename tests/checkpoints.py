"""Checkpoints for tests and benchmarks: a config.json with random weights, as a folder.

`write(folder, config)` makes one that mlx-lm, transformers and the engine load alike. Weights
depend on a tensor's name and shape alone, so that the same config gives the same bytes on every
machine and with every version of NumPy. A "quantization" block in the config quantizes as mlx-lm
would.

`shapes(config)`, of checkpoint_shapes.py, is the list of tensors, for who wants to write them in
another way.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import expert_layouts
import latent_layouts
import recurrent_layouts
from checkpoint_shapes import Config, shapes

BITS_OF = {"F32": 32, "F16": 16, "BF16": 16, "U32": 32, "U8": 8}
_KEPT = 4096
"""Numbers up to which a tensor is kept for the next checkpoint that has it."""
ADDS_ONE = ("gemma", "gemma2", "gemma3_text", "nemotron", "muse_glimmer")
"""Their norms multiply by 1 + weight, so the weights lie around 0."""
XIELU = ("alpha_p", "alpha_n", ".beta", ".eps")


@dataclass(frozen=True)
class Tensor:
    """A tensor as a safetensors file has it; bfloat16 is held as its 16 bits."""

    dtype: str
    data: np.ndarray[Any, Any]


def noise(name: str, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Numbers of mean 0 and variance 1 that depend on name and shape alone: raw Philox words,
    which NumPy promises never to change, as a uniform distribution."""
    return _kept_noise(name, shape) if math.prod(shape) <= _KEPT else _made_noise(name, shape)


@lru_cache(maxsize=4000)
def _kept_noise(name: str, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """That of a small tensor, which the tiny models of many tests have alike."""
    made = _made_noise(name, shape)
    made.flags.writeable = False
    return made


def _made_noise(name: str, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    digest = hashlib.sha256(f"{name} {shape}".encode()).digest()
    words = np.random.Philox(key=int.from_bytes(digest[:16], "little")).random_raw(
        int(np.prod(shape))
    )
    uniform = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    spread: np.ndarray[Any, np.dtype[np.float64]] = (uniform * 2 - 1) * np.sqrt(3.0)
    return spread.reshape(shape)


def weights(config: Config) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """Random float32 weights, scaled so that activations and logits are of order 1."""
    text = config.get("text_config", config)
    base = 0.0 if text["model_type"] in ADDS_ONE else 1.0
    out = {}
    for name, shape in shapes(config).items():
        if name.endswith(XIELU):
            value = np.full(shape, {"beta": 0.5, "eps": -1e-6}.get(name.rsplit(".", 1)[1], 0.4))
        elif name.endswith("layer_scalar"):
            value = 0.8 + 0.1 * noise(name, shape)
        elif name.endswith("router.scale"):
            value = np.sqrt(shape[0]) * (1 + 0.2 * noise(name, shape))
        elif name.endswith("per_expert_scale"):
            value = 1 + 0.3 * noise(name, shape)
        elif "norm" in name.split(".")[-2] or ".ln_" in name or ".norms." in name:
            value = noise(name, shape)
            plain = text["model_type"] == "muse_glimmer" and name == "model.norm.weight"
            is_bias = name.endswith(".bias")
            around = 1.0 if plain else min(base, recurrent_layouts.norm_base(text, name))
            value = 0.3 * value if is_bias else around + 0.2 * value
            if "gemma4" in text["model_type"] and name.endswith(("q_norm.weight", "k_norm.weight")):
                value *= 0.4  # nothing else keeps its scores small
        elif name.endswith(".bias"):
            value = 0.3 * noise(name, shape)
        elif name.endswith("correction_bias"):
            value = 0.1 * noise(name, shape)
        elif (recurrent := recurrent_layouts.part(name, shape, noise)) is not None:
            value = recurrent
        elif (absorbed := latent_layouts.part(text, name, noise)) is not None:
            value = absorbed
        else:
            parts = expert_layouts.alone(config, name, shape)
            numbers = (
                np.stack([noise(part, shape[1:]) for part in parts])
                if parts
                else noise(name, shape)
            )
            value = numbers / np.sqrt(shape[-1])
        out[name] = value.astype(np.float32)
    return out


def tensors(config: Config, dtype: str = "F32") -> dict[str, Tensor]:
    """The tensors of a checkpoint in `dtype` (F32, F16, BF16), quantized where the config says."""
    block: dict[str, Any] = config.get("quantization") or {}
    by_default = {key: value for key, value in block.items() if not isinstance(value, dict)}
    out: dict[str, Tensor] = {}
    for name, value in weights(config).items():
        module = name.removesuffix(".weight")
        spec = block.get(module, bool(block))
        matrix = value.ndim >= 2 and module != name and not recurrent_layouts.is_conv(name)
        if spec and matrix:
            spec = spec if isinstance(spec, dict) else by_default
            out.update(quantized(module, value, spec, dtype))
        else:
            out[name] = stored(value, dtype)
    return out


def stored(value: np.ndarray[Any, Any], dtype: str) -> Tensor:
    """Float32 numbers in another dtype, rounded to nearest even."""
    if dtype == "F16":
        return Tensor(dtype, value.astype(np.float16))
    if dtype == "BF16":
        bits = np.ascontiguousarray(value, dtype=np.float32).view(np.uint32)
        rounding = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
        return Tensor(dtype, ((bits + rounding) >> np.uint32(16)).astype(np.uint16))
    return Tensor(dtype, value.astype(np.float32))


def quantized(
    module: str, value: np.ndarray[Any, Any], spec: Mapping[str, Any], dtype: str
) -> dict[str, Tensor]:
    """`module`'s weight as `mx.quantize` packs it; scales and biases are in `dtype`."""
    import mlx.core as mx

    of_mlx = {"F32": mx.float32, "F16": mx.float16, "BF16": mx.bfloat16}
    parts = mx.quantize(
        mx.array(value).astype(of_mlx[dtype]),
        group_size=spec.get("group_size"),
        bits=spec.get("bits"),
        mode=spec.get("mode", "affine"),
    )
    out = {}
    for suffix, part in zip(("weight", "scales", "biases"), parts, strict=False):
        if part.dtype == mx.bfloat16:
            tensor = Tensor("BF16", np.array(part.view(mx.uint16)))
        else:
            kind = {mx.uint32: "U32", mx.uint8: "U8", mx.float16: "F16", mx.float32: "F32"}
            tensor = Tensor(kind[part.dtype], np.array(part))
        out[f"{module}.{suffix}"] = tensor
    return out


def header(entries: Iterable[tuple[str, str, tuple[int, ...]]], **metadata: str) -> bytes:
    """The head of a safetensors file whose tensors, (name, dtype, shape), follow in this order."""
    table: dict[str, Any] = {"__metadata__": {"format": "mlx", **metadata}}
    end = 0
    for name, dtype, shape in entries:
        start, end = end, end + int(np.prod(shape)) * BITS_OF[dtype] // 8
        table[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(table).encode()
    return len(text).to_bytes(8, "little") + text


def save(path: Path, content: Mapping[str, Tensor], **metadata: str) -> None:
    """Writes a safetensors file. The header is not padded, as mlx-lm leaves it, so the data may
    begin at any byte."""
    with path.open("wb") as file:
        file.write(header(((n, t.dtype, t.data.shape) for n, t in content.items()), **metadata))
        for tensor in content.values():
            file.write(np.ascontiguousarray(tensor.data).tobytes())


def write(
    folder: Path, config: Config, dtype: str = "F32", content: Mapping[str, Tensor] | None = None
) -> Path:
    """Writes config.json and model.safetensors to `folder`, which is made, and returns it.

    Args:
        folder: where to.
        config: what config.json shall say.
        dtype: of the float tensors: F32, F16 or BF16.
        content: tensors to write instead of those that the config asks for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save(folder / "model.safetensors", tensors(config, dtype) if content is None else content)
    return folder


def tokens(config: Config, count: int) -> list[int]:
    """`count` token ids to run a model on."""
    vocab_size = config.get("text_config", config)["vocab_size"]
    scaled = (noise("tokens", (count,)) / np.sqrt(12.0) + 0.5) * vocab_size
    return [int(token) for token in scaled]


def fingerprint(config: Config) -> str:
    """Changes when the config, and with it the weights, does."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]


def shards(names: Iterable[tuple[str, int]], limit: int) -> Iterator[list[str]]:
    """Cuts (name, bytes) into runs of at most `limit` bytes, as published checkpoints are."""
    run: list[str] = []
    size = 0
    for name, count in names:
        if run and size + count > limit:
            yield run
            run, size = [], 0
        run.append(name)
        size += count
    if run:
        yield run
