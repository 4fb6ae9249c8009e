"""Quantizing into the store: installed whole or not at all, with a receipt that says from what."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import checkpoints
from convergio_mlx import store
from convergio_mlx.engine.engine import Engine
from convergio_mlx.errors import (
    InvalidRequestError,
    ModelCorruptError,
    ModelNotFoundError,
    StorageError,
)
from convergio_mlx.platform.home import models_folder
from convergio_mlx.store.receipt import Receipt
from store.models import GUIDE

CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 2048,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
}


def floats(folder: Path) -> Path:
    """A model of floats with the embedded model's tokenizer."""
    checkpoints.write(folder, CONFIG, "BF16")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(GUIDE / name, folder)
    (folder / "LICENSE").write_text("free")
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return floats(tmp_path / "My-Model-bf16")


def test_a_folder_becomes_an_installed_model(home: Path, source: Path) -> None:
    told: list[store.Progress] = []
    made = store.quantize(source, on_progress=told.append)
    assert made.installed is not None
    assert made.installed.model == "my-model-4bit"
    receipt = made.installed.receipt
    assert receipt is not None
    assert (receipt.source, receipt.repository) == ("folder", None)
    assert receipt.made_from == f"{source}, quantized (affine, 4 bits, groups of 64)"
    assert [file.name for file in receipt.files] == [
        *("LICENSE", "config.json", "model.safetensors"),
        *("tokenizer.json", "tokenizer_config.json"),
    ]
    assert store.verify("my-model-4bit").is_sound
    assert {one.stage for one in told} == {"converting", "verifying"}
    assert any(one.done_bytes == one.total_bytes == made.source_bytes for one in told)
    assert 4.5 < made.bits_per_weight < 4.6
    with Engine.load("my-model-4bit") as engine:
        assert engine.generate("Hello", max_tokens=3).text() is not None


def test_an_installed_model_becomes_another(home: Path, source: Path) -> None:
    store.import_model(source, model="floats-bf16")
    made = store.quantize("mlx/floats-bf16", mode="mxfp8")
    assert made.installed is not None
    assert made.installed.model == "floats-mxfp8"
    assert made.installed.receipt is not None
    assert (
        made.installed.receipt.made_from == "floats-bf16, quantized (mxfp8, 8 bits, groups of 32)"
    )
    again = store.quantize("floats-bf16", model="mixed", recipe="mixed_3_6")
    assert again.installed is not None
    assert again.installed.receipt is not None
    assert again.installed.receipt.made_from == "floats-bf16, quantized (mixed_3_6, groups of 64)"
    with pytest.raises(InvalidRequestError, match="is quantized already"):
        store.quantize("mixed")
    store.delete("floats-bf16")
    assert store.verify("mixed").is_sound


def test_a_folder_of_its_own(home: Path, source: Path, tmp_path: Path) -> None:
    made = store.quantize(source, output=tmp_path / "made", bits=8, group_size=32)
    assert made.installed is None
    assert store.installed() == []
    assert store.import_model(made.folder, model="taken-in").receipt is not None


def test_a_stop_leaves_nothing(home: Path, source: Path, tmp_path: Path) -> None:
    def stop(progress: store.Progress) -> None:
        if progress.done_bytes:
            raise KeyboardInterrupt

    for options in ({}, {"output": tmp_path / "made"}):
        with pytest.raises(KeyboardInterrupt):
            store.quantize(source, on_progress=stop, **options)  # type: ignore[arg-type]
    assert store.installed() == []
    assert list((models_folder() / ".import").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir() if "made" in path.name] == []


def test_what_is_refused(
    home: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(call: Callable[[], object], kind: type[Exception], message: str) -> None:
        with pytest.raises(kind) as raised:
            call()
        assert str(raised.value) == message

    refused(
        lambda: store.quantize(source, model="a", output=tmp_path / "b"),
        InvalidRequestError,
        "[store] both an id ('a') and a folder are given; give one of them.",
    )
    refused(
        lambda: store.quantize(source, model="convergio-guide"),
        InvalidRequestError,
        "[store] 'convergio-guide' is the id of the embedded model; give another with --id.",
    )
    refused(
        lambda: store.quantize(source, output=tmp_path / "no" / "b"),
        InvalidRequestError,
        f"[convert] there is no folder {str(tmp_path / 'no')!r} to make 'b' in; make it first.",
    )
    with pytest.raises(ModelNotFoundError):
        store.quantize("nobody")
    with pytest.raises(InvalidRequestError, match="is quantized already"):
        store.quantize("convergio-guide")
    store.quantize(source)
    refused(
        lambda: store.quantize(source),
        InvalidRequestError,
        "[store] 'my-model-4bit' is installed already; give another id with --id, or delete that "
        "one first.",
    )
    full = shutil._ntuple_diskusage(10**9, 10**9, 5)  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(StorageError, match=r"needs 0\.00 GB on the disk of .* 0\.00 GB are free"):
        store.quantize(source, model="other")
    monkeypatch.undo()
    (source / "tokenizer.json").unlink()
    with pytest.raises(ModelCorruptError, match=r"has no tokenizer\.json"):
        store.quantize(source, output=None, model="other")


def test_a_receipt_without_an_origin_is_as_before() -> None:
    old = Receipt("a", "folder", None, None, "2026-01-01T00:00:00Z", ())
    assert b"made_from" not in old.text()
    assert Receipt.of(old.text()) == old
    new = Receipt("a", "folder", None, None, "2026-01-01T00:00:00Z", (), "b, quantized")
    assert Receipt.of(new.text()) == new
    bad = Receipt("a", "folder", None, None, "2026-01-01T00:00:00Z", (), "b\nc")
    with pytest.raises(ValueError, match="what no receipt holds"):
        Receipt.of(bad.text())
