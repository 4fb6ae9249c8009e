"""A service on loopback for the provider of such services."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from convergio_mlx.providers.mlx import MlxProvider

sys.path.insert(0, str(Path(__file__).parent))
from openai_server import KEY, Server, serving


@pytest.fixture(scope="session")
def mlx() -> Iterator[MlxProvider]:
    with MlxProvider() as provider:
        yield provider


@pytest.fixture
def server(mlx: MlxProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("CONVERGIO_HOME", str(tmp_path))  # it lists the embedded model alone
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    # Each client reads all certificates of a machine, which takes longer than most of the tests.
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    with serving(mlx) as running:
        yield running
