"""From the hub to an installed model: what is asked for, what comes, what is told."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from convergio_mlx import store
from convergio_mlx.engine.engine import Engine
from convergio_mlx.errors import ModelCorruptError, ModelNotInstalledError, StorageError
from hub import TOKEN, Hub, Repository
from store.models import MODEL, REPOSITORY, contents, guide, sharded, wanted


def test_only_what_is_needed_is_installed_and_to_the_byte(hub: Hub, folder: Path) -> None:
    found = store.download(f"mlx/{MODEL}")
    assert contents(folder) == wanted(hub.repositories[REPOSITORY])
    assert (found.model, found.folder) == (MODEL, folder)
    assert found.receipt is not None
    assert found.receipt.repository == REPOSITORY
    assert found.receipt.revision == hub.repositories[REPOSITORY].revision
    assert {file.name: file.sha256 for file in found.receipt.files} == {
        name: hashlib.sha256(data).hexdigest() for name, data in contents(folder).items()
    }
    assert store.verify(MODEL).is_sound
    for name in ("modeling.py", "pytorch_model.bin", "original", "consolidated"):
        assert not hub.asked_for(name)
    assert [entry.name for entry in (folder.parent / ".partial").iterdir()] == []


def test_an_installed_model_is_returned_without_asking(hub: Hub) -> None:
    first = store.download(MODEL)
    asked = len(hub.requests)
    assert store.download(MODEL) == first
    assert len(hub.requests) == asked


def test_all_files_are_of_the_commit_that_was_resolved(hub: Hub) -> None:
    """A repository that changes in between gives the old files or none."""
    revision = hub.repositories[REPOSITORY].revision
    store.download(MODEL)
    assert all(f"/resolve/{revision}/" in one.path for one in hub.asked_for("/resolve/"))


def test_the_engine_runs_what_was_downloaded(hub: Hub, folder: Path) -> None:
    hub.repositories[REPOSITORY] = guide()
    with pytest.raises(ModelNotInstalledError) as raised:
        Engine.load(f"mlx/{MODEL}")
    assert str(raised.value) == (
        "[models] 'llama-3.2-1b' is not downloaded yet; `convergio-mlx models download "
        "llama-3.2-1b` does that (800 MB)."
    )
    assert raised.value.hint == "convergio-mlx models download llama-3.2-1b"
    store.download(MODEL)
    with Engine.load(f"mlx/{MODEL}") as engine:
        assert engine.folder == folder
        assert engine.generate([{"role": "user", "content": "hello"}]).text()
    found = store.find(MODEL)
    assert found is not None
    assert found.last_used is not None


def test_progress(hub: Hub) -> None:
    told: list[store.Progress] = []
    store.download(MODEL, on_progress=told.append)
    total = sum(map(len, wanted(hub.repositories[REPOSITORY]).values()))
    assert {one.model for one in told} == {MODEL}
    assert [one.stage for one in told][:2] == ["listing", "downloading"]
    done = [one.done_bytes for one in told if one.stage == "downloading"]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, total)
    assert {one.total_bytes for one in told[1:]} == {total}
    assert {one.file for one in told[2:]} == set(wanted(hub.repositories[REPOSITORY]))


def test_a_damaged_model_names_the_command_that_mends_it(hub: Hub, folder: Path) -> None:
    hub.repositories[REPOSITORY] = guide()
    store.download(MODEL)
    os.truncate(folder / "model.safetensors", 1_000_000)
    with pytest.raises(ModelCorruptError) as raised:
        Engine.load(MODEL)
    assert raised.value.hint == f"convergio-mlx models repair {MODEL}"
    store.repair(MODEL)
    Engine.load(MODEL).close()


@pytest.mark.slow
def test_a_disk_that_fills_up_on_the_way(hub: Hub) -> None:
    """Here a limit on the size of files; what came stays, and with room it goes on."""
    hub.repositories[REPOSITORY] = sharded(400_000)
    code = f"""
import resource
from convergio_mlx import errors, store
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    store.download({MODEL!r})
except errors.StorageError as error:
    print(error)
"""
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert re.fullmatch(
        r"\[store\] cannot write '.*/model-00001-of-00002\.safetensors\.part' \(File too large\); "
        r"check its disk and permissions and try again\.\n",
        found.stdout,
    ), found.stderr
    assert store.partial_bytes(MODEL) > 300_000
    store.download(MODEL)
    assert store.verify(MODEL).is_sound


class StopError(Exception):
    """A host's own."""


def test_a_host_can_stop_it_and_go_on_later(hub: Hub, folder: Path) -> None:
    hub.repositories[REPOSITORY] = sharded(400_000)
    hub.pace = 5e5

    def stop(progress: store.Progress) -> None:
        if progress.done_bytes > 50_000:
            raise StopError

    with pytest.raises(StopError):
        store.download(MODEL, on_progress=stop)
    assert not folder.exists()
    kept = store.partial_bytes(MODEL)
    assert kept > 50_000
    hub.pace = None
    hub.requests.clear()
    store.download(MODEL)
    assert store.verify(MODEL).is_sound
    (ranged,) = [one.range for one in hub.asked_for("/cdn/") if one.range]
    assert 50_000 < int(ranged.removeprefix("bytes=").rstrip("-")) <= kept
    assert store.partial_bytes(MODEL) == 0


def test_the_token_goes_to_the_hub_and_not_behind_it(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    store.download(MODEL)
    assert {one.token for one in hub.asked_for("/resolve/")} == {f"Bearer {TOKEN}"}
    assert {(one.host, one.token) for one in hub.asked_for("/cdn/")} == {("localhost", None)}


def test_a_download_asks_for_listing_and_files_alone(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """huggingface_hub's own headers would ask a hub which programs drive this one."""
    monkeypatch.setattr("huggingface_hub.utils._detect_agent._registry", None, raising=False)
    store.download(MODEL)
    kinds = ("/api/models/", "/resolve/", "/cdn/")
    assert [one.path for one in hub.requests if not any(kind in one.path for kind in kinds)] == []


def test_pins_of_the_registry(hub: Hub, home: Path) -> None:
    """With pins, exactly the pinned files at the pinned commit."""
    repository = hub.repositories[REPOSITORY]
    pins = {name: hashlib.sha256(data).hexdigest() for name, data in wanted(repository).items()}
    del pins["chat_template.jinja"]
    override(home, revision=repository.revision, sha256=pins)
    found = store.download(MODEL)
    assert set(contents(found.folder)) == set(pins)
    assert f"/revision/{repository.revision}" in hub.asked_for("/api/models/")[0].path


@pytest.mark.parametrize("name", ["model-00001-of-00002.safetensors", "tokenizer.json"])
def test_other_bytes_than_pinned(hub: Hub, home: Path, folder: Path, name: str) -> None:
    """Whether the hub knows the file by its SHA-256 or by git's id."""
    repository = hub.repositories[REPOSITORY]
    pins = {name: hashlib.sha256(data).hexdigest() for name, data in wanted(repository).items()}
    override(home, revision=repository.revision, sha256={**pins, name: "0" * 64})
    with pytest.raises(ModelCorruptError):
        store.download(MODEL)
    assert not folder.exists()


def test_a_pinned_file_that_is_gone(hub: Hub, home: Path) -> None:
    revision = hub.repositories[REPOSITORY].revision
    override(home, revision=revision, sha256={"vocab.json": "0" * 64})
    with pytest.raises(ModelCorruptError) as raised:
        store.download(MODEL)
    assert str(raised.value) == (
        f"[store] {REPOSITORY!r} at {revision} lacks 'vocab.json', which the registry pins; the "
        "repository was changed, so nothing is downloaded."
    )


def test_a_disk_without_room_is_told_before_the_first_byte(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(StorageError) as raised:
        store.download(MODEL)
    assert str(raised.value).startswith(f"[store] {REPOSITORY!r} needs 0.00 GB more on the disk of")
    assert str(raised.value).endswith("or set CONVERGIO_HOME to a folder on another disk.")
    (asked,) = hub.asked_for("/resolve/")  # which weights there are
    assert asked.path.endswith("/model.safetensors.index.json")


def test_what_the_store_did_not_make_is_left_alone(hub: Hub, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("mine")
    with pytest.raises(StorageError) as raised:
        store.download(MODEL)
    assert str(raised.value) == (
        f"[store] {str(folder)!r} is there already and was not made by the store; move it away, "
        "and `convergio-mlx models import` takes it in."
    )
    assert (folder / "config.json").read_text() == "mine"
    assert not hub.requests


def test_an_index_that_names_what_is_not_there(hub: Hub, folder: Path) -> None:
    index = {"weight_map": {"t1": "model-00001-of-00002.safetensors", "t3": "x.safetensors"}}
    hub.repositories[REPOSITORY].files["model.safetensors.index.json"] = json.dumps(index).encode()
    with pytest.raises(ModelCorruptError) as raised:
        store.download(MODEL)
    assert str(raised.value) == (
        f"[store] the repository {REPOSITORY!r} is not whole: model.safetensors.index.json: names "
        "'x.safetensors', which is not there; take another repository or folder."
    )
    assert not folder.exists()
    assert not hub.asked_for("/cdn/")


@pytest.mark.parametrize("index", [b"", b"[]", b'{"weight_map": {"t": "gone.safetensors"}}'])
def test_an_index_beside_one_whole_file_says_nothing(hub: Hub, folder: Path, index: bytes) -> None:
    """What engines load then is the file."""
    files = guide().files
    files["model.safetensors.index.json"] = index
    files["consolidated.safetensors"] = files["adapters.safetensors"] = b"x"
    hub.repositories[REPOSITORY] = Repository(files)
    store.download(MODEL)
    assert {*contents(folder)} == {*guide().files, "model.safetensors.index.json"}
    with Engine.load(MODEL) as engine:
        assert engine.generate([{"role": "user", "content": "hello"}]).text()
    imported = store.import_model(folder, model="again")
    assert contents(imported.folder) == contents(folder)


def test_shards_of_any_name(hub: Hub, folder: Path) -> None:
    """The index says which files are weights, and the engine reads the same."""
    files = sharded().files
    index = json.loads(files["model.safetensors.index.json"])
    renamed = {name: name.replace("model", "part") for name in index["weight_map"].values()}
    for old, new in renamed.items():
        files[new] = files.pop(old)
    index["weight_map"] = {name: renamed[file] for name, file in index["weight_map"].items()}
    files["model.safetensors.index.json"] = json.dumps(index).encode()
    hub.repositories[REPOSITORY] = Repository(files)
    store.download(MODEL)
    assert {name for name in contents(folder) if name.endswith(".safetensors")} == {
        *renamed.values()
    }
    assert store.verify(MODEL).is_sound
    imported = store.import_model(folder, model="again")
    assert contents(imported.folder) == contents(folder)


def override(home: Path, **fields: object) -> None:
    """The user's own registry says something else of the model."""
    home.mkdir(exist_ok=True)
    models = [{"id": MODEL, **fields}]
    (home / "models.json").write_text(json.dumps({"schema": 1, "models": models}))
