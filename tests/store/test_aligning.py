"""Weights whose numbers no GPU can bind are installed with a padded header, and are still held to
what was published."""

from __future__ import annotations

import hashlib
import json
import os
import random
import struct
from pathlib import Path

import pytest

from convergio_mlx import store
from convergio_mlx.errors import StorageError
from convergio_mlx.store import aligning
from convergio_mlx.store.layout import PART, PARTIALS
from convergio_mlx.store.progress import Progress
from convergio_mlx.store.receipt import Receipt
from hub import Hub, Repository
from store.models import CONFIG, MODEL, REPOSITORY

NAME = "model.safetensors"
NUMBERS = 30_000


def weights(start: int) -> bytes:
    """A safetensors file whose data begins `start` bytes after a multiple of 8."""
    tensors = {
        "a": {"dtype": "U32", "shape": [NUMBERS], "data_offsets": [0, 4 * NUMBERS]},
        "b": {"dtype": "F16", "shape": [3], "data_offsets": [4 * NUMBERS, 4 * NUMBERS + 6]},
    }
    header = json.dumps(tensors).encode()
    header += b" " * ((start - len(header)) % 8)
    return struct.pack("<Q", len(header)) + header + random.Random(1).randbytes(4 * NUMBERS + 6)


def tensors_of(data: bytes) -> tuple[int, dict[str, object], bytes]:
    """Where the data begins, the header, and the data."""
    start = 8 + struct.unpack("<Q", data[:8])[0]
    return start, json.loads(data[8:start]), data[start:]


@pytest.fixture(autouse=True)
def metal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aligning, "is_wanted", lambda: True)


def publish(hub: Hub, data: bytes) -> None:
    small = {"config.json": CONFIG, "tokenizer.json": b"{}", "tokenizer_config.json": b"{}"}
    hub.repositories[REPOSITORY] = Repository({**small, NAME: data})


@pytest.mark.parametrize("start", range(8))
def test_a_download_is_aligned(hub: Hub, folder: Path, start: int) -> None:
    data = weights(start)
    publish(hub, data)
    store.download(MODEL)
    laid = (folder / NAME).read_bytes()
    begins, header, numbers = tensors_of(laid)
    assert (header, numbers) == tensors_of(data)[1:]
    # numbers of 4 bytes lie well at a multiple of 4, and such a file is left as it is
    assert begins % 4 == 0
    assert (laid == data) == (start % 4 == 0)
    (file,) = (one for one in Receipt.read(folder).files if one.name == NAME)
    assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert file.size_on_disk == len(laid)
    assert store.verify(MODEL).is_sound


def test_any_other_byte_is_found_and_repaired(hub: Hub, folder: Path) -> None:
    data = weights(3)
    publish(hub, data)
    store.download(MODEL)
    laid = (folder / NAME).read_bytes()
    spaces = tensors_of(laid)[0] - 1
    for at in (0, 9, spaces, spaces + 1, len(laid) - 1):
        other = bytearray(laid)
        other[at] ^= 1
        (folder / NAME).write_bytes(other)
        (fault,) = store.verify(MODEL).faults
        assert (fault.name, fault.state) == (NAME, "changed")
        assert [one.name for one in store.repair(MODEL)] == [NAME]
        assert (folder / NAME).read_bytes() == laid
    (folder / NAME).write_bytes(data)  # as it was published, and not as it was installed
    assert [one.state for one in store.verify(MODEL).faults] == ["size"]


def test_a_lost_receipt_is_made_again(hub: Hub, folder: Path) -> None:
    publish(hub, weights(5))
    store.download(MODEL)
    before = {one.name: one.read_bytes() for one in folder.iterdir()}
    (folder / "receipt.json").write_bytes(b"{}")
    hub.requests.clear()
    assert [one.name for one in store.repair(MODEL)] == ["receipt.json"]
    assert not hub.asked_for(NAME)
    assert (folder / NAME).read_bytes() == before[NAME]
    assert store.verify(MODEL).is_sound


def test_an_import_is_aligned_and_its_source_left_alone(home: Path, tmp_path: Path) -> None:
    source = tmp_path / "mine"
    source.mkdir()
    data = weights(1)
    for name, content in (("config.json", CONFIG), ("tokenizer.json", b"{}"), (NAME, data)):
        (source / name).write_bytes(content)
    model = store.import_model(source)
    assert (source / NAME).read_bytes() == data
    assert tensors_of((model.folder / NAME).read_bytes())[0] % 8 == 0
    assert store.verify(model.model).is_sound


def test_an_aligned_part_of_an_earlier_try_is_kept(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(hub, weights(7))
    stages: list[str] = []

    def stop(progress: Progress) -> None:
        stages.append(progress.stage)
        if progress.stage == "aligning" and progress.done_bytes == progress.total_bytes > 0:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        store.download(MODEL, on_progress=stop)
    rename = os.rename

    def killed(source: str, target: str, **folders: int) -> None:
        rename(source, target, **folders)
        if str(source).endswith(".aligned"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            store.download(MODEL)
    hub.requests.clear()
    told: list[Progress] = []
    store.download(MODEL, on_progress=told.append)
    assert not hub.asked_for(f"/resolve/{hub.repositories[REPOSITORY].revision}/{NAME}")
    fetched = [one for one in told if one.stage == "downloading"]
    assert NAME in [one.file for one in fetched]
    assert fetched[-1].done_bytes == fetched[-1].total_bytes > len(weights(7))
    assert tensors_of((folder / NAME).read_bytes())[0] % 8 == 0
    assert store.verify(MODEL).is_sound
    assert "aligning" in stages


def test_what_looks_aligned_and_is_another_file_counts_for_nothing(hub: Hub, folder: Path) -> None:
    data = weights(7)
    publish(hub, data)
    parts = folder.parent / PARTIALS / folder.name
    parts.mkdir(parents=True)
    (parts / f"{NAME}{PART}").write_bytes(bytes(len(data) + 1))
    told: list[Progress] = []
    store.download(MODEL, on_progress=told.append)
    fetched = [one for one in told if one.stage == "downloading"]
    assert all(one.done_bytes <= one.total_bytes for one in fetched)
    assert fetched[-1].done_bytes == fetched[-1].total_bytes
    assert tensors_of((folder / NAME).read_bytes())[2] == tensors_of(data)[2]
    assert store.verify(MODEL).is_sound


def test_the_disk_that_it_takes_is_told(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(hub, weights(2))

    def full(what: str, needed: int, *_: object, **more: str) -> None:
        raise StorageError(f"[store] {what} needs {needed} bytes{more['more']}.")

    monkeypatch.setattr(aligning, "check_room", full)
    with pytest.raises(StorageError, match=rf"'{NAME}' needs \d+ bytes more"):
        store.download(MODEL)


def test_files_that_are_no_safetensors_are_left_alone(tmp_path: Path) -> None:
    for data in (b"", b"x", b"\xff" * 40, struct.pack("<Q", 3) + b"{}x", weights(0)):
        path = tmp_path / "file"
        path.write_bytes(data)
        with path.open("rb") as file:
            assert aligning.missing_padding(file) == 0
