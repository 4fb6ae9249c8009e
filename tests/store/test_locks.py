"""Who waits for whom, and what is told meanwhile."""

import os
import threading
import time
from pathlib import Path

import pytest

from convergio_mlx import store
from convergio_mlx.errors import StorageError
from convergio_mlx.store.locks import changing, using
from convergio_mlx.store.progress import Reporter
from hub import Hub
from store.models import MODEL


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
            done.wait(10)

    def tell(progress: store.Progress) -> None:
        told.append(progress)
        if progress.stage == "waiting":
            done.set()

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait(10)
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
    assert str(raised.value).endswith("is a link, and the store writes through none; remove it.")
    assert list(outside.rglob("*")) == [outside / MODEL]


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
