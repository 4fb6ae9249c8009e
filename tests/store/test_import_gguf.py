"""Taking in a GGUF file: converted, with the guarantees of any other import."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

import checkpoints
from arch.variants import tiny
from convergio_mlx import store
from convergio_mlx.engine.engine import Engine
from convergio_mlx.errors import (
    ModelCorruptError,
    ModelNotFoundError,
    StorageError,
    UnsupportedModelError,
)
from convergio_mlx.platform.home import models_folder
from convergio_mlx.store.layout import IMPORTS
from convert import gguf_files
from convert.gguf_files import Kind

CONFIG = tiny("llama")
TOKENS = checkpoints.tokens(CONFIG, 16)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    weights = checkpoints.weights(CONFIG)
    return gguf_files.write_model(tmp_path / "My-Model.gguf", CONFIG, weights, kinds=[Kind.Q8_0])


def nothing_is_left() -> bool:
    waiting = models_folder() / IMPORTS
    return store.installed() == [] and (not waiting.exists() or not os.listdir(waiting))


def test_a_file_becomes_an_installed_model(home: Path, source: Path) -> None:
    stages = []
    found = store.import_model(source, on_progress=lambda told: stages.append(told.stage))
    assert found.model == "my-model"
    assert found.receipt is not None
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert found.receipt.made_from == f"My-Model.gguf (sha256 {digest})"
    assert {file.name for file in found.receipt.files} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert store.verify("my-model").is_sound
    assert list(dict.fromkeys(stages)) == ["converting", "verifying"]
    with Engine.load("my-model") as engine:
        assert engine.generate("ab", max_tokens=3).text() is not None


def test_progress_counts_the_bytes_of_the_tensors(home: Path, source: Path) -> None:
    seen = [(0, 0)]

    def note(told: store.Progress) -> None:
        if told.stage == "converting":
            seen.append((told.done_bytes, told.total_bytes))

    store.import_model(source, on_progress=note)
    assert seen[-1][0] == seen[-1][1] > 0


def test_a_conversion_that_is_stopped_leaves_nothing_and_can_begin_again(
    home: Path, source: Path
) -> None:
    def stop(told: store.Progress) -> None:
        if told.stage == "converting" and told.done_bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.import_model(source, on_progress=stop)
    assert nothing_is_left()
    assert store.import_model(source).model == "my-model"


def test_all_that_does_not_convert_is_named_before_anything_is_written(
    home: Path, tmp_path: Path
) -> None:
    weights = {**checkpoints.weights(CONFIG)}
    tensors = gguf_files.tensors_of(CONFIG, weights)
    tensors["blk.0.ffn_gate_inp.weight"] = tensors["output.weight"]
    keys = {f"llama.{key}": value for key, value in gguf_files.keys_of(CONFIG).items()}
    keys |= {
        **gguf_files.vocabulary(96),
        "llama.rope.scaling.type": "odd",
        "llama.attention.value_length": 8,
        "tokenizer.ggml.pre": "unheard-of",
    }
    path = gguf_files.write(tmp_path / "odd.gguf", "llama", keys, tensors)
    with pytest.raises(UnsupportedModelError) as refused:
        store.import_model(path)
    said = str(refused.value)
    assert said.startswith(
        "[gguf] odd.gguf cannot be converted: heads have keys of 16 numbers and values of 8, which "
    )
    for clause in (
        "its rotary embedding is scaled by 'odd'",
        "it has tensors that no llama model has (blk.0.ffn_gate_inp.weight)",
        "unheard-of",
    ):
        assert clause in said
    assert nothing_is_left()


def test_an_unknown_architecture_is_named(home: Path, tmp_path: Path) -> None:
    path = gguf_files.write(tmp_path / "m.gguf", "mamba", gguf_files.vocabulary(96), {})
    with pytest.raises(UnsupportedModelError, match="its architecture is 'mamba', and those that"):
        store.import_model(path)


def test_a_folder_of_gguf_files_is_told_to_be_one(home: Path, source: Path) -> None:
    with pytest.raises(ModelCorruptError) as refused:
        store.import_model(source.parent, model="m")
    assert str(refused.value) == (
        f"[store] the folder {str(source.parent)!r} has no config.json but GGUF files; give one of "
        f"them, such as {str(source)!r}."
    )


def test_what_is_no_gguf_file(home: Path, tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"PK\3\4")
    with pytest.raises(ModelCorruptError) as refused:
        store.import_model(tmp_path / "a.gguf")
    assert str(refused.value) == (
        "[gguf] a.gguf: begins with 'PK\\x03\\x04' in place of 'GGUF'; get the file again."
    )


def test_a_full_disk_is_told_before_anything_is_written(
    home: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9, 8, 1))
    with pytest.raises(StorageError, match=r"'My-Model.gguf' needs 0.00 GB on the disk of"):
        store.import_model(source)
    assert nothing_is_left()


def split(source: Path, config: dict[str, object]) -> list[Path]:
    """A model's tensors in two files, as llama.cpp's splitter names them."""
    tensors = gguf_files.tensors_of(config, checkpoints.weights(config))
    names = sorted(tensors)
    keys = {f"llama.{key}": value for key, value in gguf_files.keys_of(config).items()}
    keys |= gguf_files.vocabulary(96)
    paths = []
    for part, some in enumerate((names[:9], names[9:])):
        path = source.with_name(f"Big-{part + 1:05}-of-00002.gguf")
        own = {"split.no": part, "split.count": 2, "split.tensors.count": len(names)}
        keys_here = {**(keys if part == 0 else {}), **own}
        gguf_files.write(path, "llama", keys_here, {name: tensors[name] for name in some})
        paths.append(path)
    return paths


def test_a_model_in_parts_is_one(home: Path, source: Path) -> None:
    first, second = split(source, CONFIG)
    found = store.import_model(second)
    assert found.model == "big"
    whole = checkpoints.write(source.with_name("whole"), CONFIG)
    with Engine.load(whole) as wanted, Engine.load("big") as engine:
        np.testing.assert_array_equal(engine.logits(TOKENS), wanted.logits(TOKENS))
    assert found.receipt is not None
    digest = hashlib.sha256(first.read_bytes() + second.read_bytes()).hexdigest()
    assert found.receipt.made_from == f"{first.name} and 1 more (sha256 {digest})"


def test_parts_that_are_missing_or_of_another_model(home: Path, source: Path) -> None:
    first, second = split(source, CONFIG)
    kept = second.read_bytes()
    second.unlink()
    with pytest.raises(ModelNotFoundError) as missing:
        store.import_model(first)
    assert str(missing.value) == (
        f"[gguf] {first.name!r} is one of 2 parts, and 1 are not beside it ({second.name}); get "
        "them too."
    )
    second.write_bytes(first.read_bytes())
    with pytest.raises(ModelCorruptError, match="files of one model"):
        store.import_model(first)
    second.write_bytes(kept)
    assert store.import_model(first).model == "big"
