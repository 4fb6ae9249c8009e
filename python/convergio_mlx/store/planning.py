"""Which files of a repository are to be downloaded, and what each must be."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from convergio_mlx.errors import ConvergioError, ModelCorruptError
from convergio_mlx.platform.native import native
from convergio_mlx.registry import RegistryEntry
from convergio_mlx.store import hub
from convergio_mlx.store.folders import Folder
from convergio_mlx.store.hub import Commit, Listing, RemoteFile
from convergio_mlx.store.layout import PART
from convergio_mlx.store.names import (
    CONFIG,
    INDEX,
    LARGEST_INDEX,
    LARGEST_TEXT,
    is_text,
    small_files,
    weight_files,
)
from convergio_mlx.store.progress import Reporter
from convergio_mlx.store.retries import passing, until_done
from convergio_mlx.store.transfer import fetch


@dataclass(frozen=True)
class Plan:
    """The files of a model at one commit."""

    commit: Commit
    files: tuple[RemoteFile, ...]

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(file.size for file in self.files)

    @property
    def weight_bytes(self) -> int:
        """Of the files of weights."""
        return sum(file.size for file in self.files if not is_text(file.name))


def listed(entry: RegistryEntry, report: Reporter) -> Listing:
    """The hub's listing of a repository's model, asked for until it is had.

    Raises:
        ConvergioError: as `hub.listing`.
    """

    repository = entry.repository
    assert repository is not None  # packages are not on the hub

    def attempt() -> Listing:
        try:
            return hub.listing(repository, entry.wanted_revision)
        except ConvergioError as error:
            raise passing(error) from error

    report.begin("listing")
    return until_done(attempt, report)


def plan_of(
    entry: RegistryEntry,
    listing: Listing,
    folder: Folder,
    pinned_by: str,
    installed: Folder | None = None,
) -> Plan:
    """What is to be downloaded of a model.

    Args:
        entry: its entry, with the hashes that it is held to, where there are any.
        listing: what the hub has.
        folder: where the model's files come to lie; the index of the weights, which says what else
            is wanted, is downloaded at once.
        pinned_by: who says those hashes, for errors.
        installed: where the files of the model may be already.

    Raises:
        ConvergioError: the repository has no whole model, or not what is pinned.
    """
    source = f"the repository {entry.repository!r}"
    pinned = [_pinned(entry, listing, name, pinned_by) for name in entry.sha256 or ()]
    names = [file.name for file in pinned] or listing.names
    small = pinned or [listing.file(name) for name in small_files(names, source)]
    index = next((file for file in small if file.name == INDEX), None)
    text = _index(listing.commit, index, folder, installed) if index is not None else None
    weights = weight_files(names, text, source)
    files = pinned or [*small, *(listing.file(name) for name in weights)]
    return Plan(listing.commit, tuple(sorted(files, key=lambda file: file.name)))


def config_of(plan: Plan, folder: Folder) -> bytes:
    """A model's config.json, downloaded into `folder` or found there.

    Raises:
        ModelCorruptError, UnsupportedModelError: the engine cannot run such a model.
        ConvergioError: as `fetch`.
    """
    file = next(one for one in plan.files if one.name == CONFIG)
    part = f"{CONFIG}{PART}"
    fetch(plan.commit, file, folder, part, Reporter("", None))
    config = folder.read(part, LARGEST_TEXT)
    native().check_config(config)
    return config


def _index(
    commit: Commit, file: RemoteFile, folder: Folder, installed: Folder | None
) -> bytes | None:
    """The index of the weights; None where it is too large to be one."""
    if file.size > LARGEST_INDEX:
        return None
    if installed is not None:
        digest = file.digest()
        with suppress(OSError):
            text = installed.read(INDEX, LARGEST_INDEX)
            digest.update(text)
            if file.is_matched_by(digest):
                return text
    part = f"{INDEX}{PART}"
    fetch(commit, file, folder, part, Reporter("", None))
    return folder.read(part, LARGEST_INDEX)


def _pinned(entry: RegistryEntry, listing: Listing, name: str, by: str) -> RemoteFile:
    """A file with the hash that it is held to."""
    assert entry.sha256 is not None
    sha256 = entry.sha256[name]
    if name not in listing.names:
        raise ModelCorruptError(
            f"[store] {entry.repository!r} at {entry.revision} lacks {name!r}, which {by}; the "
            "repository was changed, so nothing is downloaded."
        )
    file = listing.file(name)
    if file.sha256 not in (None, sha256):
        raise ModelCorruptError(
            f"[store] the hub offers {name!r} of {entry.repository!r} with SHA-256 {file.sha256}, "
            f"and {sha256} is what {by}; nothing is downloaded."
        )
    return RemoteFile(name, file.size, sha256, file.git_id)
