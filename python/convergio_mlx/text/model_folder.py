"""The small files of a model's folder, each JSON file read once."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convergio_mlx.errors import TokenizerError
from convergio_mlx.platform.files import read_file

_MAX_BYTES = 64 << 20
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


class ModelFolder:
    """A model's folder. What a JSON file says is what it said when it was first asked for."""

    def __init__(self, path: str | Path) -> None:
        """Reads nothing yet."""
        self.path = Path(path)
        self._files: dict[str, dict[str, Any]] = {}

    @classmethod
    def of(cls, folder: str | Path | ModelFolder) -> ModelFolder:
        """A folder by its path, or as it is."""
        return folder if isinstance(folder, ModelFolder) else cls(folder)

    def json(self, name: str) -> dict[str, Any]:
        """A file's JSON object, not to be changed; an empty one where there is no such file.

        Raises:
            TokenizerError: it cannot be read, is too large, or is not a JSON object.
        """
        if name not in self._files:
            path = self.path / name
            self._files[name] = _parsed(read_bytes(path), path)
        return self._files[name]


def text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a multimodal model's config.json that is about its text model; an empty one where
    there is none."""
    part = config.get("text_config")
    return part if isinstance(part, Mapping) else {}


def read_bytes(path: Path, max_bytes: int = _MAX_BYTES) -> bytes | None:
    """The file's contents, or None where there is no such file.

    Raises:
        TokenizerError: it cannot be read, is no regular file, is larger than `max_bytes`, or is
            a pointer of Git LFS.
    """
    try:
        data = read_file(path, max_bytes)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        is_unfit = error.errno in (errno.EFBIG, errno.EINVAL, errno.EISDIR)
        remedy = "download the file again" if is_unfit else "make it readable"
        raise TokenizerError(
            f"[tokenizer] {path} cannot be read ({error.strerror}); {remedy}."
        ) from error
    if data.startswith(_LFS_POINTER):
        raise TokenizerError(
            f"[tokenizer] {path} is a pointer of Git LFS, not the file itself; run `git lfs pull` "
            "in its folder, or download the model again."
        )
    return data


def read_text(path: Path) -> str | None:
    """The file's text, or None where there is no such file.

    Raises:
        TokenizerError: as `read_bytes`, or it is not UTF-8.
    """
    data = read_bytes(path)
    return None if data is None else _text(data, path)


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TokenizerError(
            f"[tokenizer] {path}: byte {error.start} is not UTF-8; download the file again."
        ) from error


def _parsed(data: bytes | None, path: Path) -> dict[str, Any]:
    if data is None:
        return {}
    try:
        value = json.loads(_text(data, path))
    except (ValueError, RecursionError) as error:
        raise TokenizerError(
            f"[tokenizer] {path} is not JSON ({error}); download the file again."
        ) from error
    if not isinstance(value, dict):
        raise TokenizerError(
            f"[tokenizer] {path} holds a {type(value).__name__}, not an object; "
            "download the file again."
        )
    return value
