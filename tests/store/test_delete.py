"""Deleting: not while in use, nothing of it left, and as many bytes as it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from convergio_mlx import store
from convergio_mlx.engine.engine import Engine
from convergio_mlx.errors import ModelInUseError, ModelNotInstalledError, StorageError
from convergio_mlx.store.locks import changing
from hub import Hub
from store.models import MODEL, REPOSITORY, guide


@pytest.fixture
def installed(hub: Hub) -> store.InstalledModel:
    hub.repositories[REPOSITORY] = guide()
    return store.download(MODEL)


def disk_of(folder: Path) -> int:
    """As du counts it."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def test_it_frees_what_it_says_and_leaves_nothing(installed: store.InstalledModel) -> None:
    usage = store.disk_usage()
    assert usage.models == disk_of(installed.folder) > 1_800_000
    top = installed.folder.parent
    before = disk_of(top)
    assert store.delete(f"mlx/{MODEL}") == usage.models
    assert not installed.folder.exists()
    assert before - disk_of(top) >= usage.models
    assert store.installed() == []
    assert store.disk_usage().models == store.disk_usage().trash == 0
    left = {path.name for path in top.rglob("*") if path.is_file()}
    assert left == {f"{MODEL}.lock", f"{MODEL}.json"}  # what the next download is held to


def test_files_that_have_another_name_do_not_come_free(
    installed: store.InstalledModel, tmp_path: Path
) -> None:
    weights = installed.folder / "model.safetensors"
    os.link(weights, tmp_path / "kept")
    said = store.delete(MODEL)
    assert said < weights_size(tmp_path / "kept")
    assert (tmp_path / "kept").stat().st_nlink == 1


def weights_size(path: Path) -> int:
    return path.stat().st_size


def test_a_loaded_model_stays(installed: store.InstalledModel) -> None:
    sentence = f"[store] {MODEL!r} is loaded by a program that is running; end that program first."
    engine = Engine.load(MODEL)
    with pytest.raises(ModelInUseError) as raised:
        store.delete(MODEL)
    assert str(raised.value) == sentence
    assert store.verify(MODEL).is_sound
    engine.close()
    store.delete(MODEL)


def test_a_model_that_another_process_has_loaded(installed: store.InstalledModel) -> None:
    code = (
        "import sys, convergio_mlx as cm\n"
        f"engine = cm.Engine.load({MODEL!r})\n"
        "print('loaded', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"loaded\n"
        with pytest.raises(ModelInUseError):
            store.delete(MODEL)
        other.kill()
    store.delete(MODEL)


def test_an_engine_that_is_forgotten_lets_go(installed: store.InstalledModel) -> None:
    Engine.load(MODEL)
    store.delete(MODEL)


def test_a_model_that_is_being_changed(installed: store.InstalledModel) -> None:
    with changing(MODEL), pytest.raises(ModelInUseError) as raised:
        store.delete(MODEL)
    assert str(raised.value) == (
        f"[store] {MODEL!r} is being changed by process {os.getpid()}; try again when that has "
        "ended."
    )


def test_an_unfinished_download_is_deleted_too(hub: Hub, folder: Path) -> None:
    hub.pace = 100_000

    def stop(progress: store.Progress) -> None:
        if progress.done_bytes > 10_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.download(MODEL, on_progress=stop)
    assert store.partial_bytes(MODEL) > 0
    assert store.disk_usage().partial > 0
    assert store.delete(MODEL) > 0
    assert store.partial_bytes(MODEL) == store.disk_usage().partial == 0
    with pytest.raises(ModelNotInstalledError):
        store.delete(MODEL)


def test_a_link_in_a_models_place_is_not_followed(home: Path, folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "config.json").write_text("{}")
    folder.parent.mkdir(parents=True)
    folder.symlink_to(mine)
    for what in (store.delete, store.verify, store.repair, store.download):
        with pytest.raises(StorageError) as raised:
            what(MODEL)
        assert str(raised.value).startswith("[store] ")
    assert (mine / "config.json").read_text() == "{}"
    assert list(mine.iterdir()) == [mine / "config.json"]


def test_links_in_a_model_are_removed_and_not_followed(
    installed: store.InstalledModel, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "kept").write_text("x")
    (installed.folder / "link").symlink_to(mine)
    store.delete(MODEL)
    assert (mine / "kept").read_text() == "x"


def test_what_a_killed_deletion_left_goes_with_the_next(installed: store.InstalledModel) -> None:
    trash = installed.folder.parent / ".trash" / "x"
    trash.mkdir(parents=True)
    (trash / "y").write_bytes(b"z" * 10_000)
    assert store.disk_usage().trash > 0
    store.delete(MODEL)
    assert store.disk_usage().trash == 0


@pytest.mark.parametrize(
    "name",
    ["../x", "..", ".", "", "a/b", "a\\b", ".partial", "/etc", "A", "a\x1b[2J", "a\n", "mlx/../x"],
)
@pytest.mark.parametrize(
    "what", [store.find, store.delete, store.verify, store.repair, store.partial_bytes]
)
def test_ids_that_are_none(home: Path, what: object, name: str) -> None:
    from convergio_mlx.errors import ModelNotFoundError

    with pytest.raises(ModelNotFoundError) as raised:
        what(name)  # type: ignore[operator]
    text = str(raised.value)
    assert text.startswith("[store] '")
    assert "is no model's id; ids are small letters, digits, dots," in text
    assert text.isprintable()
