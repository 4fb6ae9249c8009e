"""The files of a folder, written as the tensors of GGUF files are converted, rows by rows."""

from __future__ import annotations

import array
import json
import math
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from convergio_mlx.convert.gguf_config import generation_config
from convergio_mlx.convert.gguf_output import Output
from convergio_mlx.convert.gguf_plan import GgufPlan, floats
from convergio_mlx.convert.gguf_rows import with_columns
from convergio_mlx.convert.gguf_source import GgufTensor, Kind
from convergio_mlx.convert.gguf_tokenizer import eos_token_ids, tokenizer_files
from convergio_mlx.convert.shards import (
    INDEX,
    Create,
    ShardWriter,
    Tensor,
    index_of,
    shards_of,
)
from convergio_mlx.errors import ModelCorruptError
from convergio_mlx.platform.native import native

_PIECE = 1 << 20
"""Bytes of a tensor that are converted at once."""
_THREADS = max(2, min(4, os.cpu_count() or 1))
"""That convert while another writes; more are faster than disks."""

OnBytes = Callable[[int], None]
"""Told how many bytes more of the tensors are converted; what it raises ends the work."""


def write_model(plan: GgufPlan, create: Create, advance: OnBytes) -> None:
    """Writes all files of a model's folder.

    Args:
        plan: what is converted.
        create: makes the files.
        advance: told of the bytes.

    Raises:
        ModelCorruptError: a scale is no finite number, the vocabulary contradicts itself, or a file
            was cut off meanwhile.
        OSError: the disk refuses.
    """
    metadata = plan.source.metadata
    small = tokenizer_files(metadata)  # first: it may refuse
    tokens = generation_config(metadata, eos_token_ids(metadata))
    made = [_Made.of(output) for output in plan.outputs]
    shards = shards_of([*(one.tensors for one in made), *([one] for one, _ in plan.constants)])
    places = {tensor.name: shard for shard in shards for tensor in shard.tensors}
    with ThreadPoolExecutor(_THREADS) as pool:
        for shard in shards:
            with ShardWriter(shard, create) as writer:
                for one in made:
                    if places[one.tensors[0].name] is shard:
                        _write_tensor(one, writer, pool, advance)
                for tensor, data in plan.constants:
                    if places[tensor.name] is shard:
                        writer.append(tensor.name, data)
    small["config.json"] = _json({**plan.config, **tokens, **plan.quantization})
    small["generation_config.json"] = _json(tokens)
    if (index := index_of(shards)) is not None:
        small[INDEX] = index
    for name, data in small.items():
        with os.fdopen(create(name), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


@dataclass(frozen=True)
class _Made:
    """What becomes of a tensor, once its scales were looked at."""

    output: Output
    tensors: tuple[Tensor, ...]
    single: bool
    """Float scales are float32."""

    @classmethod
    def of(cls, output: Output) -> _Made:
        single = output.needs_single()
        return cls(output, output.tensors(single), single)


def _write_tensor(made: _Made, writer: ShardWriter, pool: Executor, advance: OnBytes) -> None:
    """Converts a tensor, a few pieces at a time, and writes them in order."""
    begun: deque[tuple[int, Future[Sequence[bytes]]]] = deque()

    def finish() -> None:
        size, parts = begun[0][0], begun[0][1].result()
        begun.popleft()
        for tensor, data in zip(made.tensors, parts, strict=False):
            writer.append(tensor.name, data)
        advance(size)

    try:
        for source, begin, end in made.output.pieces(_PIECE):
            size = source.size // source.rows * (end - begin)
            begun.append((size, pool.submit(_converted, made, source, begin, end)))
            if len(begun) > _THREADS:
                finish()
        while begun:
            finish()
    finally:
        for _, one in begun:
            one.cancel()


def _converted(made: _Made, source: GgufTensor, begin: int, end: int) -> Sequence[bytes]:
    """Weight, scales and biases of some rows."""
    output, single, kind = made.output, made.single, source.kind
    parts: Sequence[bytes] = source.file.rows(source.index, begin, end, output.heads, single)
    if not kind.decoded:
        parts = _requantized(kind, parts[0], single)
    if output.is_shifted:
        parts = (array.array("f", [value - 1.0 for value in floats(parts[0])]).tobytes(),)
    if output.is_decay:
        parts = (_logarithms(source, parts[0]),)
    if output.columns:
        parts = [with_columns(part, end - begin, output.columns) for part in parts]
    return parts


def _logarithms(source: GgufTensor, data: bytes) -> bytes:
    """Of decays, with their sign changed."""
    decays = floats(data)
    if not all(-math.inf < one < 0 for one in decays):
        raise ModelCorruptError(
            f"[gguf] tensor {source.name!r} has a decay that is no number below 0; get the file "
            "again."
        )
    return array.array("f", [math.log(-one) for one in decays]).tobytes()


def _requantized(kind: Kind, blocks: bytes, single: bool) -> tuple[bytes, bytes, bytes]:
    """Blocks that the `gguf` package decodes."""
    import gguf
    import numpy as np

    raw = np.frombuffer(blocks, np.uint8).reshape(-1, kind.bytes)
    values = gguf.quants.dequantize(raw, gguf.GGMLQuantizationType[kind.name])
    if not np.isfinite(values).all():
        raise ModelCorruptError(
            f"[gguf] a tensor of kind {kind.name} has a scale that is no finite number; get the "
            "file again."
        )
    parts: tuple[bytes, bytes, bytes] = native().gguf_requantize(
        kind.name, np.ascontiguousarray(values, "<f4").tobytes(), single
    )
    return parts


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"
