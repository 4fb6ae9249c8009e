"""The checkpoints that a comparison needs, made when first asked for."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import fabricate
from comparison.contender import Contender
from comparison.geometry import GEOMETRIES
from comparison.vocabulary import write_tokenizer


class Checkpoints:
    """A folder of them. Those of equal geometry and format are shared."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, geometry: str, contender: Contender) -> Path:
        """The folder or file, made where it is missing."""
        kind = contender.format
        is_gguf = kind.startswith("Q")
        path = self._folder / f"{geometry}-{kind}{'.gguf' if is_gguf else ''}"
        if path.exists():
            return path
        config = GEOMETRIES[geometry]
        if not is_gguf:
            block = {"group_size": int(kind.removeprefix("affine-")), "bits": 4}
            return checkpoint(path, config | {"quantization": block})
        from comparison import gguf_file

        self._folder.mkdir(parents=True, exist_ok=True)
        draft = _draft(path)
        gguf_file.write(draft, config, kind)
        draft.rename(path)
        return path


def checkpoint(folder: Path, config: dict[str, Any]) -> Path:
    """The folder with a random checkpoint and a vocabulary, made where it is missing."""
    if not folder.exists():
        draft = _draft(folder)
        shutil.rmtree(draft, ignore_errors=True)
        fabricate.fabricate(draft, config)
        write_tokenizer(draft, config["vocab_size"])
        draft.rename(folder)
    return folder


def _draft(path: Path) -> Path:
    """Where it is made, so that a run that is stopped leaves no half of it at `path`."""
    return path.with_name(path.name + ".part")
