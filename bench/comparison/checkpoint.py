"""The checkpoints that a comparison needs, made when first asked for."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import fabricate
from comparison.contender import Contender
from comparison.geometry import GEOMETRIES, Config, is_experts, is_matrix, shapes
from comparison.vocabulary import write_tokenizer


class Checkpoints:
    """A folder of them. Those of equal geometry and format are shared."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, geometry: str, contender: Contender) -> Path:
        """The folder or file, made where it is missing."""
        kind = contender.format
        path = self._folder / f"{geometry}-{kind}{'.gguf' if contender.is_gguf else ''}"
        if path.exists():
            return path
        config = GEOMETRIES[geometry]
        if not contender.is_gguf:
            return checkpoint(path, config | {"quantization": quantization(kind, config)})
        from comparison import gguf_file

        self._folder.mkdir(parents=True, exist_ok=True)
        draft = _draft(path)
        gguf_file.write(draft, config, kind)
        draft.rename(path)
        return path


def quantization(kind: str, config: Config) -> Config:
    """The block of config.json for a format that is not GGUF's."""
    if kind == "mxfp4-q8":
        dense = {"group_size": 64, "bits": 8, "mode": "affine"}
        return {"group_size": 32, "bits": 4, "mode": "mxfp4"} | {
            name.removesuffix(".weight"): dense
            for name, shape in shapes(config).items()
            if is_matrix(name, shape) and not is_experts(shape)
        }
    return {"group_size": int(kind.removeprefix("affine-")), "bits": 4}


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
