"""What the hub says of a repository, through huggingface_hub: its endpoint, tokens and proxies."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from convergio_mlx.errors import (
    AuthError,
    ConvergioError,
    ModelCorruptError,
    ModelNotFoundError,
    NetworkError,
    RateLimitError,
)
from convergio_mlx.registry import RegistryEntry, checks
from convergio_mlx.store import names
from convergio_mlx.store.hashing import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT = 10.0
"""Seconds to wait for the hub's answer to a question."""


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
class Plan:
    """The files of a model at one commit."""

    repository: str
    revision: str
    files: tuple[RemoteFile, ...]

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(file.size for file in self.files)


def plan(entry: RegistryEntry) -> Plan:
    """What is to be downloaded of a model, at the registry's revision or the newest.

    Raises:
        ConvergioError: the hub cannot be reached, refuses, or tells what cannot be.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    from convergio_mlx import __version__

    try:
        api = HfApi(endpoint(), library_name="convergio-mlx", library_version=__version__)
        info = api.model_info(
            entry.repository, revision=entry.revision, files_metadata=True, timeout=_TIMEOUT
        )
        revision, siblings = info.sha, info.siblings or []
        found = {one.rfilename: one for one in siblings}
    except transport_errors() as error:
        raise refusal(error, entry.repository) from error
    except (
        HFValidationError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise NetworkError(
            f"[store] the hub's answer about {entry.repository!r} is no listing of a repository; "
            "check HF_ENDPOINT and proxies."
        ) from error
    if not checks.is_revision(revision) or (entry.revision and revision != entry.revision):
        raise ModelCorruptError(
            f"[store] the hub answers with revision {ascii(revision)[:60]} of {entry.repository!r} "
            f"where {entry.revision or 'a commit'} was asked for; check HF_ENDPOINT."
        )
    if len(found) != len(siblings):
        raise ModelCorruptError(
            f"[store] the hub names a file of {entry.repository!r} twice; check HF_ENDPOINT."
        )
    wanted = names.chosen(found, f"the repository {entry.repository!r}")
    files = [_file(entry, found[name]) for name in wanted]
    return Plan(entry.repository, str(revision), tuple(_pinned(entry, files)))


def _file(entry: RegistryEntry, sibling: Any) -> RemoteFile:
    """One file of the hub's listing, which says what it likes."""
    sha256 = getattr(sibling.lfs, "sha256", None)
    sound = (
        isinstance(sibling.size, int)
        and sibling.size >= 0
        and (names.is_weights(sibling.rfilename) or sibling.size <= names.LARGEST_TEXT)
        and (checks.is_sha256(sha256) or (sha256 is None and checks.is_revision(sibling.blob_id)))
    )
    if not sound:
        raise ModelCorruptError(
            f"[store] the hub's listing of {entry.repository!r} has no size and hash that "
            f"{sibling.rfilename!r} could have; check HF_ENDPOINT, or try again later."
        )
    return RemoteFile(sibling.rfilename, sibling.size, sha256, sibling.blob_id)


def _pinned(entry: RegistryEntry, files: list[RemoteFile]) -> list[RemoteFile]:
    """The files with the hashes of models.json, where it has them."""
    if entry.sha256 is None:
        return files
    offered = {file.name: file for file in files}
    if missing := [name for name in entry.sha256 if name not in offered]:
        raise ModelCorruptError(
            f"[store] {entry.repository!r} at {entry.revision} lacks {missing[0]!r}, which the "
            "registry names; the repository or the registry was changed, so nothing is downloaded."
        )
    pinned = []
    for name, sha256 in entry.sha256.items():
        file = offered[name]
        if file.sha256 not in (None, sha256):
            raise ModelCorruptError(
                f"[store] the hub offers {name!r} of {entry.repository!r} with SHA-256 "
                f"{file.sha256}, and the registry pins {sha256}; nothing is downloaded."
            )
        pinned.append(RemoteFile(name, file.size, sha256, file.git_id))
    return pinned


def endpoint() -> str:
    """The hub: `HF_ENDPOINT`, or huggingface.co."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def file_url(repository: str, revision: str, name: str) -> str:
    """Where a file is asked for."""
    from huggingface_hub import hf_hub_url

    return hf_hub_url(repository, name, revision=revision, endpoint=endpoint())


def headers() -> dict[str, str]:
    """What the hub is told: the token, where there is one, and that this program asks."""
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    from convergio_mlx import __version__

    return build_hf_headers(library_name="convergio-mlx", library_version=__version__)


def transport_errors() -> tuple[type[Exception], ...]:
    """What a request raises where it fails: the errors of the HTTP library that huggingface_hub
    uses, which is one or another by its version, and of sockets."""
    from huggingface_hub import get_session

    library = import_module(type(get_session()).__module__.partition(".")[0])
    return (library.HTTPError, library.InvalidURL, library.StreamError, OSError)


def refusal(error: Exception, repository: str) -> ConvergioError:
    """A failed request as one of our errors."""
    response = getattr(error, "response", None)
    if response is not None:
        return refused(response.status_code, response.headers, repository)
    said = ascii(str(error) or type(error).__name__)[1:-1][:200]
    return NetworkError(
        f"[store] the hub at {endpoint()} cannot be reached ({said}); check the network, "
        "HTTPS_PROXY and HF_ENDPOINT, and run the same again to go on."
    )


def refused(status: int, headers: Mapping[str, str], repository: str) -> ConvergioError:
    """What an HTTP status of the hub means for a person."""
    error = _refused(status, headers, repository)
    if seconds := retry_after(headers):
        error.retry_after_ms = round(seconds * 1000)
    return error


def _refused(status: int, headers: Mapping[str, str], repository: str) -> ConvergioError:
    code = headers.get("X-Error-Code", "")
    page = f"{endpoint()}/{repository}"
    if code == "GatedRepo" or (status == 403 and code != "RepoNotFound"):
        return AuthError(
            f"[store] {repository!r} is gated; accept its licence at {page} with your account, "
            "then set HF_TOKEN to a token of that account and download again.",
            hint=page,
        )
    if status == 401:
        remedy = (
            "set HF_TOKEN to one that may read it"
            if _has_token()
            else "check its name, or set HF_TOKEN to a token that may read it"
        )
        what = "does not take the token for" if _has_token() else "has no public repository"
        return AuthError(f"[store] the hub {what} {repository!r}; {remedy}.")
    if status == 404:
        what = {
            "RevisionNotFound": "does not have the revision that was asked for",
            "EntryNotFound": "does not have a file that its listing names",
        }.get(code, "is not on the hub")
        return ModelNotFoundError(
            f"[store] {repository!r} {what} ({endpoint()}); check the registry's entry and "
            "HF_ENDPOINT."
        )
    if status == 429:
        seconds = retry_after(headers)
        when = f"in {seconds:.0f} s" if seconds else "in some minutes"
        return RateLimitError(
            f"[store] the hub takes no more requests from here for now; run the same again {when}, "
            "or set HF_TOKEN, which raises the limit."
        )
    return NetworkError(
        f"[store] the hub at {endpoint()} answers {status} for {repository!r}; "
        "try again later, or check HF_ENDPOINT."
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait; None where it does not say."""
    value = headers.get("Retry-After", "").strip()
    return float(value) if value.isascii() and value.isdigit() and len(value) < 7 else None


def _has_token() -> bool:
    from huggingface_hub import get_token

    return bool(get_token())
