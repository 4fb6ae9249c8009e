"""A checkpoint of floats becomes one of quantized matrices, a few million numbers at a time: the
same bytes as mlx-lm's `convert` makes."""

from __future__ import annotations

import os
from collections.abc import Callable

from convergio_mlx.convert.modules import Target
from convergio_mlx.convert.quantize_plan import CONFIG, QuantizePlan
from convergio_mlx.convert.recipes import Setting
from convergio_mlx.convert.shards import INDEX, Create, ShardWriter, index_of, item_bytes
from convergio_mlx.platform.files import read_file

_LARGEST_FILE = 256 << 20
_AT_ONCE = 1 << 22
"""Numbers that are in memory at once."""


def write_quantized(
    plan: QuantizePlan, create: Create, on_bytes: Callable[[int], None] = lambda _: None
) -> None:
    """Writes the files of a plan.

    Args:
        plan: of `plan_quantize`.
        create: makes a new file, such as in a folder that is no model's yet.
        on_bytes: told how many of the plan's `source_bytes` more are done, about ten times a
            second; what it raises ends the work.

    Raises:
        ModelCorruptError: a file of the source was cut off meanwhile.
        OSError: the disk refuses.
    """
    for shard in plan.shards:
        with ShardWriter(shard, create) as file:
            writer = _Writer(plan, file, on_bytes)
            for tensor in shard.tensors:
                if target := plan.targets.get(tensor.name):
                    writer.write(target, tensor.dtype)
    plan.conversion.check_files()
    index = index_of(plan.shards)
    texts = {CONFIG: plan.config, **({INDEX: index} if index else {})}
    for name, text in texts.items():
        _write(create(name), text)
    for name in plan.carried:
        _write(create(name), read_file(plan.source / name, _LARGEST_FILE))


class _Writer:
    """Writes the tensors of one file."""

    def __init__(
        self, plan: QuantizePlan, writer: ShardWriter, on_bytes: Callable[[int], None]
    ) -> None:
        self._plan = plan
        self._from = plan.conversion
        self._to = writer
        self._on_bytes = on_bytes

    def write(self, target: Target, dtype: str) -> None:
        """One tensor; scales and biases come with the weight that they belong to."""
        setting = self._plan.settings.get(target.module) if target.is_matrix else None
        step = max(1, _AT_ONCE // max(target.columns, 1))
        for piece in target.pieces:
            for first in range(piece.first, piece.first + piece.rows, step):
                rows = min(step, piece.first + piece.rows - first)
                if setting is None:
                    columns = target.columns
                    data = self._from.cast(piece.source, first * columns, rows * columns, dtype)
                    self._to.append(target.name, data)
                else:
                    self._quantize(target, piece.source, first, rows, setting)
                self._on_bytes(rows * target.columns * item_bytes(target.dtype))

    def _quantize(
        self, target: Target, source: str, first: int, rows: int, setting: Setting
    ) -> None:
        dtype = self._plan.dtype or target.dtype
        how = (dtype, setting.mode, setting.bits, setting.group_size)
        parts = self._from.quantize(source, first, rows, *how)
        for part, data in zip(("weight", "scales", "biases"), parts, strict=True):
            if data:
                self._to.append(f"{target.module}.{part}", data)


def _write(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
