"""Who waits for whom, and what is told meanwhile."""

import errno
import fcntl
import os
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from convergio_mlx import store
from convergio_mlx.errors import InvalidRequestError, ModelNotInstalledError, StorageError
from convergio_mlx.store import locks
from convergio_mlx.store.locks import changing, using
from convergio_mlx.store.progress import Reporter
from hub import Fault, Hub
from store.models import GUIDE, MODEL


def test_threads_wait_for_each_other_as_processes_do(hub: Hub) -> None:
    inside: list[int] = []
    most: list[int] = []

    def change() -> None:
        with changing(MODEL, Reporter(MODEL, None)):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=change) for _ in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert most == [1] * 5


def test_one_that_waits_says_for_whom(hub: Hub) -> None:
    told: list[store.Progress] = []
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with changing(MODEL):
            holding.set()
            done.wait(60)

    def tell(progress: store.Progress) -> None:
        told.append(progress)
        if progress.stage == "waiting":
            done.set()

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait(60)
    store.download(MODEL, on_progress=tell)
    thread.join()
    assert told[0].stage == "waiting"
    assert told[0].note == f"process {os.getpid()} is at work on it"
    assert store.verify(MODEL).is_sound


def test_several_can_use_a_model_at_once(hub: Hub) -> None:
    folder = store.download(MODEL).folder
    with using(folder), using(folder):
        assert store.verify(MODEL).is_sound


@pytest.mark.parametrize("name", [".locks", ".partial"])
def test_a_link_in_place_of_the_stores_own_folders(hub: Hub, tmp_path: Path, name: str) -> None:
    top = tmp_path / "home" / "models" / "mlx"
    top.mkdir(parents=True)
    outside = tmp_path / "outside"
    (outside / MODEL).mkdir(parents=True)
    if name == ".locks":
        (top / name).symlink_to(outside)
    else:
        (top / name).mkdir()
        (top / name / MODEL).symlink_to(outside / MODEL)
    with pytest.raises(StorageError) as raised:
        store.download(MODEL)
    assert str(raised.value).endswith(
        "is a link, and the store writes through none; remove it (CONVERGIO_HOME may name a folder "
        "on another disk)."
    )
    assert list(outside.rglob("*")) == [outside / MODEL]


@pytest.mark.parametrize("name", [".partial", ".import", ".locks", ".trash", "mlx", "models"])
def test_no_link_on_the_way_is_followed(hub: Hub, tmp_path: Path, folder: Path, name: str) -> None:
    """Whoever puts one there has the store touch nothing that lies behind it."""
    outside = tmp_path / "outside"
    for one in (MODEL, f"mlx/{MODEL}", f".partial/{MODEL}", f"mlx/.partial/{MODEL}"):
        (outside / one).mkdir(parents=True)
        (outside / one / "config.json").write_text("mine")
    before = sorted(outside.rglob("*"))
    top = folder.parent
    link = {"mlx": top, "models": top.parent}.get(name, top / name)
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    attempts = [store.delete, store.repair]
    attempts += [] if name == ".import" else [store.download]
    attempts += [lambda model: store.import_model(GUIDE, model=model)]
    for attempt in attempts:
        with suppress(StorageError, ModelNotInstalledError, InvalidRequestError):
            attempt(MODEL)
        assert sorted(outside.rglob("*")) == before
        assert link.is_symlink()
    if name in (".locks", "mlx", "models"):
        with pytest.raises(StorageError, match="is a link, and the store writes through none"):
            store.delete(MODEL)


@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES])
def test_a_lock_that_fails(hub: Hub, error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = store.download(MODEL)

    def fail(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(locks.fcntl, "flock", fail)
    for attempt in (store.verify, store.delete, store.repair):
        with pytest.raises(StorageError, match=r"cannot lock '.*' \(") as raised:
            attempt(MODEL)
        assert str(raised.value).endswith("check its disk and permissions and try again.")
    with pytest.raises(StorageError):
        using(found.folder)


def test_a_model_that_goes_while_it_is_opened(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at it and the lock on it a deletion ends, or one that downloads again."""
    folder = store.download(MODEL).folder
    lock = fcntl.flock
    moves = [lambda: folder.rename(tmp_path / "gone"), lambda: (tmp_path / "gone").rename(folder)]

    def moved(descriptor: int, kind: int) -> None:
        if moves:
            moves.pop(0)()
        lock(descriptor, kind)

    monkeypatch.setattr(locks.fcntl, "flock", moved)
    with pytest.raises(ModelNotInstalledError) as raised:
        using(folder)
    assert str(raised.value) == (
        f"[store] {MODEL!r} has just been deleted; load another model, or download it again."
    )
    (tmp_path / "gone").rename(folder)
    moves.clear()
    copy = shutil.copytree(folder, tmp_path / "copy")
    moves[:] = [lambda: (folder.rename(tmp_path / "old"), copy.rename(folder))]
    with using(folder) as use:
        assert use


def test_a_part_with_a_second_name_is_not_written_into(hub: Hub, folder: Path) -> None:
    """It may be somebody's own, or mapped."""
    part = folder.parent / ".partial" / MODEL
    part.mkdir(parents=True)
    mine = folder.parent / "mine"
    mine.write_bytes(b"mine")
    os.link(mine, part / "config.json.part")
    os.mkfifo(part / "tokenizer.json.part")
    store.download(MODEL)
    assert mine.read_bytes() == b"mine"
    assert store.verify(MODEL).is_sound


class HostsError(OSError):
    """What a host's callback raises looks like one of the file system's."""


@pytest.mark.parametrize("stage", ["listing", "downloading", "retrying", "verifying", "importing"])
def test_what_a_host_raises_comes_back_as_it_was(hub: Hub, stage: str) -> None:
    if stage == "verifying":
        store.download(MODEL)
    if stage == "retrying":
        hub.faults = [Fault("/cdn/", times=99, status=503)]

    def stop(progress: store.Progress) -> None:
        if progress.stage == stage and (progress.done_bytes or stage in {"listing", "retrying"}):
            raise HostsError

    attempt = {
        "verifying": lambda: store.verify(MODEL, on_progress=stop),
        "importing": lambda: store.import_model(GUIDE, model=MODEL, on_progress=stop),
    }.get(stage, lambda: store.download(MODEL, on_progress=stop))
    with pytest.raises(HostsError):
        attempt()


def test_a_link_in_place_of_a_part_is_not_written_through(
    hub: Hub, tmp_path: Path, folder: Path
) -> None:
    part = folder.parent / ".partial" / MODEL
    part.mkdir(parents=True)
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (part / "config.json.part").symlink_to(mine)
    (part / "tokenizer.json").symlink_to(mine)
    (part / "stray").mkdir()
    store.download(MODEL)
    assert mine.read_text() == "mine"
    assert not any(path.is_symlink() for path in folder.iterdir())
    assert store.verify(MODEL).is_sound
