"""What goes wrong with a request, as each of the interfaces tells it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from convergio_mlx.errors import ConvergioError, ErrorCode

_INVALID = "invalid_request_error"
_SERVER = "server_error"


@dataclass(frozen=True)
class Problem:
    """Why a request has no answer, or no whole one."""

    status: int
    """Of HTTP."""
    kind: str
    """OpenAI's `type`."""
    code: str | None
    """OpenAI's `code`."""
    message: str
    param: str | None = None
    """The field of the request that is wrong."""
    retry_after: int | None = None
    """Seconds."""

    def headers(self) -> dict[str, str]:
        """What clients know by whether to ask again: on their own they would for any of 408, 409,
        429 and 500 on."""
        given = {"x-should-retry": "true" if self.retry_after is not None else "false"}
        if self.retry_after is not None:
            given["retry-after"] = str(self.retry_after)
        if self.status == 401:
            given["www-authenticate"] = "Bearer"
        return given


class RefusedError(Exception):
    """A request that is not answered."""

    def __init__(self, problem: Problem) -> None:
        """Takes what is wrong with it."""
        super().__init__(problem.message)
        self.problem = problem


def refusal(message: str, param: str | None = None, code: str | None = None) -> RefusedError:
    """Of a request that is wrong in itself."""
    return RefusedError(Problem(400, _INVALID, code, message, param))


_BY_CODE: dict[ErrorCode, tuple[int, str, str | None]] = {
    ErrorCode.INVALID_REQUEST: (400, _INVALID, None),
    ErrorCode.CONTEXT_LENGTH: (400, _INVALID, "context_length_exceeded"),
    ErrorCode.MODEL_NOT_FOUND: (404, _INVALID, "model_not_found"),
    ErrorCode.OVERLOADED: (503, _SERVER, "overloaded"),
    ErrorCode.OUT_OF_MEMORY: (503, _SERVER, "out_of_memory"),
    ErrorCode.NOT_INITIALIZED: (503, _SERVER, "stopping"),
    ErrorCode.CANCELLED: (503, _SERVER, "stopping"),
    ErrorCode.TIMEOUT: (504, _SERVER, "timeout"),
}
_RETRY_SECONDS = 1
FAULT = Problem(
    500, _SERVER, "unknown", "[server] the server failed on this request; its log says how."
)
STOPPING = Problem(503, _SERVER, "stopping", "[server] the server stops; ask again when it is up.")


def problem_of(error: Exception) -> Problem:
    """What to tell of an exception. Of one that is none of ours, nothing that it says."""
    if isinstance(error, RefusedError):
        return error.problem
    if not isinstance(error, ConvergioError) or error.code is ErrorCode.UNKNOWN:
        return FAULT
    status, kind, code = _BY_CODE.get(error.code, (500, _SERVER, str(error.code)))
    waits = status == 503
    return Problem(status, kind, code, str(error), retry_after=_RETRY_SECONDS if waits else None)


def openai_problem(problem: Problem) -> dict[str, Any]:
    """In OpenAI's shape."""
    told = {"message": problem.message, "type": problem.kind}
    return {"error": {**told, "param": problem.param, "code": problem.code}}


_ANTHROPIC = {
    400: _INVALID,
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: _INVALID,
    408: _INVALID,
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def anthropic_problem(problem: Problem) -> dict[str, Any]:
    """In Anthropic's shape."""
    kind = _ANTHROPIC.get(problem.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": problem.message}}


def ollama_problem(problem: Problem) -> dict[str, Any]:
    """In Ollama's shape."""
    return {"error": problem.message}


def shape_of(path: str, asks_anthropic: bool) -> Callable[[Problem], dict[str, Any]]:
    """The shape that the clients of a path expect.

    Args:
        path: of the request.
        asks_anthropic: it has the header that Anthropic's clients send, at any path.
    """
    if path.startswith("/v1/messages") or (asks_anthropic and path.startswith("/v1/")):
        return anthropic_problem
    return ollama_problem if path.startswith("/api/") else openai_problem
