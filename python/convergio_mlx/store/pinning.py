"""For maintainers of a registry: the commit and the hashes that it should pin."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from convergio_mlx.errors import InvalidRequestError, NetworkSettingsError
from convergio_mlx.platform.files import open_regular
from convergio_mlx.platform.offline import require_network
from convergio_mlx.registry import Package, RegistryEntry
from convergio_mlx.store import package_index
from convergio_mlx.store.folders import Folder
from convergio_mlx.store.hashing import sha256_of
from convergio_mlx.store.operation import operation
from convergio_mlx.store.planning import listed, plan_of
from convergio_mlx.store.progress import OnProgress, Reporter
from convergio_mlx.store.transfer import fetch
from convergio_mlx.store.wheel import take_out


@dataclass
class Pin:
    """What is to stand in an entry."""

    download_bytes: int
    """Of the files together, or of the wheel."""
    revision: str | None = None
    sha256: dict[str, str] | None = None
    package: Package | None = None
    """In place of revision and hashes: the wheel of the version that the entry names."""

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the entry that say what is pinned, as models.json has them."""
        if self.package is not None:
            return {"package": asdict(self.package)}
        return {"revision": self.revision, "sha256": self.sha256}

    def __str__(self) -> str:
        """What is pinned, in a few words."""
        if self.package is not None:
            return f"the wheel of {self.package}"
        return f"{len(self.sha256 or ())} files at {self.revision}"


@operation("pin the model")
def pin(
    entry: RegistryEntry, *, keep_revision: bool = False, on_progress: OnProgress | None = None
) -> Pin:
    """Asks the hub for a repository's newest commit and the SHA-256 of its files. Those that the
    hub knows by git's id alone, which are small, are downloaded and hashed. Of a package, the wheel
    of the entry's version is downloaded and hashed.

    Args:
        entry: the registry's entry.
        keep_revision: at the revision that it has, rather than the newest; a package is always
            pinned at its version.
        on_progress: told how far it is.

    Raises:
        ConvergioError: as `download`.
    """
    if not isinstance(entry, RegistryEntry):
        raise InvalidRequestError(
            f"[store] {ascii(entry)[:100]} is no entry of a registry; give one of "
            "`load_registry()`."
        )
    require_network(f"pinning {entry.id!r}")
    report = Reporter(entry.id, on_progress)
    if entry.package is not None:
        return _pin_package(entry.package, entry.download_bytes, report)
    wanted = replace(entry, revision=entry.revision if keep_revision else None, sha256=None)
    listing = listed(wanted, report)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        with Folder(path, os.open(path, os.O_RDONLY | os.O_DIRECTORY)) as folder:
            plan = plan_of(wanted, listing, folder, "")
            small = [file for file in plan.files if file.sha256 is None]
            report.begin("downloading", sum(file.size for file in small))
            hashed = {
                file.name: fetch(plan.commit, file, folder, file.name, report) for file in small
            }
    sha256 = {file.name: file.sha256 or hashed[file.name] for file in plan.files}
    return Pin(plan.size_bytes, plan.commit.revision, sha256)


def _pin_package(package: Package, expected: int | None, report: Reporter) -> Pin:
    with tempfile.TemporaryDirectory() as name:
        wheel = package_index.fetch(package, Path(name), expected, report)
        if wheel.is_dir():
            raise NetworkSettingsError(
                f"[store] only pip tells the hash of a wheel, so {package} cannot be pinned here; "
                "`python -m ensurepip` installs it."
            )
        size = wheel.stat().st_size
        report.begin("verifying", size)
        found = replace(package, sha256=sha256_of(open_regular(wheel), report.advance))
        take_out(found, wheel, Path(name) / "file", report)
    return Pin(size, package=found)
