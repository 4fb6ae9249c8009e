"""The hashes that files are known by: SHA-256, and git's id of a blob for the hub's small files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

CHUNK = 1 << 20
"""Bytes that are read at once."""
ALIGNMENT = 8
"""Bytes that a safetensors file's data begins at a multiple of, for a GPU to bind its numbers."""


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
    padding: int = 0,
) -> str:
    """The SHA-256 of an open file from where it stands; closes it.

    Args:
        descriptor: of the file.
        on_bytes: told how many bytes more have been read; may raise to end it.
        digest: what the bytes go through, for more than the SHA-256.
        padding: spaces after a safetensors header that are left out, as if they had never been put
            there. A file that does not have them is hashed as it is.

    Raises:
        OSError: it cannot be read.
    """
    digest = digest or Digest()
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if padding:
            _hash_header(file.fileno(), padding, on_bytes, digest)
        while count := file.readinto(buffer):
            digest.update(view[:count])
            on_bytes(count)
    return digest.sha256


def _hash_header(
    descriptor: int, padding: int, on_bytes: Callable[[int], None], digest: Digest
) -> None:
    """Hashes a safetensors header without spaces at its end, and goes on to the data."""
    length = int.from_bytes(os.read(descriptor, 8), "little") - padding
    if length < 0 or os.pread(descriptor, padding, 8 + length) != b" " * padding:
        os.lseek(descriptor, 0, os.SEEK_SET)
        return
    digest.update(length.to_bytes(8, "little"))
    on_bytes(8)
    while length > 0 and (data := os.read(descriptor, min(CHUNK, length))):
        digest.update(data)
        on_bytes(len(data))
        length -= len(data)
    os.lseek(descriptor, padding, os.SEEK_CUR)
