"""GGUF files: one, or all parts of a model that was split."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convergio_mlx.errors import ModelCorruptError, ModelNotFoundError
from convergio_mlx.platform.native import native
from convergio_mlx.platform.once import once

PART_NAME = re.compile(
    r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL | re.ASCII
)
"""The name of a part of a model that was split."""
_MOST_PARTS = 999


@dataclass(frozen=True)
class Kind:
    """A kind of tensor, as the native table has it."""

    name: str
    items: int
    """Numbers of a block."""
    bytes: int
    """Of a block."""
    conversion: str
    """copied, exact, requantized; empty where it is not converted."""
    mode: str
    """The quantization mode that it becomes; empty of floats."""
    bits: int
    group_size: int
    decoded: bool
    """False: only the `gguf` package knows its codebooks."""

    @property
    def block(self) -> Mapping[str, Any]:
        """What config.json's "quantization" says of a matrix of it."""
        return {"group_size": self.group_size, "bits": self.bits, "mode": self.mode}


def kinds() -> Mapping[str, Kind]:
    """All kinds, by name."""
    return {row[0]: Kind(*row) for row in native().gguf_kinds()}


@dataclass(frozen=True)
class GgufTensor:
    """A tensor of a file."""

    name: str
    kind: Kind
    shape: tuple[int, ...]
    """Outermost first."""
    size: int
    """Bytes."""
    file: Any
    """The native file that it is in."""
    index: int
    """In that file."""

    @property
    def rows(self) -> int:
        """All but the last dimension; each number is a row of a vector."""
        return self.items // self.cols

    @property
    def cols(self) -> int:
        """Numbers of a row."""
        return self.shape[-1] if len(self.shape) > 1 else self.kind.items

    @property
    def items(self) -> int:
        """Numbers."""
        return self.size // self.kind.bytes * self.kind.items

    def read(self) -> bytes:
        """All bytes of a small one, as they are."""
        return bytes(self.file.rows(self.index, 0, self.rows, 0, False)[0])


class GgufSource:
    """A model in GGUF files, opened: heads are read, tensors are not."""

    def __init__(self, path: Path) -> None:
        """Opens the file, and the other parts of the same model beside it.

        Raises:
            ModelNotFoundError: there is no such file, or a part is missing.
            ModelCorruptError: it is not a whole GGUF file, or its parts do not belong together.
            UnsupportedModelError: it is of another version or byte order, or has kinds of tensors
                that nobody knows.
            LoadError: it cannot be read.
        """
        self.paths = _parts(path)
        self._files = [native().GgufFile(os.fsencode(one)) for one in self.paths]
        self._check_parts()

    @property
    def name(self) -> str:
        """Of its first file."""
        return self.paths[0].name

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self._files)

    @once
    def metadata(self) -> Mapping[str, Any]:
        """Keys and values of the first file, which has all that are about the model."""
        found: Mapping[str, Any] = self._files[0].metadata()
        return found

    @once
    def tensors(self) -> tuple[GgufTensor, ...]:
        """Of all files, in their order.

        Raises:
            ModelCorruptError: two files have a tensor of the same name.
        """
        known = kinds()
        found: dict[str, GgufTensor] = {}
        for file in self._files:
            for index, (name, kind, shape, size) in enumerate(file.tensors()):
                if name in found:
                    raise ModelCorruptError(
                        f"[gguf] {self.name}: two parts have tensor {name!r}; get the files again."
                    )
                found[name] = GgufTensor(name, known[kind], tuple(shape), size, file, index)
        return tuple(found.values())

    def _check_parts(self) -> None:
        count = len(self._files)
        said = self.metadata.get("split.count", 0)
        if (said or 1) == count and (count == 1 or self.metadata.get("split.no") == 0):
            for number, file in enumerate(self._files[1:], 1):
                found = file.metadata()
                if found.get("split.no") != number or found.get("split.count") != count:
                    break
            else:
                return
        raise ModelCorruptError(
            f"[gguf] {self.name} says it is part {_said(self.metadata, 'split.no')} of "
            f"{said or 1}, and {count} {'file is' if count == 1 else 'files are'} there; take the "
            "files of one model, under the names that they were published with."
        )


def _said(metadata: Mapping[str, Any], key: str) -> Any:
    value = metadata.get(key, 0)
    return value + 1 if isinstance(value, int) else value


def _parts(path: Path) -> tuple[Path, ...]:
    match = PART_NAME.fullmatch(path.name)
    if match is None:
        return (path,)
    count = int(match["count"])
    if not 1 <= count <= _MOST_PARTS:
        raise ModelCorruptError(
            f"[gguf] {path.name!r} is said to be one of {count} parts; take a model of 1 to "
            f"{_MOST_PARTS}."
        )
    paths = tuple(
        path.with_name(f"{match['stem']}-{number:05}-of-{count:05}.gguf")
        for number in range(1, count + 1)
    )
    if missing := [one.name for one in paths if not one.exists()]:
        raise ModelNotFoundError(
            f"[gguf] {path.name!r} is one of {count} parts, and {len(missing)} are not beside it "
            f"({', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}); get them too."
        )
    return paths
