"""Both providers of this package keep what `Provider` promises: models in this process, and models
behind a service (a real one on loopback, that the former answers)."""

import pytest
from openai_server import Server

from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.providers.openai_provider import OpenAIProvider
from convergio_mlx.testing import CHECKS, Check, Subject


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_mlx(check: Check) -> None:
    check(Subject(create=MlxProvider, model="convergio-guide"))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_openai(check: Check, server: Server) -> None:
    subject = Subject(
        create=lambda: OpenAIProvider(base_url=server.url),
        model="convergio-guide",
        counts_exactly=False,
    )
    check(subject)
