"""The provider with LiteLLM itself and the embedded model."""

import re
from pathlib import Path
from typing import Any

import litellm
import litellm_convergio_mlx
import pytest

import convergio_mlx as cm

MODEL = "convergio-mlx/convergio-guide"
ASKED = [{"role": "user", "content": "What are you?"}]
LISBON = [{"role": "user", "content": "How's the weather looking in Lisbon?"}]
GREEDY: dict[str, Any] = {"temperature": 0, "max_tokens": 60}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The current weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


@pytest.fixture(autouse=True)
def registered() -> None:
    litellm_convergio_mlx.register()
    litellm_convergio_mlx.register()
    assert len(litellm.custom_provider_map) == 1


@pytest.fixture(scope="module")
def expected() -> cm.ChatResponse:
    return cm.chat("convergio-guide", ASKED, **GREEDY)


def test_an_answer_is_that_of_the_library(expected: cm.ChatResponse) -> None:
    done = litellm.completion(MODEL, messages=ASKED, **GREEDY)
    assert done.choices[0].message.content == expected.text
    assert done.choices[0].finish_reason == expected.finish_reason
    assert done.usage.completion_tokens == expected.usage.output_tokens
    assert done.usage.prompt_tokens == expected.usage.input_tokens


def test_and_so_it_is_streamed(expected: cm.ChatResponse) -> None:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = [*litellm.completion(MODEL, messages=ASKED, **options, **GREEDY)]
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(texts) == expected.text
    assert len(texts) > 2
    built = litellm.stream_chunk_builder(chunks)
    assert built.choices[0].finish_reason == expected.finish_reason
    assert built.usage.completion_tokens == expected.usage.output_tokens


async def test_and_so_it_is_for_asyncio(expected: cm.ChatResponse) -> None:
    done = await litellm.acompletion(MODEL, messages=ASKED, **GREEDY)
    assert done.choices[0].message.content == expected.text
    stream = await litellm.acompletion(MODEL, messages=ASKED, stream=True, **GREEDY)
    texts = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(texts) == expected.text


def test_tools_are_called_and_their_results_read() -> None:
    options = {**GREEDY, "tools": [WEATHER], "tool_choice": "required"}
    message = litellm.completion(MODEL, messages=LISBON, **options).choices[0].message
    (call,) = message.tool_calls
    assert call.function.name == "get_weather"
    result = {"role": "tool", "tool_call_id": call.id, "content": "It rains."}
    history = [*LISBON, message, result]
    again = litellm.completion(MODEL, messages=history, **GREEDY, tools=[WEATHER])
    assert again.choices[0].finish_reason in ("stop", "length", "tool_calls")
    chunks = [*litellm.completion(MODEL, messages=LISBON, stream=True, **options)]
    built = litellm.stream_chunk_builder(chunks).choices[0].message
    assert built.tool_calls[0].function.arguments == call.function.arguments


def test_structured_answers_always_fit() -> None:
    schema = {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]}
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    for seed in range(3):
        options = {"response_format": form, "temperature": 1, "seed": seed, "max_tokens": 60}
        done = litellm.completion(MODEL, messages=ASKED, **options)
        assert done.choices[0].message.content.replace(" ", "").startswith('{"yes":')


def test_options_are_the_library_s() -> None:
    done = litellm.completion(MODEL, messages=ASKED, max_completion_tokens=3, temperature=0)
    assert done.usage.completion_tokens == 3
    given = {"temperature": 1, "top_k": 1, "seed": 5, "max_tokens": 12}
    done = litellm.completion(MODEL, messages=ASKED, **given)
    assert done.choices[0].message.content == cm.chat("convergio-guide", ASKED, **given).text
    word = cm.chat("convergio-guide", ASKED, **GREEDY).text.split()[2]
    done = litellm.completion(MODEL, messages=ASKED, stop=[word], **GREEDY)
    assert word not in done.choices[0].message.content
    given = {"max_retries": 0, **GREEDY}  # the proxy's own
    assert litellm.completion(MODEL, messages=ASKED, **given).choices[0].message.content


def test_reasoning_is_streamed_and_given_back() -> None:
    (chunk,) = litellm_convergio_mlx._Chunks("m").of(cm.ReasoningEvent("hm"))
    assert chunk.choices[0].delta.reasoning_content == "hm"
    said = {"role": "assistant", "content": "so", "reasoning_content": "hm", "audio": None}
    assert litellm_convergio_mlx._plain(said) == {
        "role": "assistant",
        "content": "so",
        "reasoning_content": "hm",
    }


@pytest.mark.parametrize(
    ("model", "options", "status"),
    [
        ("convergio-mlx/no-such-model", {}, 404),
        (MODEL, {"temperature": "warm"}, 400),
        (MODEL, {"max_tokens": 1 << 20}, 400),
        (MODEL, {"n": 2}, 400),
        (MODEL, {"logprobs": True}, 400),
        (MODEL, {"no_such_option": 1}, 400),
    ],
)
def test_errors_have_the_status_that_a_router_goes_by(
    model: str, options: dict[str, Any], status: int
) -> None:
    with pytest.raises(Exception, match=r".") as caught:
        litellm.completion(model, messages=ASKED, **options)
    assert getattr(caught.value, "status_code", None) == status, caught.value


README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.parametrize("code", re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S))
def test_the_programs_of_the_readme_run(code: str) -> None:
    exec(code, {"__name__": "__main__"})
