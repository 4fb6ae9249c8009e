"""What an OpenAI-compatible service's failures are raised as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeGuard

import openai

from convergio_mlx.errors import (
    AuthError,
    ContentFilterError,
    ContextLengthError,
    ConvergioError,
    DeadlineExceededError,
    InferenceError,
    InvalidRequestError,
    ModelNotFoundError,
    NetworkError,
    OverloadedError,
    QuotaError,
    RateLimitError,
)

_BY_CODE: dict[str, type[ConvergioError]] = {
    "insufficient_quota": QuotaError,
    "billing_hard_limit_reached": QuotaError,
    "context_length_exceeded": ContextLengthError,
    "content_filter": ContentFilterError,
    "content_policy_violation": ContentFilterError,
    "model_not_found": ModelNotFoundError,
    "invalid_api_key": AuthError,
    "rate_limit_exceeded": RateLimitError,
    "server_error": OverloadedError,
}
_BY_STATUS: dict[int, type[ConvergioError]] = {
    400: InvalidRequestError,
    401: AuthError,
    402: QuotaError,
    403: AuthError,
    404: ModelNotFoundError,
    408: DeadlineExceededError,
    413: ContextLengthError,
    422: InvalidRequestError,
    429: RateLimitError,
}
_REMEDIES: dict[type[ConvergioError], str] = {
    AuthError: "give a key that it accepts",
    ContentFilterError: "ask in another way",
    ContextLengthError: "give fewer messages, or ask for a shorter answer",
    DeadlineExceededError: "allow it more time, or ask for less",
    InvalidRequestError: "change what it objects to",
    ModelNotFoundError: "give the id of a model that it has",
    NetworkError: "look at the connection and ask again",
    OverloadedError: "ask again later",
    QuotaError: "raise the account's limit, or wait until it is renewed",
    RateLimitError: "ask again later",
}
_LONGEST = 300


def translated(error: Exception) -> ConvergioError:
    """The exception to raise for one of the `openai` package; ours are returned as they are."""
    if isinstance(error, ConvergioError):
        return error
    kind = _kind(error)
    given = getattr(error, "code", None)
    code = str(given) if isinstance(given, str | int) and given else type(error).__name__
    status = getattr(error, "status_code", None)
    body = getattr(error, "body", None)
    said = _printable(str(body["message"]) if _has_message(body) else str(error))
    place = "" if status is None else f"{status}, "
    remedy = _REMEDIES.get(kind, "ask again")
    return kind(
        f"[openai] the service failed ({place}{_printable(code)}: {said}); {remedy}.",
        provider_code=code,
        retry_after_ms=_retry_after(error),
    )


def _has_message(body: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(body, Mapping) and bool(body.get("message"))


def _kind(error: Exception) -> type[ConvergioError]:
    if isinstance(error, openai.APIStatusError):
        by_status = OverloadedError if error.status_code >= 500 else ConvergioError
        return _named(error) or _BY_STATUS.get(error.status_code, by_status)
    if isinstance(error, openai.APITimeoutError):
        return DeadlineExceededError
    if isinstance(error, openai.APIConnectionError):
        return NetworkError
    if isinstance(error, openai.APIError):  # sent within a stream
        return _named(error) or InferenceError
    return _foreign(error)


def _foreign(error: Exception) -> type[ConvergioError]:
    """Of an exception that is not the package's: it lets those through that come amid a stream."""
    if any(base.__name__ == "HTTPError" for base in type(error).__mro__):  # httpx, or its successor
        return NetworkError
    if isinstance(error, ValueError | TypeError | AttributeError):  # of what the service sent
        return InferenceError
    return ConvergioError


def _named(error: openai.APIError) -> type[ConvergioError] | None:
    for given in (error.code, error.type):
        if isinstance(given, str) and given in _BY_CODE:
            return _BY_CODE[given]
    return None


def _retry_after(error: Exception) -> int | None:
    """Milliseconds that the service wants to be left alone."""
    response = getattr(error, "response", None)
    headers: Mapping[str, str] = getattr(response, "headers", {})
    for name, factor in (("retry-after-ms", 1), ("retry-after", 1000)):
        try:
            wait = float(headers[name]) * factor
        except (KeyError, ValueError):
            continue
        if 0 <= wait < 1e10:
            return round(wait)
    return None


def _printable(text: str) -> str:
    """A service's own words without what could steer a terminal."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text).strip(" .")
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
