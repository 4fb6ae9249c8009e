"""LangChain's standard tests of a chat model, with the embedded model."""

from typing import Any

import pytest
from langchain_convergio_mlx import ChatConvergioMlx
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

too_small = pytest.mark.xfail(reason="the embedded model knows one subject, and this is another")


class TestUnit(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[ChatConvergioMlx]:
        return ChatConvergioMlx

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "convergio-guide"}


class TestIntegration(ChatModelIntegrationTests):
    @property
    def chat_model_class(self) -> type[ChatConvergioMlx]:
        return ChatConvergioMlx

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "convergio-guide", "temperature": 0, "max_tokens": 100}

    @too_small
    def test_tool_calling(self, model: Any) -> None:
        super().test_tool_calling(model)

    @too_small
    async def test_tool_calling_async(self, model: Any) -> None:
        await super().test_tool_calling_async(model)

    @too_small
    def test_unicode_tool_call_integration(self, model: Any) -> None:
        super().test_unicode_tool_call_integration(model)
