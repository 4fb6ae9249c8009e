"""The provider of OpenAI-compatible services against one on loopback: failures of every kind, and
what goes over the wire. What works is tested by the conformance suite."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import openai_server as wire
import pytest
from openai_server import Handler, Server

from convergio_mlx import ErrorCode, ModelConfig, ProviderErrorInfo, SamplingParams
from convergio_mlx.errors import AuthError, ConvergioError, InvalidRequestError, UnavailableError
from convergio_mlx.generation.sampling import SAMPLING_OPTIONS
from convergio_mlx.providers.interface import ProviderType
from convergio_mlx.providers.openai_provider import OpenAIProvider

MODEL = "convergio-guide"


@pytest.fixture
def provider(server: Server) -> Any:
    with OpenAIProvider(base_url=server.url) as made:
        yield made


def status(number: int, code: str, message: str = "It failed.", **headers: str) -> wire.Fault:
    return lambda handler: handler.fail(number, code, message, **headers)


def plain(number: int) -> wire.Fault:
    """An answer of some proxy, which is not JSON."""

    def answer(handler: Handler) -> None:
        handler.send_response(number)
        handler.send_header("Content-Length", "9")
        handler.end_headers()
        handler.wfile.write(b"<h1>\x1b[31m")

    return answer


def told_in_stream(handler: Handler) -> None:
    handler.begin_stream()
    handler.send('{"error": {"message": "out of luck", "code": "server_error"}}')
    handler.end_stream()


FAULTS: list[tuple[str, wire.Fault, tuple[ErrorCode, bool, int | None]]] = [
    ("401", status(401, "invalid_api_key"), (ErrorCode.AUTH, False, None)),
    ("403", status(403, "forbidden"), (ErrorCode.AUTH, False, None)),
    ("404", status(404, "model_not_found"), (ErrorCode.MODEL_NOT_FOUND, False, None)),
    ("429", status(429, "rate_limit_exceeded"), (ErrorCode.RATE_LIMIT, True, None)),
    ("429s", status(429, "slow", retry_after="1.5"), (ErrorCode.RATE_LIMIT, True, 1500)),
    ("429ms", status(429, "slow", retry_after_ms="20"), (ErrorCode.RATE_LIMIT, True, 20)),
    ("429date", status(429, "slow", retry_after="never"), (ErrorCode.RATE_LIMIT, True, None)),
    ("quota", status(429, "insufficient_quota"), (ErrorCode.QUOTA, False, None)),
    ("402", status(402, "pay"), (ErrorCode.QUOTA, False, None)),
    ("context", status(400, "context_length_exceeded"), (ErrorCode.CONTEXT_LENGTH, False, None)),
    ("413", status(413, "large"), (ErrorCode.CONTEXT_LENGTH, False, None)),
    ("policy", status(400, "content_policy_violation"), (ErrorCode.CONTENT_FILTER, False, None)),
    ("400", status(400, "bad"), (ErrorCode.INVALID_REQUEST, False, None)),
    ("422", status(422, "bad"), (ErrorCode.INVALID_REQUEST, False, None)),
    ("418", status(418, "teapot"), (ErrorCode.UNKNOWN, False, None)),
    ("408", status(408, "slow"), (ErrorCode.TIMEOUT, True, None)),
    ("500", status(500, "server_error"), (ErrorCode.OVERLOADED, True, None)),
    ("503", status(503, "busy", retry_after="2"), (ErrorCode.OVERLOADED, True, 2000)),
    ("502", plain(502), (ErrorCode.OVERLOADED, True, None)),
    ("in stream", told_in_stream, (ErrorCode.OVERLOADED, True, None)),
    ("cut", wire.cut, (ErrorCode.NETWORK, True, None)),
    ("early", wire.ended_early, (ErrorCode.NETWORK, True, None)),
    ("filtered", wire.filtered, (ErrorCode.CONTENT_FILTER, False, None)),
]


def frames(*frames: Any) -> wire.Fault:
    """A streamed answer of these frames, and of nothing else."""

    def answer(handler: Handler) -> None:
        handler.begin_stream()
        for frame in frames:
            handler.send(json.dumps(frame))
        handler.end_stream()

    return answer


def choice(delta: Any, finish: Any = None) -> dict[str, Any]:
    head = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


ODD: dict[str, tuple[Any, ...]] = {
    "a number": (5,),
    "no delta": (choice(None), choice({}, "stop")),
    "a list of nothing": (choice([]),),
    "content of a number": (choice({"content": 5}),),
    "a reason of a list": (choice({}, [1]),),
    "choices of a text": ({"choices": "abc"},),
    "calls of a number": (choice({"tool_calls": 5}),),
    "a call of a text": (choice({"tool_calls": ["f"]}),),
    "arguments of a list": (
        choice({"tool_calls": [{"index": "a", "id": 1, "function": {"name": [], "arguments": 1}}]}),
    ),
    "usage of a list": ({"choices": [], "usage": [1]},),
    "an error of a list": ({"error": [1, 2]},),
    "a code of a list": ({"error": {"message": [1], "code": [2], "type": {}}},),
    "a code of a number": ({"error": {"message": "no", "code": 429}},),
}


@pytest.mark.parametrize("sent", ODD.values(), ids=ODD)
def test_no_answer_of_a_service_leaves_an_untyped_error(
    provider: OpenAIProvider, server: Server, sent: tuple[Any, ...]
) -> None:
    async def ask() -> None:
        await provider.astream(MODEL, None, "hello").response()

    for call in (lambda: provider.chat(MODEL, None, "hello"), lambda: asyncio.run(ask())):
        server.faults = [frames(*sent)]
        error = None
        try:
            call()
        except ConvergioError as raised:
            error = raised
        assert error is None or str(error).startswith("[openai] ")
        assert error is None or isinstance(error.provider_code, str | None)


def test_a_list_of_text_parts_is_their_text(provider: OpenAIProvider, server: Server) -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    server.faults = [frames(choice({"content": parts}), choice({}, "stop"))]
    assert provider.chat(MODEL, None, "hello").text == "one two"


def test_arguments_that_are_an_object_are_its_json(
    provider: OpenAIProvider, server: Server
) -> None:
    function = {"name": "f", "arguments": {"a": 1}}
    calls = [{"index": 0, "id": "c1", "function": function}]
    server.faults = [frames(choice({"tool_calls": calls}), choice({}, "tool_calls"))]
    (call,) = provider.chat(MODEL, None, "hello").tool_calls
    assert (call.name, json.loads(call.arguments)) == ("f", {"a": 1})


@pytest.mark.parametrize(
    ("fault", "expected"), [row[1:] for row in FAULTS], ids=[r[0] for r in FAULTS]
)
def test_each_failure_has_its_code(
    provider: OpenAIProvider,
    server: Server,
    fault: wire.Fault,
    expected: tuple[ErrorCode, bool, int | None],
) -> None:
    async def ask() -> None:
        await provider.astream(MODEL, None, "hello").response()

    for call in (lambda: provider.chat(MODEL, None, "hello"), lambda: asyncio.run(ask())):
        server.faults = [fault]
        with pytest.raises(ConvergioError) as caught:
            call()
        error = caught.value
        assert (error.code, error.retryable, error.retry_after_ms) == expected, error
        assert str(error).startswith("[openai] the service ")
        assert str(error).isprintable()
    server.faults = [fault]
    with pytest.raises(ConvergioError):
        provider.chat(MODEL, None, "hello")
    assert provider.last_error == ProviderErrorInfo.of(error)
    brief = SamplingParams(max_tokens=2)
    assert provider.chat(MODEL, None, "hello", params=brief).usage.output_tokens == 2


def test_the_sentence_has_what_the_service_said(provider: OpenAIProvider, server: Server) -> None:
    server.faults = [status(429, "rate_limit_exceeded", "Slow down,\nyou \x1b[31mfool\x1b[0m.")]
    with pytest.raises(ConvergioError) as caught:
        provider.chat(MODEL, None, "hello")
    assert str(caught.value) == (
        "[openai] the service failed (429, rate_limit_exceeded: Slow down, you  [31mfool [0m); ask "
        "again later."
    )
    assert caught.value.provider_code == "rate_limit_exceeded"


def test_nobody_there() -> None:
    with OpenAIProvider(api_key="k", base_url="http://127.0.0.1:9/v1") as provider:
        assert provider.validate_key() is False
        with pytest.raises(ConvergioError) as caught:
            provider.chat(MODEL, None, "hello")
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.NETWORK, True)


def test_a_wrong_key(server: Server) -> None:
    with OpenAIProvider(api_key="wrong", base_url=server.url) as provider:
        assert provider.validate_key() is False
        with pytest.raises(AuthError):
            provider.chat(MODEL, None, "hello")


def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    provider = OpenAIProvider()
    assert provider.validate_key() is False
    with pytest.raises(AuthError) as caught:
        provider.init()
    assert str(caught.value) == ("[openai] there is no key; set OPENAI_API_KEY, or give `api_key`.")


def test_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openai", None)
    with pytest.raises(UnavailableError) as caught:
        OpenAIProvider(api_key="k").init()
    assert str(caught.value) == (
        '[openai] the openai package is not installed; run `pip install "convergio-mlx[openai]"`.'
    )


@pytest.mark.parametrize("fault", [wire.silent, wire.stalled])
def test_a_deadline_is_kept_whenever_the_service_falls_silent(
    provider: OpenAIProvider, server: Server, fault: wire.Fault
) -> None:
    async def ask() -> None:
        await provider.astream(MODEL, None, "hello", timeout=0.2).response()

    for call in (
        lambda: provider.chat(MODEL, None, "hello", timeout=0.2),
        lambda: asyncio.run(ask()),
    ):
        server.faults = [fault]
        began = time.monotonic()
        with pytest.raises(ConvergioError) as caught:
            call()
        assert caught.value.code == ErrorCode.TIMEOUT, caught.value
        assert time.monotonic() - began > 0.15


def test_a_stream_that_is_silent_can_be_cancelled(provider: OpenAIProvider, server: Server) -> None:
    """From another thread, while the reader waits for the service."""
    from threading import Timer

    async def ask() -> Any:
        stream = provider.astream(MODEL, None, "hello")
        first = await anext(stream)
        Timer(0.1, stream.cancel).start()
        return first, await stream.response()

    def blocking() -> Any:
        stream = provider.stream(MODEL, None, "hello")
        first = next(stream)
        Timer(0.1, stream.cancel).start()
        return first, stream.response()

    calls: list[Callable[[], Any]] = [blocking, lambda: asyncio.run(ask())]
    for call in calls:
        server.faults = [wire.stalled]
        first, response = call()
        assert (first.text, response.text) == ("Well", "Well")
        assert response.finish_reason == "cancelled"


def test_what_goes_over_the_wire(provider: OpenAIProvider, server: Server) -> None:
    params = SamplingParams(temperature=0.5, top_p=0.9, seed=7, max_tokens=3, stop="xyz")
    turns = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi", "reasoning_content": "a greeting"},
        {"role": "user", "content": "what are you?"},
    ]
    provider.chat(f"openai/{MODEL}", "Be brief.", turns, params=params)
    assert server.bodies[-1] == {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": "hi"},
            {"role": "user", "content": "what are you?"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "max_tokens": 3,
        "stop": ["xyz"],
    }


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"params": SamplingParams(top_k=5)}, "top_k"),
        ({"params": SamplingParams(min_p=0.1)}, "min_p"),
        ({"params": SamplingParams(ignore_eos=True)}, "ignore_eos"),
        ({"reasoning_budget": 5}, "reasoning_budget"),
        ({"priority": "background"}, "priority"),
        ({"chat_template_kwargs": {"enable_thinking": True}}, "chat_template_kwargs"),
    ],
)
def test_options_that_the_interface_lacks_are_refused(
    provider: OpenAIProvider, server: Server, options: dict[str, Any], name: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        provider.chat(MODEL, None, "hello", **options)
    assert str(caught.value) == (
        f"[openai] OpenAI's chat completions have no option {name!r}; leave it out."
    )
    assert server.bodies == []


@pytest.mark.parametrize("name", sorted(SAMPLING_OPTIONS))
def test_no_sampling_option_is_dropped(provider: OpenAIProvider, server: Server, name: str) -> None:
    values = {"logit_bias": {3: 1.5}, "stop": ("xyz",), "stop_token_ids": (3,), "speculate": False}
    refused = ""
    try:
        provider.chat(MODEL, None, "hello", params=SamplingParams(**{name: values.get(name, 1)}))
    except InvalidRequestError as error:
        refused = str(error)
    sent = server.bodies[-1] if server.bodies else {}
    assert (name in sent) != (name in refused)


def test_prices_and_windows_that_the_host_knows(server: Server) -> None:
    known = ModelConfig(
        id=MODEL,
        display_name="Guide",
        provider=ProviderType.OPENAI,
        context_window=1000,
        max_output=500,
        input_cost=3.0,
        output_cost=15.0,
        cached_cost=0.3,
    )
    with OpenAIProvider(base_url=server.url, models=[known]) as provider:
        assert provider.list_models() == [known]
        assert provider.usable_window(MODEL) == 1000
        usage = provider.chat(MODEL, None, "hello", params=SamplingParams(max_tokens=5)).usage
        fresh = usage.input_tokens - usage.cached_tokens
        dollars = (fresh * 3 + usage.cached_tokens * 0.3 + usage.output_tokens * 15) / 1e6
        assert usage.estimated_cost == pytest.approx(dollars)
        assert dollars > 0


def test_windows_that_the_service_tells(provider: OpenAIProvider) -> None:
    assert provider.usable_window(MODEL) == 2048
    with pytest.raises(ConvergioError) as caught:
        provider.usable_window("gpt-0")
    assert str(caught.value) == ("[openai] there is no model 'gpt-0'; there are convergio-guide.")
