"""A service on loopback that speaks OpenAI's chat completions, answered by the MLX provider, and
that fails on request."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from convergio_mlx.chats.events import FinishEvent, ReasoningEvent, TextEvent, ToolCallEvent
from convergio_mlx.errors import ConvergioError, ErrorCode
from convergio_mlx.generation.sampling import SamplingParams
from convergio_mlx.providers.interface import Provider

KEY = "right-key"
_STATUS = {
    ErrorCode.MODEL_NOT_FOUND: (404, "model_not_found"),
    ErrorCode.CONTEXT_LENGTH: (400, "context_length_exceeded"),
    ErrorCode.INVALID_REQUEST: (400, "invalid_request_error"),
}
_PARAMS = ("temperature", "top_p", "seed", "max_tokens", "stop", "logit_bias")

Fault = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each body waits 40 ms for its head to be acknowledged
    server: Server

    def do_GET(self) -> None:
        if self._refused():
            return
        models = [
            {"id": model.id, "object": "model", "created": 0, "owned_by": "us"}
            | {"context_window": model.context_window}
            for model in self.server.backend.list_models()
            if model.installed
        ]
        self.reply(200, {"object": "list", "data": models})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        if not self._refused():
            self._answer(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def reply(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def fail(self, status: int, code: str, message: str = "It failed.", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.reply(status, {"error": {"code": code, "message": message, "type": code}}, named)

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send(self, data: str) -> None:
        line = f"data: {data}\n\n".encode()
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.flush()

    def send_delta(self, delta: dict[str, Any], finish: str | None = None, **more: Any) -> None:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        frame = {"id": "c1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
        self.send(json.dumps({**frame, "choices": choices, **more}))

    def end_stream(self) -> None:
        self.send("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _refused(self) -> bool:
        if self.server.faults:
            self.server.faults.pop(0)(self)
        elif self.headers.get("Authorization") != f"Bearer {KEY}":
            self.fail(401, "invalid_api_key", "Incorrect API key provided: wr***ey.")
        else:
            return False
        return True

    def _answer(self, body: dict[str, Any]) -> None:
        params = {name: body[name] for name in _PARAMS if name in body}
        bias = params.get("logit_bias", {})
        params["logit_bias"] = {int(token): value for token, value in bias.items()}
        try:
            events = self.server.backend.stream(
                body["model"],
                None,
                body["messages"],
                params=SamplingParams(**params),
                tools=body.get("tools") or (),
                tool_choice=body.get("tool_choice", "auto"),
            )
            first = next(events)
        except ConvergioError as error:
            status, code = _STATUS.get(error.code, (500, "server_error"))
            self.fail(status, code, str(error))
            return
        with events:
            self.begin_stream()
            try:
                calls = 0
                for event in (first, *([] if isinstance(first, FinishEvent) else events)):
                    calls += self._send_event(event, calls)
                self.end_stream()
            except OSError:  # the client has left
                self.close_connection = True

    def _send_event(self, event: object, calls: int) -> int:
        match event:
            case TextEvent(text):
                self.send_delta({"role": "assistant", "content": text})
            case ReasoningEvent(text):
                self.send_delta({"role": "assistant", "reasoning_content": text})
            case ToolCallEvent(call):
                function = {"name": call.name, "arguments": ""}
                self.send_delta(
                    {"tool_calls": [{"index": calls, "id": call.id, "function": function}]}
                )
                half = len(call.arguments) // 2
                for piece in (call.arguments[:half], call.arguments[half:]):
                    self.send_delta(
                        {"tool_calls": [{"index": calls, "function": {"arguments": piece}}]}
                    )
                return 1
            case FinishEvent(response):
                self.send_delta({}, response.finish_reason)
                usage = response.usage
                tokens = {
                    "prompt_tokens": usage.input_tokens,
                    "completion_tokens": usage.output_tokens,
                    "total_tokens": usage.input_tokens + usage.output_tokens,
                    "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
                }
                frame = {"id": "c1", "object": "chat.completion.chunk", "created": 0}
                self.send(json.dumps({**frame, "model": "m", "choices": [], "usage": tokens}))
        return 0


class Server(ThreadingHTTPServer):
    """The service. Each of `faults` answers one request, in order, in the place of an answer."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, backend: Provider) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.backend = backend
        self.faults: list[Fault] = []
        self.bodies: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_: Any) -> None:
        """A client that has left is no news."""


@contextmanager
def serving(backend: Provider) -> Iterator[Server]:
    server = Server(backend)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def stalled(handler: Handler) -> None:
    """Says one word and then nothing for long."""
    handler.begin_stream()
    handler.send_delta({"content": "Well"})
    time.sleep(3)
    handler.close_connection = True


def silent(handler: Handler) -> None:
    """Does not answer at all."""
    time.sleep(3)
    handler.close_connection = True


def cut(handler: Handler) -> None:
    """Breaks off in an answer."""
    handler.begin_stream()
    handler.send_delta({"content": "Well"})
    handler.close_connection = True


def ended_early(handler: Handler) -> None:
    """Ends a stream properly, but the answer has no end."""
    handler.begin_stream()
    handler.send_delta({"content": "Well"})
    handler.end_stream()


def filtered(handler: Handler) -> None:
    """Stops an answer for what it says."""
    handler.begin_stream()
    handler.send_delta({"content": "Well"})
    handler.send_delta({}, "content_filter")
    handler.end_stream()
