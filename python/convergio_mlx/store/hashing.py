"""The hashes that files are known by: SHA-256, and git's id of a blob for the hub's small files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

CHUNK = 1 << 20
"""Bytes that are read at once."""


class Digest:
    """Hashes a file while it passes by."""

    def __init__(self, git_size: int | None = None) -> None:
        """Git's id too, of a file of `git_size` bytes."""
        self._sha256 = hashlib.sha256()
        self._git = None
        if git_size is not None:
            self._git = hashlib.sha1(f"blob {git_size}\0".encode(), usedforsecurity=False)

    def update(self, data: bytes | memoryview) -> None:
        """The file's next bytes."""
        self._sha256.update(data)
        if self._git is not None:
            self._git.update(data)

    @property
    def sha256(self) -> str:
        """In hexadecimal digits."""
        return self._sha256.hexdigest()

    @property
    def git_id(self) -> str | None:
        """Git's name of a blob with these bytes, where it was asked for."""
        return self._git.hexdigest() if self._git is not None else None


def sha256_of(
    descriptor: int,
    on_bytes: Callable[[int], None] = lambda _: None,
    digest: Digest | None = None,
) -> str:
    """The SHA-256 of an open file from where it stands; closes it.

    Args:
        descriptor: of the file.
        on_bytes: told how many bytes more have been read; may raise to end it.
        digest: what the bytes go through, for more than the SHA-256.

    Raises:
        OSError: it cannot be read.
    """
    digest = digest or Digest()
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(view[:count])
            on_bytes(count)
    return digest.sha256
