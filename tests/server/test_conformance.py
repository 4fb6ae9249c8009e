"""The provider of OpenAI's services keeps what `Provider` promises, with this server behind it."""

import pytest

from convergio_mlx import SamplingParams
from convergio_mlx.providers.openai_provider import OpenAIProvider
from convergio_mlx.server import ModelServer
from convergio_mlx.store.locate import guide_folder
from convergio_mlx.testing import CHECKS, Check, Subject
from convergio_mlx.text.tokenizer import Tokenizer


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_openai_provider(check: Check, server: ModelServer) -> None:
    ends = Tokenizer.from_folder(guide_folder()).chat_stop_ids
    long = SamplingParams(temperature=0, max_tokens=512, logit_bias=dict.fromkeys(ends, -100.0))
    create = lambda: OpenAIProvider(base_url=f"{server.url}/v1", api_key="any")  # noqa: E731
    check(Subject(create=create, model="convergio-guide", long=long, counts_exactly=False))
