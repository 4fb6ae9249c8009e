"""What the hub says of a repository."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from convergio_mlx.errors import ModelCorruptError, NetworkError
from convergio_mlx.platform.http import RequestError, ask
from convergio_mlx.registry import checks
from convergio_mlx.store import names
from convergio_mlx.store.endpoint import endpoint, headers
from convergio_mlx.store.hashing import Digest
from convergio_mlx.store.refusals import refusal, refused

_LISTING_SECONDS = 30.0
"""Until a listing has come whole."""
_LARGEST_LISTING = 32 << 20
"""Bytes of a listing, unpacked: more than a hundred thousand files."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository, and what its bytes must be."""

    name: str
    size: int
    sha256: str | None
    git_id: str | None
    """Where the SHA-256 is not known: git's id of the blob."""

    def digest(self) -> Digest:
        """What this file's bytes are to go through."""
        return Digest(self.size if self.sha256 is None else None)

    def is_matched_by(self, digest: Digest) -> bool:
        """Whether the bytes that went through are this file."""
        if self.sha256 is not None:
            return digest.sha256 == self.sha256
        return digest.git_id == self.git_id


@dataclass(frozen=True)
class Commit:
    """A repository as it was once."""

    repository: str
    revision: str


class Listing:
    """What the hub says of a repository at one commit."""

    def __init__(self, commit: Commit, siblings: dict[str, dict[str, Any]]) -> None:
        """Made by `listing`; `siblings` are as the hub has them, by name."""
        self.commit = commit
        self._siblings = siblings

    @property
    def names(self) -> list[str]:
        """Of all files."""
        return list(self._siblings)

    def file(self, name: str) -> RemoteFile:
        """One of the files.

        Raises:
            ModelCorruptError: the hub says of it what cannot be.
        """
        sibling = self._siblings[name]
        size, git_id, lfs = sibling.get("size"), sibling.get("blobId"), sibling.get("lfs")
        sha256 = lfs.get("sha256") if isinstance(lfs, dict) else lfs
        largest = names.LARGEST_TEXT if names.is_text(name) else names.LARGEST_WEIGHTS
        if (
            isinstance(size, int)
            and not isinstance(size, bool)
            and 0 <= size <= largest
            and (checks.is_sha256(sha256) or (lfs is None and checks.is_revision(git_id)))
        ):
            return RemoteFile(name, size, sha256, git_id if isinstance(git_id, str) else None)
        raise ModelCorruptError(
            f"[store] the hub's listing of {self.commit.repository!r} has no size and hash that "
            f"{name!r} could have; check HF_ENDPOINT, or try again later."
        )


def listing(repository: str, revision: str | None) -> Listing:
    """What there is of a repository, at a commit, a branch or a tag, or at the newest commit.

    Raises:
        ConvergioError: the hub cannot be reached, refuses, or tells what cannot be.
    """
    found, siblings = _asked(repository, revision)
    other = checks.is_revision(revision) and found != revision
    if not checks.is_revision(found) or other:
        raise ModelCorruptError(
            f"[store] the hub answers with revision {ascii(found)[:60]} of {repository!r} "
            f"where {revision or 'a commit'} was asked for; check HF_ENDPOINT."
        )
    by_name = {one["rfilename"]: one for one in siblings}
    if len(by_name) != len(siblings):
        raise ModelCorruptError(
            f"[store] the hub names a file of {repository!r} twice; check HF_ENDPOINT."
        )
    return Listing(Commit(repository, str(found)), by_name)


def _asked(repository: str, revision: str | None) -> tuple[object, list[dict[str, Any]]]:
    """The commit and the files that the hub names, each with a text `rfilename`."""
    at = f"/revision/{quote(revision, safe='')}" if revision else ""
    url = f"{endpoint()}/api/models/{repository}{at}?blobs=true"
    try:
        answer = ask(url, headers(), largest=_LARGEST_LISTING, seconds=_LISTING_SECONDS)
    except RequestError as error:
        raise refusal(error) from error
    if answer.status != 200:
        raise refused(answer.status, answer.headers, repository)
    try:
        said = json.loads(answer.body)
        siblings = said.get("siblings") or []
        if all(isinstance(one["rfilename"], str) and isinstance(one, dict) for one in siblings):
            return said.get("sha"), list(siblings)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise NetworkError(
        f"[store] the hub's answer about {repository!r} is no listing of a repository; check "
        "HF_ENDPOINT and proxies."
    )
