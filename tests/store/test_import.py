"""Taking in a folder, or a model of the Hugging Face cache."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from convergio_mlx import store
from convergio_mlx.engine.engine import Engine
from convergio_mlx.errors import (
    InvalidRequestError,
    ModelCorruptError,
    ModelNotFoundError,
    StorageError,
)
from convergio_mlx.store import place as place_module
from convergio_mlx.store.folders import Folder
from hub import Hub
from store.models import GUIDE, MODEL, REPOSITORY, contents, guide, sharded, wanted


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A model's folder with what is not wanted beside it."""
    folder = tmp_path / "My-Model"
    shutil.copytree(GUIDE, folder)
    (folder / "README.md").write_text("x")
    (folder / "evil.py").write_text("x")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """huggingface_hub reads its variables once, when it is imported."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))


@pytest.fixture
def cached(hub: Hub) -> Path:
    """The model as huggingface_hub itself downloads it."""
    from huggingface_hub import snapshot_download

    snapshot = Path(snapshot_download(REPOSITORY, endpoint=hub.url))
    hub.requests.clear()
    return snapshot


def test_a_folder(home: Path, source: Path) -> None:
    before = contents(source)
    found = store.import_model(source)
    assert found.model == "my-model"
    assert contents(found.folder) == guide().files
    assert found.receipt is not None
    assert (found.receipt.source, found.receipt.repository) == ("folder", None)
    assert store.verify("my-model").is_sound
    assert contents(source) == before
    with Engine.load("my-model") as engine:
        assert engine.generate([{"role": "user", "content": "Hello!"}]).text()
    store.delete("my-model")
    assert contents(source) == before


@pytest.mark.parametrize("way", ["clone", "link", "copy"])
def test_no_second_copy_where_the_file_system_can(
    home: Path, source: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clones are what this machine's file system may not have; the others are made to happen."""
    if way != "clone":
        monkeypatch.setattr(place_module, "_clone", lambda *_: False)
    if way == "copy":
        monkeypatch.setattr(place_module.os, "link", refuse)
    found = store.import_model(source)
    inode = (source / "model.safetensors").stat().st_ino
    is_linked = (found.folder / "model.safetensors").stat().st_ino == inode
    if way == "link":
        assert is_linked
    if way == "copy":
        assert not is_linked
    assert contents(found.folder) == guide().files


def refuse(*_: object, **__: object) -> None:
    raise OSError


def test_a_download_never_writes_into_what_was_linked(
    hub: Hub, home: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that is cut short leaves nothing that a download would append to."""
    before = contents(source)

    def stop(progress: store.Progress) -> None:
        if progress.done_bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.import_model(source, model=MODEL, on_progress=stop)
    assert store.installed() == []
    monkeypatch.setattr(Folder, "remove", lambda *_: None)  # as a kill would leave it
    with pytest.raises(KeyboardInterrupt):
        store.import_model(source, model=MODEL, on_progress=stop)
    store.download(MODEL)
    assert store.verify(MODEL).is_sound
    assert contents(source) == before


def test_the_cache_of_the_hub(hub: Hub, cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERGIO_OFFLINE", "1")
    found = store.import_model(REPOSITORY)
    assert found.model == MODEL
    assert contents(found.folder) == wanted(hub.repositories[REPOSITORY])
    assert not hub.requests
    assert found.receipt is not None
    assert found.receipt.source == "hub"
    assert (found.receipt.repository, found.receipt.revision) == (REPOSITORY, cached.name)
    assert not any(path.is_symlink() for path in found.folder.iterdir())


def test_what_came_out_of_the_cache_can_be_mended(hub: Hub, cached: Path, folder: Path) -> None:
    store.import_model(MODEL)
    (folder / "tokenizer.json").unlink()
    assert [one.name for one in store.repair(MODEL)] == ["tokenizer.json"]
    assert store.verify(MODEL).is_sound
    assert contents(folder) == wanted(hub.repositories[REPOSITORY])


@pytest.mark.parametrize("name", ["tokenizer.json", "model-00001-of-00002.safetensors"])
def test_a_damaged_cache_is_found_out(cached: Path, name: str) -> None:
    """Blobs there are named by their hash."""
    blob = (cached / name).resolve()
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    with pytest.raises(ModelCorruptError) as raised:
        store.import_model(REPOSITORY)
    assert str(raised.value) == (
        f"[store] {name!r} of {REPOSITORY!r} in the Hugging Face cache is not the file that the "
        f"Hugging Face cache says ({blob.name}); get the file again."
    )
    assert store.installed() == []


def test_a_link_that_leads_out_of_the_cache(cached: Path, tmp_path: Path) -> None:
    outside = tmp_path / "private"
    outside.write_text("{}")
    (cached / "tokenizer_config.json").unlink()
    (cached / "tokenizer_config.json").symlink_to(outside)
    with pytest.raises(ModelCorruptError) as raised:
        store.import_model(REPOSITORY)
    assert str(raised.value) == (
        f"[store] 'tokenizer_config.json' of {REPOSITORY!r} in the Hugging Face cache is a link "
        "that leads out of it; download the model again."
    )


def test_a_cache_that_does_not_have_it(hub: Hub) -> None:
    for source in (REPOSITORY, MODEL, "someone/else"):
        with pytest.raises(ModelNotFoundError) as raised:
            store.import_model(source)
        assert "the Hugging Face cache has no '" in str(raised.value)
    assert not hub.requests


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("cut", "'model.safetensors' has 1000000 bytes where its header says 1857848: it was"),
        ("no header", "'model.safetensors' has no safetensors header: it was cut off or changed"),
        ("no tokenizer", "has no tokenizer.json; take a repository or folder with config.json,"),
        ("no weights", "has no model.safetensors; take a repository or folder with config.json,"),
        ("index", "is not whole: model.safetensors.index.json: "),
    ],
)
def test_folders_that_are_not_whole(home: Path, source: Path, damage: str, sentence: str) -> None:
    weights = source / "model.safetensors"
    if damage == "cut":
        os.truncate(weights, 1_000_000)
    elif damage == "no header":
        weights.write_bytes(b"\xff" * 100)
    elif damage == "no tokenizer":
        (source / "tokenizer.json").unlink()
    elif damage == "no weights":
        weights.unlink()
    else:
        weights.unlink()
        text = '{"weight_map": {"t": "model-2.safetensors"}}'
        (source / "model.safetensors.index.json").write_text(text)
    with pytest.raises(ModelCorruptError) as raised:
        store.import_model(source)
    assert sentence in str(raised.value)
    assert store.installed() == []
    assert store.disk_usage().partial == 0


ODD: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "dangling": lambda path: path.symlink_to("nowhere"),
    "loop": lambda path: path.symlink_to(path.name),
    "folder": os.mkdir,
    "endless": lambda path: (path.touch(), os.truncate(path, 1 << 40)),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize(
    "name", ["tokenizer.json", "model.safetensors", "model.safetensors.index.json"]
)
def test_what_is_no_file_is_not_imported(home: Path, source: Path, name: str, kind: str) -> None:
    (source / name).unlink(missing_ok=True)
    ODD[kind](source / name)
    with pytest.raises((StorageError, ModelCorruptError)) as raised:
        store.import_model(source)
    assert name in str(raised.value)
    assert store.installed() == []
    assert store.disk_usage().partial == 0


def test_a_link_loop_or_a_name_too_long_as_source(home: Path, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for source in (tmp_path / "loop", "x" * 5000, "~nobody-of-this-name/x", "a\0b", "\ud800"):
        with pytest.raises(ModelNotFoundError):
            store.import_model(source)


def test_ids(home: Path, source: Path) -> None:
    store.import_model(source, model="mine")
    with pytest.raises(InvalidRequestError) as raised:
        store.import_model(source, model="mlx/mine")
    assert str(raised.value) == (
        "[store] 'mine' is installed already; give another id with --id, or delete that one first."
    )
    odd = source.rename(source.parent / "Ödd (1)")
    with pytest.raises(InvalidRequestError) as raised:
        store.import_model(odd)
    assert str(raised.value) == (
        "[store] 'ödd (1)' cannot be a model's id; give one of small letters, digits, dots, "
        "dashes and underscores with --id."
    )
    with pytest.raises(ModelNotFoundError):
        store.import_model(odd, model="../x")
    guide_like = odd.rename(odd.parent / "convergio-guide")
    with pytest.raises(InvalidRequestError):
        store.import_model(guide_like)
    with pytest.raises(InvalidRequestError):
        store.import_model(guide_like, model="convergio-guide")


def test_another_repository_does_not_take_an_id_of_the_registry(hub: Hub) -> None:
    from huggingface_hub import snapshot_download

    hub.repositories["someone/else"] = sharded(100)
    snapshot_download("someone/else", endpoint=hub.url)
    with pytest.raises(InvalidRequestError) as raised:
        store.import_model("someone/else", model=MODEL)
    assert str(raised.value) == (
        f"[store] {MODEL!r} is {REPOSITORY!r} in the registry, and this is 'someone/else'; give "
        "another id with --id."
    )
    assert store.import_model("someone/else").model == "else"


@pytest.mark.parametrize("source", ["/nowhere", "no such", "../x", "a/b/c", Path("owner/name")])
def test_sources_that_are_not_there(home: Path, source: str | Path) -> None:
    with pytest.raises(ModelNotFoundError) as raised:
        store.import_model(source)
    assert str(raised.value) == (
        f"[store] there is no folder or file {str(source)!r}; give one, or a model of the Hugging "
        "Face cache as owner/name."
    )
