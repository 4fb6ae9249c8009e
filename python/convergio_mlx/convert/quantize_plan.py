"""What a model of floats becomes when it is quantized, worked out from heads of files alone."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convergio_mlx.convert.modules import Target, targets
from convergio_mlx.convert.recipes import Matrix, QuantizeOptions, Setting, settings_of
from convergio_mlx.convert.shards import Shard, Tensor, shards_of
from convergio_mlx.errors import InvalidRequestError, UnsupportedModelError
from convergio_mlx.platform.files import open_regular, read_file
from convergio_mlx.platform.native import native

CONFIG = "config.json"
_LARGEST_CONFIG = 16 << 20
_NOT_KEPT = ("_name_or_path", "vision_config")
"""What mlx-lm leaves out of config.json too: the tensors of other parts do not come along."""
_NOT_CAST = ("e_score_correction_bias", "expert_bias", "A_log", "dt_bias")
"""Tensors whose names end so keep their dtype."""
_DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
_LEFT_OUT = (
    ".safetensors",
    ".safetensors.index.json",
    ".bin",
    ".bin.index.json",
    ".gguf",
    ".h5",
    ".msgpack",
    ".onnx",
    ".pt",
    ".pth",
    ".pkl",
    ".py",
)
"""How files are named that are not carried over: weights in any format, and code."""


@dataclass(frozen=True)
class QuantizePlan:
    """What a folder becomes; nothing is written yet. Made by `plan_quantize`."""

    source: Path
    options: QuantizeOptions
    dtype: str | None
    """Of floats, scales and biases; None where they stay as they are."""
    shards: tuple[Shard, ...]
    settings: dict[str, Setting]
    """By module: the matrices that are quantized."""
    targets: dict[str, Target]
    """By name: the tensors, before they are quantized."""
    left_float: tuple[str, ...]
    """Matrices that stay so: the group size does not divide their columns, or MLX's models have
    them as floats alone."""
    config: bytes
    """config.json's text."""
    carried: tuple[str, ...]
    """Files that are copied."""
    source_bytes: int
    """Of the tensors that are read."""
    conversion: Any = field(repr=False)
    """The native module's, which has the files open."""

    @property
    def size(self) -> int:
        """Bytes of the files that it makes, but for the small ones."""
        return sum(shard.size for shard in self.shards)

    @property
    def bits_per_weight(self) -> float:
        """Of the file's tensors, scales and biases counted, for each number of the model."""
        numbers = sum(one.rows * one.columns for one in self.targets.values())
        return 8 * sum(one.size for shard in self.shards for one in shard.tensors) / numbers


def plan_quantize(source: Path, options: QuantizeOptions) -> QuantizePlan:
    """Looks at a model's folder; reads no weights.

    Args:
        source: a folder with config.json and safetensors files of floats.
        options: how; made by `quantize_options`.

    Raises:
        InvalidRequestError: it is quantized already, or groups divide no matrix's columns.
        ModelNotFoundError, ModelCorruptError, LoadError: it is no model's folder, or damaged.
        UnsupportedModelError: this engine does not run such models.
        OSError: it cannot be read.
    """
    text = read_file(source / CONFIG, _LARGEST_CONFIG)
    conversion = native().conversion(os.fsencode(source))
    config = _parsed(text)
    _check_float(config, conversion, source)
    if conversion.interleaved:
        raise UnsupportedModelError(
            f"[quantize] {conversion.interleaved[0]!r} has rows of gate and up in turns, which are "
            "not converted; use a checkpoint from mlx-community."
        )
    wrapped = isinstance(config.get("text_config"), dict)
    model_type = native().geometry(text).model_type
    modules = (row[0] for row in conversion.matrices)
    made = targets(conversion.tensors, modules, model_type=model_type, wrapped=wrapped)
    matrices = [Matrix(one.module, one.rows, one.columns) for one in made if one.is_matrix]
    settings, block = settings_of(options, matrices, conversion.layers, model_type)
    if not settings:
        raise InvalidRequestError(
            f"[quantize] groups of {options.setting.group_size} divide the columns of no matrix in "
            f"{str(source)!r}, so nothing would be quantized; give a smaller group size."
        )
    dtype = _dtype(config)
    groups = [
        _quantized(one, (None if one.name.endswith(_NOT_CAST) else dtype) or one.dtype, settings)
        for one in made
    ]
    config |= {"quantization": block, "quantization_config": block}
    for name in _NOT_KEPT:
        config.pop(name, None)
    return QuantizePlan(
        source,
        options,
        dtype,
        tuple(shards_of(groups)),
        settings,
        {one.name: one for one in made},
        tuple(one.module for one in matrices if one.module not in settings),
        json.dumps(config, indent=2).encode() + b"\n",
        carried_files(source),
        sum(row[3] for row in conversion.tensors),
        conversion,
    )


def carried_files(folder: Path) -> tuple[str, ...]:
    """The files of a model's folder that go along with other weights: regular ones in the folder
    itself that are neither hidden, nor weights, nor code, nor the store's receipt.

    Raises:
        OSError: the folder cannot be listed.
    """
    names = []
    for name in sorted(os.listdir(folder)):
        if name in (CONFIG, "receipt.json") or name.startswith(".") or name.endswith(_LEFT_OUT):
            continue
        try:
            os.close(open_regular(folder / name))
        except OSError:  # a folder, a pipe, a dangling link
            continue
        names.append(name)
    return tuple(names)


def _parsed(text: bytes) -> dict[str, Any]:
    config = json.loads(text)
    assert isinstance(config, dict)  # the native module has read it
    return config


def _check_float(config: dict[str, Any], conversion: Any, source: Path) -> None:
    block = config.get("quantization") or config.get("quantization_config")
    quantized = next((row for row in conversion.matrices if row[3] is not None), None)
    if not block and quantized is None:
        return
    how = ""
    if quantized is not None:
        how = f" ({quantized[3]}, {quantized[4]} bits, groups of {quantized[5]})"
    elif isinstance(block, dict) and isinstance(block.get("quant_method"), str):
        how = f" ({ascii(block['quant_method'])[:60]})"
    raise InvalidRequestError(
        f"[quantize] {str(source)!r} is quantized already{how}; give the model that it was made "
        "from, in bfloat16, float16 or float32."
    )


def _dtype(config: dict[str, Any]) -> str | None:
    """What floats are cast to, as mlx-lm has it; None where they stay as they are."""
    name = config.get("torch_dtype")
    inner = config.get("text_config")
    if name is None and isinstance(inner, dict):
        name = inner.get("dtype")
    return _DTYPES.get(name) if isinstance(name, str) else None


def _quantized(target: Target, dtype: str, settings: dict[str, Setting]) -> list[Tensor]:
    """The tensors that one becomes."""
    setting = settings.get(target.module) if target.is_matrix else None
    if setting is None:
        return [Tensor(target.name, dtype, target.shape)]
    *outer, columns = target.shape
    groups = (*outer, columns // setting.group_size)
    weight = Tensor(target.name, "U32", (*outer, columns * setting.bits // 32))
    if setting.mode != "affine":
        return [weight, Tensor(f"{target.module}.scales", "U8", groups)]
    parts = (f"{target.module}.{part}" for part in ("scales", "biases"))
    return [weight, *(Tensor(part, dtype, groups) for part in parts)]
