"""Models of other programs: listed, imported, theirs untouched; what is broken is told."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import checkpoints
from arch.variants import tiny
from convergio_mlx import store
from convergio_mlx.engine.engine import Engine
from convergio_mlx.errors import (
    InvalidRequestError,
    ModelCorruptError,
    ModelNotFoundError,
    UnsupportedModelError,
)
from convergio_mlx.store.elsewhere import ollama as ollama_module
from convert import gguf_files
from store.models import GUIDE, contents, guide
from store.other_programs import (
    MANIFEST,
    MANIFEST_LIST,
    REVISION,
    Ollama,
    hub_snapshot,
    sha256,
    tree_hash,
)

GGUF = b"GGUF" + b"\x03\0\0\0" + bytes(64)
LIBRARY = "registry.ollama.ai/library"


@pytest.fixture
def user(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home folder."""
    user = tmp_path / "user"
    user.mkdir()
    monkeypatch.setenv("HOME", str(user))
    for name in ("OLLAMA_MODELS", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(ollama_module, "_SERVICE", tmp_path / "service")
    return user


@pytest.fixture
def ollama(user: Path) -> Ollama:
    return Ollama(user / ".ollama" / "models")


def names(found: store.Elsewhere) -> list[str]:
    return [one.name for one in found.models]


def test_nothing_is_there(user: Path) -> None:
    for program in ("ollama", "lmstudio", "huggingface"):
        found = store.models_elsewhere(program)  # type: ignore[arg-type]
        assert (found.folders, found.models, found.problems) == ([], [], [])


def test_what_ollama_has(ollama: Ollama) -> None:
    model, template = ollama.layer("model", GGUF), ollama.layer("template", b"{{ .Prompt }}")
    ollama.pull(f"{LIBRARY}/llama3.2/1b", model, template)
    ollama.pull("registry.ollama.ai/someone/tuned/latest", model)
    ollama.pull("hf.co/bartowski/Some-GGUF/Q4_K_M", model)
    ollama.pull(f"{LIBRARY}/adapted/latest", model, ollama.layer("adapter", b"lora"))
    ollama.pull(f"{LIBRARY}/cloudy/120b-cloud")
    tensor = {**ollama.layer("tensor", b"t"), "name": "model.norm.weight"}
    ollama.pull(f"{LIBRARY}/tensors/latest", tensor, tensor)
    before = tree_hash(ollama.top)
    found = store.models_elsewhere("ollama")
    assert found.folders == [ollama.top]
    assert found.problems == []
    assert names(found) == [
        *("adapted:latest", "cloudy:120b-cloud", "hf.co/bartowski/Some-GGUF:Q4_K_M"),
        *("llama3.2:1b", "someone/tuned:latest", "tensors:latest"),
    ]
    by_name = {one.name: one for one in found.models}
    one = by_name["llama3.2:1b"]
    assert (one.kind, one.size_bytes) == ("gguf", len(GGUF))
    assert one.path.name == f"sha256-{one.sha256}"
    assert by_name["adapted:latest"].refusals == ("it has an adapter beside its weights",)
    assert by_name["cloudy:120b-cloud"].refusals == ("it has no weights on this machine",)
    assert by_name["tensors:latest"].refusals == (
        "its weights are tensors of Ollama's own engine and not a GGUF file",
    )
    assert tree_hash(ollama.top) == before


def test_ollamas_newer_manifests_come_first(ollama: Ollama) -> None:
    old, new = ollama.layer("model", GGUF), ollama.layer("model", GGUF + b"newer")
    ollama.pull(f"{LIBRARY}/both/latest", old)
    ollama.pull_v2(f"{LIBRARY}/both/latest", ollama.manifest(new))
    child = json.dumps(ollama.manifest(new)).encode()
    tensors = {"mediaType": MANIFEST, "format": "safetensors", "digest": ollama.blob(b"{}")}
    reference = {"mediaType": MANIFEST, "format": "gguf", "digest": ollama.blob(child)}
    listed = {"schemaVersion": 2, "mediaType": MANIFEST_LIST, "manifests": [tensors, reference]}
    ollama.pull_v2(f"{LIBRARY}/listed/latest", listed)
    found = store.models_elsewhere("ollama")
    assert names(found) == ["both:latest", "listed:latest"]
    assert {one.size_bytes for one in found.models} == {len(GGUF) + 5}


def test_ollamas_several_places(
    ollama: Ollama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ollama.pull(f"{LIBRARY}/mine/latest", ollama.layer("model", GGUF))
    service = Ollama(tmp_path / "service")
    service.pull(f"{LIBRARY}/served/latest", service.layer("model", GGUF))
    service.pull(f"{LIBRARY}/mine/latest", service.layer("model", GGUF))
    linked = tmp_path / "link"
    linked.symlink_to(ollama.top)
    monkeypatch.setenv("OLLAMA_MODELS", str(linked))
    found = store.models_elsewhere("ollama")
    assert found.folders == [linked, service.top]
    assert names(found) == ["mine:latest", "served:latest"]
    assert len(found.problems) == 1
    assert "has the name 'mine:latest' of" in found.problems[0]


BROKEN: dict[str, Any] = {
    "nojson": "{",
    "list": [],
    "number": 7,
    "nolayers": {"schemaVersion": 2},
    "layers": {"layers": 5},
    "strings": {"layers": ["x"]},
    "digest": {"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "../x"}]},
    "nodigest": {"layers": [{"mediaType": "application/vnd.ollama.image.model"}]},
    "children": {"mediaType": MANIFEST_LIST, "manifests": [3]},
    "nochild": {"mediaType": MANIFEST_LIST, "manifests": []},
    "lostchild": {
        "mediaType": MANIFEST_LIST,
        "manifests": [{"digest": "sha256:" + "0" * 64, "format": "gguf"}],
    },
    "deep": "[" * 100_000,
}


def test_what_is_broken_of_ollamas_is_told_and_the_rest_is_listed(ollama: Ollama) -> None:
    ollama.pull(f"{LIBRARY}/good/latest", ollama.layer("model", GGUF))
    for name, value in BROKEN.items():
        text = value if isinstance(value, str) else json.dumps(value)
        ollama.path(f"{LIBRARY}/{name}/latest").write_text(text)
    missing = {**ollama.layer("model", GGUF), "digest": "sha256:" + "1" * 64}
    ollama.pull(f"{LIBRARY}/missing/latest", missing)
    ollama.pull(f"{LIBRARY}/short/latest", {**ollama.layer("model", GGUF + b"x"), "size": 10**6})
    ollama.path(f"{LIBRARY}/dangling/latest").symlink_to("nowhere")
    ollama.path(f"{LIBRARY}/loop/latest").symlink_to("latest")
    (ollama.top / "manifests" / "registry.ollama.ai" / "around").symlink_to("..")
    os.mkfifo(ollama.path(f"{LIBRARY}/pipe/latest"))
    (ollama.top / "manifests" / "stray").write_text("x")
    before = tree_hash(ollama.top)
    found = store.models_elsewhere("ollama")
    assert names(found) == ["good:latest", "missing:latest", "short:latest"]
    by_name = {one.name: one for one in found.models}
    assert by_name["missing:latest"].refusals == (f"its file sha256-{'1' * 64} is missing",)
    assert by_name["short:latest"].refusals[0].endswith("has 73 bytes and should have 1000000")
    told = " ".join(found.problems)
    for name in (*BROKEN, "dangling", "loop", "pipe"):
        assert f"{name}:latest (" in told, name
    assert "leads back to itself" in told
    assert len(found.problems) == len(BROKEN) + 4
    assert tree_hash(ollama.top) == before


def model_folder(folder: Path) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(GUIDE, folder)
    return folder


def test_what_lm_studio_has(user: Path, tmp_path: Path) -> None:
    top = user / ".lmstudio" / "models"
    model_folder(top / "mlx-community" / "Guide-4bit")
    one = top / "lmstudio-community" / "One-GGUF"
    one.mkdir(parents=True)
    (one / "One-Q4_K_M.gguf").write_bytes(GGUF)
    (one / "mmproj-One-f16.gguf").write_bytes(GGUF)
    two = top / "lmstudio-community" / "Two-GGUF"
    two.mkdir()
    for name in ("a.gguf", "b-00001-of-00002.gguf", "b-00002-of-00002.gguf", "README.md"):
        (two / name).write_bytes(GGUF)
    (two / "lost.gguf").symlink_to("nowhere")
    (two / "c.gguf.part").write_bytes(GGUF)
    (top / "publisher" / "around").mkdir(parents=True)
    (top / "publisher" / "around" / "again").symlink_to(top)
    (top / "stray.gguf").write_bytes(GGUF)
    cache = user / ".cache" / "lm-studio" / "models"
    model_folder(cache / "old" / "Older")
    chosen = tmp_path / "chosen"
    model_folder(chosen / "big" / "Disk")
    (user / ".lmstudio" / "settings.json").write_text(json.dumps({"downloadsFolder": str(chosen)}))
    before = tree_hash(user), tree_hash(chosen)
    found = store.models_elsewhere("lmstudio")
    assert found.folders == [chosen, top, cache]
    assert names(found) == [
        *("big/Disk", "lmstudio-community/One-GGUF", "lmstudio-community/Two-GGUF/a.gguf"),
        *("lmstudio-community/Two-GGUF/b-00001-of-00002.gguf", "mlx-community/Guide-4bit"),
        "old/Older",
    ]
    by_name = {one.name: one for one in found.models}
    assert by_name["mlx-community/Guide-4bit"].refusals == ()
    split = by_name["lmstudio-community/Two-GGUF/b-00001-of-00002.gguf"]
    assert split.size_bytes == 2 * len(GGUF)
    assert found.problems == [
        f"{str(two / 'lost.gguf')!r} is no file, or a link that leads nowhere"
    ]
    installed = store.import_from("lmstudio", "mlx-community/Guide-4bit")
    assert installed.model == "guide-4bit"
    assert contents(installed.folder) == guide().files
    with Engine.load("guide-4bit") as engine:
        assert engine.generate("Hello", max_tokens=2).text() is not None
    store.delete("guide-4bit")
    assert (tree_hash(user), tree_hash(chosen)) == before


def test_lm_studios_settings_that_are_broken(user: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    model_folder(moved / "models" / "a" / "B")
    (user / ".lmstudio-home-pointer").write_text(f"{moved}\n")
    for text in ("{", "[]", '{"downloadsFolder": 3}', '{"downloadsFolder": "\\u0000"}'):
        (moved / "settings.json").write_text(text)
        found = store.models_elsewhere("lmstudio")
        assert names(found) == ["a/B"]
        assert len(found.problems) == (text == "{")


def test_what_the_hugging_face_cache_has(user: Path, tmp_path: Path) -> None:
    top = user / ".cache" / "huggingface" / "hub"
    files = guide().files
    hub_snapshot(top, "mlx-community/Guide-4bit", files)
    hub_snapshot(top, "someone/Model-GGUF", {"m-Q4_0.gguf": GGUF, "README.md": b"x"})
    hub_snapshot(top, "someone/Pickled", {"pytorch_model.bin": b"x", "config.json": b"{}"})
    broken = hub_snapshot(top, "someone/Broken", files)
    (broken / "model.safetensors").resolve().unlink()
    hub_snapshot(top, "someone/Unknown", {**files, "config.json": b'{"model_type": "nobody"}'})
    (top / "models--someone--Empty" / "snapshots").mkdir(parents=True)
    (top / "models--nobody").mkdir()
    (top / "datasets--someone--data").mkdir()
    before = tree_hash(top)
    found = store.models_elsewhere("huggingface")
    assert found.folders == [top]
    assert names(found) == [
        *("mlx-community/Guide-4bit", "someone/Broken", "someone/Model-GGUF"),
        *("someone/Pickled", "someone/Unknown"),
    ]
    by_name = {one.name: one for one in found.models}
    assert by_name["mlx-community/Guide-4bit"].refusals == ()
    assert by_name["someone/Pickled"].refusals == (
        "it has neither safetensors files nor a GGUF file",
    )
    assert "model.safetensors can't be opened" in by_name["someone/Broken"].refusals[0]
    assert "nobody" in by_name["someone/Unknown"].refusals[0]
    assert by_name["someone/Model-GGUF"].sha256 == sha256(GGUF)
    assert by_name["someone/Model-GGUF"].refusals != ()
    assert by_name["someone/Model-GGUF"].refusals != ()
    assert len(found.problems) == 2
    installed = store.import_from("huggingface", "mlx-community/Guide-4bit", model="g")
    assert installed.receipt is not None
    assert (installed.receipt.repository, installed.receipt.revision) == (
        "mlx-community/Guide-4bit",
        REVISION,
    )
    assert tree_hash(top) == before
    blob = (top / "models--mlx-community--Guide-4bit" / "snapshots" / REVISION).joinpath(
        "tokenizer_config.json"
    )
    store.delete("g")
    blob.resolve().write_bytes(b"{}")
    with pytest.raises(ModelCorruptError, match="the Hugging Face cache says"):
        store.import_from("huggingface", "mlx-community/Guide-4bit", model="g")


def test_a_gguf_file_of_ollamas_is_converted(ollama: Ollama, tmp_path: Path) -> None:
    config = tiny("llama")
    path = gguf_files.write_model(tmp_path / "m.gguf", config, checkpoints.weights(config))
    layer = ollama.layer("model", path.read_bytes())
    ollama.pull(f"{LIBRARY}/tiny/latest", layer)
    [one] = store.models_elsewhere("ollama").models
    assert one.refusals == ()
    assert one.config is not None
    assert one.config["model_type"] == "llama"
    before = tree_hash(ollama.top)
    found = store.import_from("ollama", "tiny")
    assert found.model == "tiny"
    assert found.receipt is not None
    assert found.receipt.made_from == f"tiny:latest of Ollama (sha256 {one.sha256})"
    assert store.verify("tiny").is_sound
    assert tree_hash(ollama.top) == before
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    one.path.write_bytes(data)
    with pytest.raises(ModelCorruptError, match=f"and should have {one.sha256}; get"):
        store.import_from("ollama", "tiny", model="again")
    assert [each.model for each in store.installed()] == ["tiny"]


def test_gguf_files_of_the_cache_are_held_to_their_blobs(user: Path, tmp_path: Path) -> None:
    """One file to its hash; several have one each, and the receipt that of all."""
    config = tiny("llama")
    path = gguf_files.write_model(tmp_path / "m.gguf", config, checkpoints.weights(config))
    top = user / ".cache" / "huggingface" / "hub"
    hub_snapshot(top, "someone/One-GGUF", {"m-Q4_0.gguf": path.read_bytes()})
    parts = {"m-00001-of-00001.gguf": path.read_bytes()}
    hub_snapshot(top, "someone/Split-GGUF", parts)
    one, split = store.models_elsewhere("huggingface").models
    assert (one.sha256, split.sha256) == (sha256(path.read_bytes()), None)
    assert store.import_from("huggingface", "someone/One-GGUF").model == "one-gguf"
    assert store.import_from("huggingface", "someone/Split-GGUF").model == "split-gguf"


def test_a_folder_that_fails_does_not_stop_the_rest(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = user / ".lmstudio" / "models"
    model_folder(top / "a" / "B")
    (top / "c" / "D").mkdir(parents=True)
    scandir = os.scandir

    def failing(path: Any) -> Any:
        if str(path).endswith("D"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    found = store.models_elsewhere("lmstudio")
    assert names(found) == ["a/B"]
    assert found.problems == [f"{str(top / 'c' / 'D')!r} cannot be listed (Permission denied)"]


def test_what_is_refused(ollama: Ollama) -> None:
    ollama.pull(f"{LIBRARY}/cloudy/latest")
    with pytest.raises(UnsupportedModelError) as unsupported:
        store.import_from("ollama", "cloudy")
    assert str(unsupported.value) == (
        "[store] 'cloudy:latest' of Ollama cannot be imported: it has no weights on this machine; "
        "take another model."
    )
    with pytest.raises(ModelNotFoundError) as lost:
        store.import_from("ollama", "nobody")
    assert str(lost.value) == (
        "[store] Ollama has no model 'nobody' on this machine; `convergio-mlx models import --from "
        "ollama` lists what it has."
    )
    with pytest.raises(InvalidRequestError) as program:
        store.models_elsewhere("llamafile")  # type: ignore[arg-type]
    assert str(program.value) == (
        "[store] 'llamafile' is no program whose models can be imported; give ollama, lmstudio, "
        "huggingface."
    )
