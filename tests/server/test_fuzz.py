"""Bodies made at random out of what the interfaces have: each is answered, or refused in the shape
of its interface; none is a fault of the server."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.server import ServerSettings, make_app

pytestmark = pytest.mark.slow
WORDS = (
    *("user", "assistant", "system", "tool", "developer", "text", "input_text", "function"),
    *("message", "function_call", "function_call_output", "reasoning", "tool_use", "tool_result"),
    *("thinking", "json_schema", "json_object", "object", "string", "auto", "required", "any"),
    *("none", "enabled", "convergio-guide", "get_weather", "", "hi", "\x00", "<|im_end|>", "é🌍"),
)
NAMES = (
    *("model", "messages", "role", "content", "type", "text", "tools", "tool_choice", "function"),
    *("name", "description", "parameters", "properties", "required", "input_schema", "input"),
    *("instructions", "id", "call_id", "arguments", "output", "tool_calls", "tool_call_id"),
    *("response_format", "json_schema", "schema", "format", "temperature", "top_p", "top_k", "n"),
    *("max_tokens", "max_completion_tokens", "max_output_tokens", "stop", "stop_sequences"),
    *("seed", "logit_bias", "logprobs", "top_logprobs", "stream", "stream_options"),
    *("include_usage", "system", "thinking", "budget_tokens", "output_config", "effort", "options"),
    *("num_predict", "think", "prompt", "reasoning", "reasoning_effort", "chat_template_kwargs"),
    *("parallel_tool_calls", "tool_use_id", "is_error", "summary", "include", "metadata"),
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 40)
    | st.sampled_from((10**30, -(10**30)))
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS)
    | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
MESSAGES = [{"role": "user", "content": "hi"}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": MESSAGES, "max_tokens": 2},
    "/v1/completions": {"prompt": "hi", "max_tokens": 2},
    "/v1/responses": {"input": "hi", "max_output_tokens": 2},
    "/v1/messages": {"messages": MESSAGES, "max_tokens": 2},
    "/v1/messages/count_tokens": {"messages": MESSAGES},
    "/api/chat": {"messages": MESSAGES, "options": {"num_predict": 2}},
}


@pytest.mark.parametrize("path", BODIES)
def test_no_body_is_a_fault(provider: MlxProvider, path: str) -> None:
    app = make_app(provider, ServerSettings(request_seconds=20))
    loop = asyncio.new_event_loop()
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", timeout=60
    )

    @settings(
        max_examples=400,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3))
    def check(changes: dict[str, Any]) -> None:
        body = {"model": "convergio-guide", **BODIES[path], **changes}
        answer = loop.run_until_complete(client.post(path, content=json.dumps(body).encode()))
        assert answer.status_code in (200, 400, 404), (body, answer.text)
        if answer.status_code != 200:
            told = answer.json()["error"]
            message = told if isinstance(told, str) else told["message"]
            assert message.startswith("["), (body, answer.text)

    check()
    loop.run_until_complete(client.aclose())
    loop.close()
