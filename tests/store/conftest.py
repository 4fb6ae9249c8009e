"""A hub on loopback and an empty home, for each test its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import hub as hub_module
from convergio_mlx.platform.home import models_folder
from convergio_mlx.store import retries
from store.models import MODEL, REPOSITORY, sharded

_VARIABLES = ("CONVERGIO_OFFLINE", "HF_HUB_OFFLINE", "HF_TOKEN", "CONVERGIO_REGISTRY_URL")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home; nothing of this machine's environment has a say."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CONVERGIO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.001)
    return tmp_path / "home"


@pytest.fixture
def hub(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_module.Hub]:
    """A hub that has one model of the registry, in two shards."""
    with hub_module.running() as hub:
        hub.repositories[REPOSITORY] = sharded()
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def folder(home: Path) -> Path:
    """Where the model will lie."""
    return models_folder() / MODEL
