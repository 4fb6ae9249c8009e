"""Both providers of this package keep what `Provider` promises: models in this process, and models
behind a service (a real one on loopback, that the former answers)."""

from typing import Any

import pytest
from openai_server import Server

from convergio_mlx import SamplingParams
from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.providers.openai_provider import OpenAIProvider
from convergio_mlx.store.locate import guide_folder
from convergio_mlx.testing import CHECKS, Check, Subject
from convergio_mlx.text.tokenizer import Tokenizer


def guide(**settings: Any) -> Subject:
    """The embedded model, and how it is kept from ending its answers."""
    ends = Tokenizer.from_folder(guide_folder()).chat_stop_ids
    endless = SamplingParams(temperature=0, max_tokens=512, logit_bias=dict.fromkeys(ends, -100.0))
    return Subject(model="convergio-guide", long=endless, **settings)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_mlx(check: Check) -> None:
    check(guide(create=MlxProvider))


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_openai(check: Check, server: Server) -> None:
    check(guide(create=lambda: OpenAIProvider(base_url=server.url), counts_exactly=False))
