"""One flipped byte anywhere is found, and mending it asks the hub for that file alone."""

import json
import os
import random
from pathlib import Path

import pytest

from convergio_mlx import store
from convergio_mlx.errors import (
    ModelCorruptError,
    ModelNotInstalledError,
    OfflineError,
    StorageError,
)
from hub import Hub
from store.models import GUIDE, MODEL, REPOSITORY, contents, guide, wanted

SHARD = "model-00002-of-00002.safetensors"


def flip(path: Path, at: int) -> None:
    """Another byte in its place."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << random.randrange(8)
    path.write_bytes(data)


def repaired(hub: Hub) -> tuple[dict[str, str], list[str]]:
    """What a repair mended, with what was wrong, and the names that it asked the hub for."""
    hub.requests.clear()
    mended = {one.name: one.state for one in store.repair(MODEL)}
    return mended, [one.path.rpartition("/")[2] for one in hub.asked_for("/resolve/")]


def test_one_flipped_byte_in_any_file(hub: Hub, folder: Path) -> None:
    store.download(MODEL)
    for path in sorted(folder.iterdir()):
        size = path.stat().st_size
        for at in {0, size // 2, size - 1}:
            before = path.read_bytes()
            flip(path, at)
            found = store.verify(MODEL)
            assert [(one.name, one.state) for one in found.faults] == [(path.name, "changed")]
            assert not found.is_sound
            others = {one.name: one.stat().st_mtime_ns for one in folder.iterdir()}
            is_receipt = path.name == "receipt.json"
            assert repaired(hub) == ({path.name: "changed"}, [] if is_receipt else [path.name])
            assert bool(hub.asked_for("/api/models/")) == is_receipt
            assert is_receipt or path.read_bytes() == before
            assert store.verify(MODEL).is_sound
            touched = {
                one.name for one in folder.iterdir() if one.stat().st_mtime_ns != others[one.name]
            }
            assert touched == {path.name}
    assert contents(folder) == wanted(hub.repositories[REPOSITORY])


@pytest.mark.slow
def test_any_byte_of_the_receipt(hub: Hub, folder: Path) -> None:
    """Also one that still reads as JSON, or means the same."""
    store.download(MODEL)
    receipt = folder / "receipt.json"
    text = receipt.read_bytes()
    for at in range(0, len(text), 7):
        for other in (ord(" "), ord("\n"), ord("0"), text[at] ^ 32):
            if other != text[at]:
                receipt.write_bytes(text[:at] + bytes([other]) + text[at + 1 :])
                (fault,) = store.verify(MODEL).faults
                assert (fault.name, fault.state) == ("receipt.json", "changed")
    receipt.write_bytes(text)
    assert store.verify(MODEL).is_sound


def test_several_faults_of_every_kind(hub: Hub, folder: Path) -> None:
    store.download(MODEL)
    outside = folder.parent / "outside"
    outside.write_bytes(hub.repositories[REPOSITORY].files["config.json"])
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(outside)
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_bytes(b"{} ")
    (folder / "generation_config.json").unlink()
    (folder / "generation_config.json").mkdir()
    flip(folder / SHARD, 100)
    (folder / "model-00003-of-00003.safetensors").write_bytes(b"x")
    (folder / "notes.txt").write_bytes(b"mine")
    faults = {
        "config.json": "link",
        "tokenizer.json": "missing",
        "tokenizer_config.json": "size",
        "generation_config.json": "missing",
        SHARD: "changed",
        "model-00003-of-00003.safetensors": "unexpected",
    }
    assert {one.name: one.state for one in store.verify(MODEL).faults} == faults
    mended, fetched = repaired(hub)
    assert mended == faults
    assert set(fetched) == set(faults) - {"model-00003-of-00003.safetensors"}
    assert store.verify(MODEL).is_sound
    assert not (folder / "config.json").is_symlink()
    assert outside.read_bytes() == hub.repositories[REPOSITORY].files["config.json"]
    assert (folder / "model-00003-of-00003.safetensors.unexpected").read_bytes() == b"x"
    assert (folder / "generation_config.json.unexpected").is_dir()
    assert (folder / "notes.txt").read_bytes() == b"mine"


def test_without_faults_nobody_is_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    store.download(MODEL)
    hub.requests.clear()
    monkeypatch.setenv("CONVERGIO_OFFLINE", "1")
    assert store.verify(MODEL).is_sound
    assert store.repair(MODEL) == ()
    assert not hub.requests


def test_repairing_offline_says_so(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.download(MODEL)
    flip(folder / SHARD, 9)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OfflineError) as raised:
        store.repair(MODEL)
    assert str(raised.value) == (
        f"[offline] repairing {MODEL!r} needs the network, which HF_HUB_OFFLINE=1 forbids; do it "
        "without that."
    )


def test_a_repair_takes_the_commit_that_was_installed(hub: Hub, folder: Path) -> None:
    """The repository has moved on; the hub keeps what was, and here only what was fits."""
    store.download(MODEL)
    before = wanted(hub.repositories[REPOSITORY])
    flip(folder / SHARD, 9)
    repaired(hub)
    receipt = json.loads((folder / "receipt.json").read_bytes())
    assert all(receipt["revision"] in one.path for one in hub.asked_for("/resolve/"))
    assert contents(folder) == before


def test_a_receipt_whose_revision_is_damaged(hub: Hub, folder: Path) -> None:
    """Then the newest commit is asked for, and files that are in it stay."""
    store.download(MODEL)
    receipt = folder / "receipt.json"
    revision = hub.repositories[REPOSITORY].revision
    receipt.write_bytes(receipt.read_bytes().replace(revision.encode(), b"0" * 40))
    assert repaired(hub) == ({"receipt.json": "changed"}, [])
    assert store.verify(MODEL).is_sound


def test_a_repair_that_is_interrupted_goes_on(hub: Hub, folder: Path) -> None:
    store.download(MODEL)
    flip(folder / SHARD, 9)
    hub.pace = 100_000

    def stop(progress: store.Progress) -> None:
        if progress.stage == "downloading" and progress.done_bytes > 20_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.repair(MODEL, on_progress=stop)
    assert [one.name for one in store.verify(MODEL).faults] == [SHARD]
    hub.pace = None
    repaired(hub)
    assert [one.range for one in hub.asked_for("/cdn/")] != [None]
    assert store.verify(MODEL).is_sound


def test_progress_of_verifying(hub: Hub) -> None:
    store.download(MODEL)
    told: list[store.Progress] = []
    store.verify(MODEL, on_progress=told.append)
    total = sum(map(len, wanted(hub.repositories[REPOSITORY]).values()))
    assert {(one.stage, one.total_bytes) for one in told} == {("verifying", total)}
    assert told[-1].done_bytes == total

    class StopError(Exception):
        pass

    def stop(progress: store.Progress) -> None:
        if progress.done_bytes:
            raise StopError

    with pytest.raises(StopError):
        store.verify(MODEL, on_progress=stop)


def test_a_model_that_was_imported_from_a_folder(home: Path, folder: Path) -> None:
    store.import_model(GUIDE, model=MODEL)
    assert store.verify(MODEL).is_sound
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").write_bytes(b"{}")
    with pytest.raises(StorageError) as raised:
        store.repair(MODEL)
    assert str(raised.value) == (
        f"[store] 'tokenizer.json' of {MODEL!r} is damaged, and the model was imported from a "
        "folder; delete it and import it again."
    )


def test_a_folder_that_was_put_there_by_hand(home: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, data in guide().files.items():
        (folder / name).write_bytes(data)
    found = store.find(MODEL)
    assert found is not None
    assert not found.has_receipt
    with pytest.raises(StorageError) as raised:
        store.verify(MODEL)
    assert str(raised.value) == (
        f"[store] {MODEL!r} has no receipt, since it was not downloaded or imported; move its "
        "folder away, and `convergio-mlx models import` takes it in."
    )


def test_a_folder_that_was_renamed_does_not_pass_for_another(hub: Hub, folder: Path) -> None:
    store.download(MODEL)
    other = folder.rename(folder.parent / "qwen3-8b")
    (fault,) = store.verify(other.name).faults
    assert fault.name == "receipt.json"
    with pytest.raises(ModelCorruptError):
        store.download(other.name)


@pytest.mark.parametrize("what", [store.verify, store.repair, store.delete])
def test_a_model_that_is_not_installed(home: Path, what: object) -> None:
    with pytest.raises(ModelNotInstalledError) as raised:
        what(MODEL)  # type: ignore[operator]
    assert str(raised.value).startswith(f"[store] {MODEL!r} is not installed; ")


def test_pins_that_came_later_are_held_against_what_is_installed(
    hub: Hub, home: Path, folder: Path
) -> None:
    """The registry's word counts more than the receipt's."""
    store.download(MODEL)
    revision = hub.repositories[REPOSITORY].revision
    entry = {"id": MODEL, "revision": revision, "sha256": {"config.json": "0" * 64}}
    (home / "models.json").write_text(json.dumps({"schema": 1, "models": [entry]}))
    assert [one.name for one in store.verify(MODEL).faults] == ["config.json"]
    assert os.access(folder, os.W_OK)
