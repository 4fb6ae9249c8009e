"""Models to run the engine on: a fast one, and one whose prefill takes a while."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_models import make_model

from convergio_mlx import Engine


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def own_folder(tmp_path: Path) -> Path:
    """A tiny model that the test may damage."""
    return make_model(tmp_path / "own")


@pytest.fixture(scope="session")
def engine(folder: Path) -> Iterator[Engine]:
    with Engine.load(folder) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def slow_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    size = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 12}
    path = tmp_path_factory.mktemp("models") / "slow"
    return make_model(path, "F16", **size, max_position_embeddings=1 << 15)


@pytest.fixture(scope="session")
def slow(slow_folder: Path) -> Iterator[Engine]:
    """A chunk of its prefill takes a good part of a second, a layer of that a twelfth; nothing is
    kept, so each prompt takes its time."""
    with Engine.load(slow_folder, prefix_cache_bytes=0) as loaded:
        yield loaded
