"""Any repository of the hub by name, from a hub on loopback."""

import json
from pathlib import Path

import pytest

import convergio_mlx as cm
from convergio_mlx import store
from convergio_mlx.errors import (
    InvalidRequestError,
    ModelCorruptError,
    ModelNotFoundError,
    ModelNotInstalledError,
    OfflineError,
    UnsupportedModelError,
)
from convergio_mlx.platform.home import models_folder
from convergio_mlx.store.locate import locate
from hub import Hub, Repository
from store.models import CONFIG, MODEL, REPOSITORY, contents, guide, sharded, wanted

OWNER, NAME = "Someone", "Some-Model-4bit"
HF = f"hf:{OWNER}/{NAME}"
ID = "someone--some-model-4bit"


@pytest.fixture
def hub(hub: Hub) -> Hub:
    hub.repositories[f"{OWNER}/{NAME}"] = guide()
    return hub


def config_with(**changes: object) -> bytes:
    return json.dumps({**json.loads(CONFIG), **changes}).encode()


def test_it_is_installed_under_a_readable_id_and_every_function_takes_its_name(hub: Hub) -> None:
    repository = hub.repositories[f"{OWNER}/{NAME}"]
    found = store.download(HF)
    assert (found.model, found.folder) == (ID, models_folder() / ID)
    assert contents(found.folder) == repository.files
    assert found.receipt is not None
    assert (found.receipt.repository, found.receipt.revision) == (
        f"{OWNER}/{NAME}",
        repository.revision,
    )
    asked = len(hub.requests)
    for name in (HF, HF.lower(), f"mlx/{ID}"):
        assert store.find(name) == store.download(name) == found
        assert store.verify(name).is_sound
        assert store.repair(name) == ()
        assert locate(name) == found.folder
        assert store.trust(name).revision == repository.revision
    assert len(hub.requests) == asked

    with cm.Engine.load(HF) as engine:
        assert engine.generate("hello", max_tokens=1).text() is not None
    with cm.MlxProvider() as provider:
        assert provider.count_tokens(HF, None, "hello") > 0

    (found.folder / "receipt.json").write_bytes(b"{}")
    (found.folder / "config.json").unlink()
    assert {one.name for one in store.repair(ID)} == {"receipt.json", "config.json"}
    store.delete(HF)
    assert store.find(ID) is None
    assert store.download(ID).folder == found.folder  # the first download recorded its repository


def test_what_is_not_here_is_said_with_the_command_that_gets_it(hub: Hub) -> None:
    with pytest.raises(ModelNotInstalledError) as raised:
        cm.Engine.load(HF)
    assert raised.value.hint == f"convergio-mlx models download {HF}"
    assert str(raised.value) == (
        f"[models] {HF!r} is not downloaded yet; `convergio-mlx models download {HF}` does that."
    )
    assert hub.requests == []
    with pytest.raises(ModelNotFoundError, match="names no repository of the hub"):
        cm.Engine.load("hf:../../etc")


def test_a_branch_a_tag_and_a_commit(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = hub.repositories[f"{OWNER}/{NAME}"].revision
    assert store.download(f"{HF}@main").model == f"{ID}--main"
    assert hub.asked_for(f"/api/models/{OWNER}/{NAME}/revision/main")
    assert store.download(f"{HF}@{commit}").model == f"{ID}--{commit[:12]}"
    with pytest.raises(ModelNotFoundError, match="does not have the revision"):
        store.download(f"{HF}@v9")
    with pytest.raises(ModelNotFoundError, match="does not have the revision"):
        store.download(f"{HF}@{'0' * 40}")
    for name in (f"{HF}@main", f"{HF}@{commit}"):
        found = store.find(name)
        assert found is not None
        assert found.receipt is not None
        assert found.receipt.revision == commit


def test_a_repository_of_the_registry_is_the_registrys_model(hub: Hub) -> None:
    assert store.download(f"hf:{REPOSITORY}").model == MODEL
    assert contents(models_folder() / MODEL) == wanted(sharded())


@pytest.mark.parametrize(
    ("config", "error", "why"),
    [
        (config_with(model_type="mamba"), UnsupportedModelError, "'model_type' is the string"),
        (
            config_with(quantization_config={"quant_method": "gptq", "bits": 4}),
            UnsupportedModelError,
            'has quant_method the string "gptq", which is not MLX\'s format',
        ),
        (config_with(hidden_size=-1), ModelCorruptError, "hidden_size"),
        (b"no JSON", ModelCorruptError, "config.json"),
    ],
)
def test_what_the_engine_cannot_run_is_refused_before_its_files_come(
    hub: Hub, config: bytes, error: type[Exception], why: str
) -> None:
    repository = sharded()
    repository.files["config.json"] = config
    hub.repositories[f"{OWNER}/{NAME}"] = repository
    for act in (store.download, store.preview):
        with pytest.raises(error) as raised:
            act(HF)  # type: ignore[operator]
        assert why in str(raised.value)
    came = {one.path.rpartition("/")[2] for one in hub.asked_for("/resolve/")}
    assert came == {"config.json", "model.safetensors.index.json"}
    assert not hub.asked_for("/cdn/")


def test_the_host_may_refuse_by_config_and_size_before_the_weights_come(hub: Hub) -> None:
    seen = []

    def refuse(config: bytes, weights: int) -> None:
        seen.append((config, weights))
        raise OSError("too much for me")

    with pytest.raises(OSError, match="too much for me"):
        store.download(HF, on_config=refuse)
    files = hub.repositories[f"{OWNER}/{NAME}"].files
    assert seen == [(files["config.json"], len(files["model.safetensors"]))]
    assert not hub.asked_for("/cdn/")


def test_a_preview_downloads_nothing_but_the_config(hub: Hub, home: Path) -> None:
    repository = hub.repositories[f"{OWNER}/{NAME}"]
    seen = store.preview(HF)
    assert (seen.model, seen.repository, seen.revision) == (
        ID,
        f"{OWNER}/{NAME}",
        repository.revision,
    )
    assert seen.config == repository.files["config.json"]
    assert seen.weight_bytes == len(repository.files["model.safetensors"])
    assert seen.download_bytes == sum(map(len, repository.files.values()))
    assert store.partial_bytes(HF) == 0
    assert store.find(HF) is None


def test_a_repository_without_safetensors_or_config_says_so(hub: Hub) -> None:
    hub.repositories[f"{OWNER}/{NAME}"] = Repository(
        {"config.json": CONFIG, "tokenizer.json": b"{}", "pytorch_model.bin": b"x"}
    )
    with pytest.raises(ModelCorruptError, match=r"has no model\.safetensors"):
        store.download(HF)
    hub.repositories[f"{OWNER}/{NAME}"] = Repository({"README.md": b"x"})
    with pytest.raises(ModelCorruptError, match=r"has no config\.json"):
        store.preview(HF)


def test_offline_it_is_refused_in_words(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERGIO_OFFLINE", "1")
    for act in (store.download, store.preview):
        with pytest.raises(OfflineError, match=f"{HF}' needs the network, which CONVERGIO_OFFLINE"):
            act(HF)  # type: ignore[operator]
    assert hub.requests == []


def test_an_import_takes_the_name_of_a_cached_repository(hub: Hub) -> None:
    with pytest.raises(ModelNotFoundError, match="the Hugging Face cache has no 'Someone/"):
        store.import_model(HF)
    with pytest.raises(InvalidRequestError, match="is no entry"):
        store.pin(HF)  # type: ignore[arg-type]
