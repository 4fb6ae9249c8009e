"""The models of the Hugging Face cache: models--owner--name/snapshots/COMMIT."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from convergio_mlx.platform.files import read_file
from convergio_mlx.registry import checks
from convergio_mlx.store.elsewhere.folders import models_in, without_weights
from convergio_mlx.store.elsewhere.found import Elsewhere, distinct, expanded, is_folder, user_home

_PREFIX = "models--"


def hub_cache_models() -> Elsewhere:
    """What is in the caches that the environment names, and in the default one."""
    found = Elsewhere("huggingface")
    found.folders = distinct(_folders())
    for top in found.folders:
        for name in found.names(top):
            if name.startswith(_PREFIX) and is_folder(top / name):
                _look_at(top / name, name.removeprefix(_PREFIX).replace("--", "/"), found)
    return found


_PLACES = {
    "HF_HUB_CACHE": "",
    "HUGGINGFACE_HUB_CACHE": "",
    "HF_HOME": "hub",
    "XDG_CACHE_HOME": "huggingface/hub",
}
"""Variables that name a folder, and where the cache is in it."""


def _folders() -> list[Path]:
    named = [
        folder / below
        for variable, below in _PLACES.items()
        if (value := os.environ.get(variable)) and (folder := expanded(value))
    ]
    home = user_home()
    return [*named, *([home / ".cache" / "huggingface" / "hub"] if home else [])]


def _look_at(folder: Path, repository: str, found: Elsewhere) -> None:
    snapshots = folder / "snapshots"
    if not checks.is_repository(repository):
        found.problems.append(f"{str(folder)!r} is named after no repository")
        return
    if not is_folder(snapshots):
        found.problems.append(f"{str(folder)!r} has no snapshots")
        return
    commits = [one for one in found.names(snapshots) if is_folder(snapshots / one)]
    if not commits:
        found.problems.append(f"{str(snapshots)!r} is empty")
        return
    commit = _main(folder)
    if commit not in commits:
        commit = max(commits, key=lambda one: _changed(snapshots / one))
    snapshot = snapshots / commit
    revision = commit if checks.is_revision(commit) else None
    whose = repository if revision else None
    if not models_in(found, snapshot, repository, repository=whose, revision=revision):
        found.add(without_weights("huggingface", snapshot, repository))


def _main(folder: Path) -> str:
    """The commit of the branch main, where the cache knows it."""
    with suppress(OSError, ValueError):
        return read_file(folder / "refs" / "main", 1000).decode().strip()
    return ""


def _changed(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
