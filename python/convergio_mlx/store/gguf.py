"""Taking in a model in GGUF files: they are converted into the store's folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from convergio_mlx.convert.gguf_plan import GgufPlan
from convergio_mlx.convert.gguf_source import PART_NAME, GgufSource
from convergio_mlx.convert.gguf_writing import write_model
from convergio_mlx.convert.shards import Create
from convergio_mlx.errors import ModelCorruptError
from convergio_mlx.platform.files import open_regular
from convergio_mlx.registry import checks
from convergio_mlx.store.folders import Folder
from convergio_mlx.store.hashing import Digest, sha256_of
from convergio_mlx.store.made import made_files
from convergio_mlx.store.progress import HostError, Reporter
from convergio_mlx.store.receipt import Receipt, now
from convergio_mlx.store.room import check_room


def plan_gguf(path: Path) -> GgufPlan:
    """What a file becomes; reads heads alone.

    Raises:
        UnsupportedModelError: it does not convert; all reasons are named.
        ModelNotFoundError, ModelCorruptError, LoadError: it cannot be read, or is not whole.
    """
    plan = GgufPlan(GgufSource(path))
    plan.check()
    return plan


def id_of(path: Path) -> str:
    """The id that a file's name gives, which may be none."""
    match = PART_NAME.fullmatch(path.name)
    return (match["stem"] if match else path.stem).lower()


def convert_into(
    plan: GgufPlan,
    name: str,
    parts: Folder,
    report: Reporter,
    *,
    origin: str | None = None,
    sha256: str | None = None,
) -> Receipt:
    """Converts a model into parts of a folder, and hashes its source meanwhile.

    Args:
        plan: of the model.
        name: its id.
        parts: the folder.
        report: told of the bytes.
        origin: what the receipt calls the source; by default the file's name.
        sha256: what the source's hash must be, where that is known.

    Raises:
        ModelCorruptError: a scale is no finite number, a file was cut off meanwhile, or the source
            is not what its hash says.
        StorageError: there is not enough room, or the disk cannot be written.
    """
    check_room(repr(plan.source.name), plan.most_bytes, parts.path, when=" once it is converted")
    report.begin("converting", plan.tensor_bytes)
    stop = threading.Event()

    def stopped(_: int) -> None:
        if stop.is_set():
            raise HostError(InterruptedError())  # the conversion has ended the work

    with ThreadPoolExecutor(1) as thread:
        digest = thread.submit(_sha256_of_all, plan.source.paths, stopped)

        def write(create: Create) -> None:
            write_model(plan, create, report.advance)
            _check_hash(plan, digest.result(), sha256)

        try:
            files = made_files(parts, write, report)
        finally:
            stop.set()
    made_from = f"{origin or _said(plan.source.paths)} (sha256 {digest.result()})"
    return Receipt(name, "folder", None, None, now(), files, made_from)


def _sha256_of_all(paths: Sequence[Path], on_bytes: Callable[[int], None]) -> str:
    """Of all files, one after the other."""
    digest = Digest()
    for path in paths:
        sha256_of(open_regular(path), on_bytes, digest)
    return digest.sha256


def _check_hash(plan: GgufPlan, found: str, wanted: str | None) -> None:
    if wanted is not None and found != wanted:
        raise ModelCorruptError(
            f"[store] {plan.source.name!r} has the SHA-256 {found}, and should have {wanted}; get "
            "the file again."
        )


def _said(paths: Sequence[Path]) -> str:
    """What the receipt says of the source."""
    name = paths[0].name
    if not checks.is_text(name) or len(name) > 120:
        name = ascii(name)[1:-1][:120]
    return f"{name} and {len(paths) - 1} more" if len(paths) > 1 else name
