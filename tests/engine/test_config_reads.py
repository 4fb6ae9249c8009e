"""A load parses config.json once for the engine and once for the tokenizer, whoever asks for it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from convergio_mlx import Engine
from convergio_mlx.platform.native import native
from convergio_mlx.text import model_folder


def test_a_load_reads_each_small_file_once(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    original = model_folder.read_bytes

    def counted(path: Path, max_bytes: int = 1 << 20) -> bytes | None:
        read.append(path.name)
        return original(path, max_bytes)

    monkeypatch.setattr(model_folder, "read_bytes", counted)
    with Engine.load(own_folder) as engine:
        engine.generate("a", temperature=0, max_tokens=1).text()
    assert len(read) == len(set(read)), sorted(read)
    assert {"config.json", "generation_config.json", "tokenizer_config.json"} <= set(read)


def test_a_geometry_stands_for_the_config_json_it_was_read_from(own_folder: Path) -> None:
    folder = os.fsencode(own_folder)
    geometry = native().folder_geometry(folder)
    config = own_folder / "config.json"
    layers = json.loads(config.read_text())["num_hidden_layers"]
    config.write_text("{")
    assert native().load(folder, 0, geometry).context_window == geometry.context_window
    assert len(geometry.windows) == layers
