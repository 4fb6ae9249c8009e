"""A model in fewer bits, as an installed model or in a folder of its own."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from convergio_mlx.convert.new_folder import check_new, new_folder
from convergio_mlx.convert.quantize_plan import QuantizePlan, plan_quantize
from convergio_mlx.convert.quantizing import write_quantized
from convergio_mlx.convert.recipes import quantize_options
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.registry import checks
from convergio_mlx.store.adopt import adopt, check_vacant
from convergio_mlx.store.folders import Folder, store_folder
from convergio_mlx.store.inventory import InstalledModel, find, require
from convergio_mlx.store.layout import IMPORTS, checked_id
from convergio_mlx.store.locate import GUIDE_ID, guide_folder, locate
from convergio_mlx.store.locks import changing, using
from convergio_mlx.store.made import made_files
from convergio_mlx.store.names import small_files
from convergio_mlx.store.operation import operation
from convergio_mlx.store.progress import OnProgress, Reporter
from convergio_mlx.store.receipt import Receipt, now
from convergio_mlx.store.room import check_room

_FLOATS = ("-bf16", "-bfloat16", "-fp16", "-f16", "-float16", "-fp32", "-f32", "-float32")
"""What the names of models of floats end with."""


@dataclass(frozen=True)
class QuantizedModel:
    """What `quantize` made."""

    folder: Path
    installed: InstalledModel | None
    """None where it was written to a folder that was given."""
    source: Path
    source_bytes: int
    """Of the tensors that were read."""
    size_bytes: int
    """Of the files of weights."""
    bits_per_weight: float
    """Scales and biases counted."""
    how: str
    """In words: 'affine, 4 bits, groups of 64'."""
    left_float: tuple[str, ...]
    """Matrices that were not quantized: the group size does not divide their columns, or MLX's
    models have them as floats alone."""


@operation("quantize the model")
def quantize(
    source: str | Path,
    *,
    model: str | None = None,
    output: str | Path | None = None,
    bits: int | None = None,
    group_size: int | None = None,
    mode: str = "affine",
    recipe: str | None = None,
    on_progress: OnProgress | None = None,
) -> QuantizedModel:
    """Makes a model of floats one of quantized matrices, as mlx-lm's `convert` does: the same
    bytes. Reads and writes a few million numbers at a time; the source stays as it is.

    Args:
        source: a folder, or the id of an installed model.
        model: the id to install the new model under; by default the source's name with what it
            becomes, such as `-4bit`.
        output: a folder to write it to, which must not exist; it is not installed then.
        bits: of a weight; by default 4, and what the mode has where it is not affine.
        group_size: columns that share a scale; by default 64, and what the mode has.
        mode: affine, mxfp4, mxfp8 or nvfp4.
        recipe: mixed bits: mixed_2_6, mixed_3_4, mixed_3_6 or mixed_4_6.
        on_progress: told how many bytes of the source are done.

    Raises:
        InvalidRequestError: the source is quantized already, an option is invalid, or the id or
            the folder is taken.
        ModelNotFoundError, ModelCorruptError, LoadError: it is no model's folder, or damaged.
        UnsupportedModelError: this engine does not run such models.
        StorageError: there is not enough room, or the disk cannot be written.
    """
    options = quantize_options(bits=bits, group_size=group_size, mode=mode, recipe=recipe)
    if output is not None and model is not None:
        raise InvalidRequestError(
            f"[store] both an id ({ascii(model)[:100]}) and a folder are given; give one of them."
        )
    folder = locate(source)
    if output is not None:
        target = Path(output).expanduser()
        check_new(target)
        with using(folder):
            plan = plan_quantize(folder, options)
            _check_room(plan, target.absolute().parent)
            report = Reporter(target.name, on_progress)
            report.begin("converting", plan.source_bytes)
            with new_folder(target) as create:
                write_quantized(plan, create, report.advance)
        return _made(plan, target, None)
    name = checked_id(model) if model is not None else _id_of(source, folder, options.suffix)
    if name == GUIDE_ID:
        raise InvalidRequestError(
            f"[store] {name!r} is the id of the embedded model; give another with --id."
        )
    report = Reporter(name, on_progress)
    with using(folder), changing(name, report), store_folder() as top:
        if find(name) is not None:
            raise InvalidRequestError(
                f"[store] {name!r} is installed already; give another id with --id, or delete that "
                "one first."
            )
        check_vacant(top, name)
        small_files(os.listdir(folder), f"the folder {str(folder)!r}")
        plan = plan_quantize(folder, options)
        with top.folder(IMPORTS, make=True) as waiting:
            _check_room(plan, waiting.path)
            waiting.remove(name)
            try:
                with waiting.folder(name, make=True) as parts:
                    receipt = _written(plan, parts, name, _origin(folder), report)
                adopt(top, waiting, receipt)
            finally:
                with suppress(OSError):
                    waiting.remove(name)
        return _made(plan, top.path / name, require(name))


def _written(
    plan: QuantizePlan, parts: Folder, name: str, origin: str, report: Reporter
) -> Receipt:
    """Writes the files as parts."""
    report.begin("converting", plan.source_bytes)
    files = made_files(parts, lambda create: write_quantized(plan, create, report.advance), report)
    made_from = f"{origin}, quantized ({plan.options})"
    return Receipt(name, "folder", None, None, now(), files, made_from)


def _origin(folder: Path) -> str:
    """What the receipt calls the source."""
    with suppress(OSError, ValueError):
        receipt = Receipt.read(folder)
        if receipt.repository:
            return f"{receipt.repository} at {receipt.revision}"
        return receipt.made_from or receipt.model
    text = str(folder.absolute())
    return text if checks.is_text(text) and len(text) <= 120 else ascii(folder.name)[1:-1][:120]


def _id_of(source: str | Path, folder: Path, suffix: str) -> str:
    name = folder.name if folder != guide_folder() else GUIDE_ID
    name = os.path.realpath(folder).rpartition("/")[2].lower() if not checks.is_id(name) else name
    for ending in _FLOATS:
        name = name.removesuffix(ending)
    name = f"{name}-{suffix}"
    if not checks.is_id(name):
        raise InvalidRequestError(
            f"[store] {ascii(name)[:100]} cannot be a model's id; give one of small letters, "
            "digits, dots, dashes and underscores with --id."
        )
    return name


def _check_room(plan: QuantizePlan, folder: Path) -> None:
    what = f"{str(plan.source)!r} quantized ({plan.options})"
    check_room(what, plan.size, folder, otherwise="choose a folder on another disk")


def _made(plan: QuantizePlan, folder: Path, installed: InstalledModel | None) -> QuantizedModel:
    return QuantizedModel(
        folder,
        installed,
        plan.source,
        plan.source_bytes,
        plan.size,
        plan.bits_per_weight,
        str(plan.options),
        plan.left_float,
    )
