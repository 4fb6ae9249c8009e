"""A server of the embedded model on loopback."""

from collections.abc import Iterator

import httpx
import pytest

from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.server import ModelServer, ServerSettings, serving


@pytest.fixture(scope="session")
def provider() -> Iterator[MlxProvider]:
    with MlxProvider() as made:
        yield made


@pytest.fixture(scope="session")
def server(provider: MlxProvider) -> Iterator[ModelServer]:
    settings = ServerSettings(port=0, body_seconds=2.0, max_body_bytes=1 << 20)
    with serving(provider, settings) as running:
        yield running


@pytest.fixture
def http(server: ModelServer) -> Iterator[httpx.Client]:
    # To read the certificates that no http:// needs takes longer than most of the tests.
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as client:
        yield client
