"""The checkpoints that a comparison needs, made when first asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

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
        draft = path.with_name(path.name + ".part")
        self._folder.mkdir(parents=True, exist_ok=True)
        config = GEOMETRIES[geometry]
        if is_gguf:
            from comparison import gguf_file

            gguf_file.write(draft, config, kind)
        else:
            shutil.rmtree(draft, ignore_errors=True)
            block = {"group_size": int(kind.removeprefix("affine-")), "bits": 4}
            fabricate.fabricate(draft, config | {"quantization": block})
            write_tokenizer(draft, config["vocab_size"])
        draft.rename(path)
        return path
