"""For maintainers of a registry: the commit and the hashes that it should pin."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from convergio_mlx.offline import require_network
from convergio_mlx.registry import RegistryEntry
from convergio_mlx.store.downloading import plan_of
from convergio_mlx.store.progress import OnProgress, Reporter
from convergio_mlx.store.transfer import fetch


@dataclass(frozen=True)
class Pin:
    """What is to stand in an entry."""

    revision: str
    sha256: dict[str, str]


def pin(
    entry: RegistryEntry, *, keep_revision: bool = False, on_progress: OnProgress | None = None
) -> Pin:
    """Asks the hub for a repository's newest commit and the SHA-256 of its files. Those that the
    hub knows by git's id alone, which are small, are downloaded and hashed.

    Args:
        entry: the registry's entry.
        keep_revision: at the revision that it has, rather than the newest.
        on_progress: told how far it is.

    Raises:
        ConvergioError: as `download`.
    """
    require_network(f"pinning {entry.id!r}")
    report = Reporter(entry.id, on_progress)
    kept = entry.revision if keep_revision else None
    plan = plan_of(replace(entry, revision=kept, sha256=None), report)
    report.begin("downloading", sum(f.size for f in plan.files if f.sha256 is None))
    with tempfile.TemporaryDirectory() as folder:
        sha256 = {
            file.name: file.sha256 or fetch(plan, file, Path(folder) / file.name, report)
            for file in plan.files
        }
    return Pin(plan.revision, sha256)
