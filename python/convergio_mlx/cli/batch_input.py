"""The requests of a batch: a file of JSON lines like OpenAI's, checked before anything is run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from convergio_mlx.cli.output import Stream
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.platform.files import open_regular

if TYPE_CHECKING:
    from convergio_mlx.generation.sampling import SamplingParams

_SAMPLING = frozenset(
    {
        "max_tokens",
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "repetition_penalty",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "seed",
        "stop",
    }
)
_CHAT = frozenset(
    {
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "reasoning_budget",
        "chat_template_kwargs",
    }
)
_URLS = {"/v1/chat/completions": "messages", "/v1/completions": "prompt"}
_MAX_BYTES = 1 << 26
_MOST_TOLD = 10
"""Bad lines that are told one by one."""


class _BadLineError(Exception):
    """What is wrong with a line."""


@dataclass(frozen=True)
class Line:
    """A request of the file."""

    custom_id: str
    prompt: str | None
    messages: Any
    """Of a chat; None where `prompt` is a text to continue."""
    sampling: dict[str, Any]
    chat: dict[str, Any]
    """Options that chats alone have."""

    def params(self, defaults: SamplingParams) -> SamplingParams:
        """How to choose its tokens: as it says itself, else as the command's options do."""
        return replace(defaults, **self.sampling)


class BatchFile:
    """A file of requests, read twice: to check it, and as they are run."""

    def __init__(self, path: str, model: str) -> None:
        """Opens it.

        Args:
            path: the file.
            model: what `model` of a line may say.

        Raises:
            InvalidRequestError: it cannot be opened.
        """
        self._path = path
        self._model = model
        try:
            self._file = os.fdopen(open_regular(path), "rb")
        except OSError as error:
            raise InvalidRequestError(
                f"[batch] {path!r} cannot be read ({error.strerror}); give a file of JSON lines."
            ) from error

    def is_at(self, path: str) -> bool:
        """Whether a path leads to this file."""
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), os.stat(path))
        except OSError:
            return False

    def ids(self, err: Stream) -> set[str]:
        """The ids of all lines, each of which is a request.

        Raises:
            InvalidRequestError: some are none; `err` is told which, and why.
        """
        numbers: dict[str, int] = {}
        bad = 0
        for number, data in self._lines():
            try:
                one = _line(data, self._model).custom_id
                if one in numbers:
                    raise _BadLineError(f"custom_id {one[:80]!r} is that of line {numbers[one]}")
                numbers[one] = number
            except _BadLineError as problem:
                bad += 1
                if bad <= _MOST_TOLD:
                    err.line(f"line {number}: {problem}")
        if bad:
            raise InvalidRequestError(
                f"[batch] {bad} line{'s' if bad > 1 else ''} of {self._path!r} cannot be run; "
                "correct the file, nothing was run."
            )
        return set(numbers)

    def requests(self) -> Iterator[Line]:
        """The requests, one after another.

        Raises:
            InvalidRequestError: the file has changed since it was checked.
        """
        for number, data in self._lines():
            try:
                yield _line(data, self._model)
            except _BadLineError as problem:
                raise InvalidRequestError(
                    f"[batch] line {number} of {self._path!r} was changed meanwhile: {problem}; "
                    "correct it and run the command again."
                ) from problem

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        self._file.seek(0)
        number = 0
        while data := self._file.readline(_MAX_BYTES + 1):
            number += 1
            if len(data) > _MAX_BYTES:
                raise InvalidRequestError(
                    f"[batch] line {number} of {self._path!r} has more than {_MAX_BYTES >> 20} "
                    "MiB; give a shorter request."
                )
            if data.strip():
                yield number, data


def _line(data: bytes, model: str) -> Line:
    try:
        given = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _BadLineError(f"it is not JSON ({error})") from None
    if not isinstance(given, dict):
        raise _BadLineError("it is no JSON object")
    custom_id = given.pop("custom_id", None)
    if not isinstance(custom_id, str) or not custom_id:
        raise _BadLineError('it has no "custom_id", a text of its own')
    body, asks = _body(given)
    if "max_completion_tokens" in body and "max_tokens" not in body:
        body["max_tokens"] = body.pop("max_completion_tokens")
    if body.pop("model", model) != model:
        raise _BadLineError(f'its "model" is not {model!r}; leave it out, or give --model')
    content = body.pop(asks)
    known = _SAMPLING | _CHAT if asks == "messages" else _SAMPLING
    if unknown := sorted(set(body) - known):
        raise _BadLineError(f"there is no field {unknown[0][:80]!r} for a request with {asks!r}")
    if asks == "prompt" and not isinstance(content, str):
        raise _BadLineError('its "prompt" is no text')
    sampling = {name: body[name] for name in _SAMPLING & set(body)}
    if "logit_bias" in sampling:
        sampling["logit_bias"] = _biases(sampling["logit_bias"])
    return Line(
        custom_id,
        content if asks == "prompt" else None,
        content if asks == "messages" else None,
        sampling,
        {name: body[name] for name in _CHAT & set(body)},
    )


def _body(given: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The fields of a request, in OpenAI's envelope or without one, and what it gives to answer."""
    body: Any = given
    wanted = None
    if "body" in given:
        body = given.pop("body")
        method, url = given.pop("method", "POST"), given.pop("url", None)
        wanted = _URLS.get(url) if isinstance(url, str) else None
        if not isinstance(body, dict):
            raise _BadLineError('its "body" is no JSON object')
        if method != "POST" or (url is not None and wanted is None):
            raise _BadLineError(
                f'its "method" is not POST or its "url" none of {" and ".join(_URLS)}'
            )
        if given:
            raise _BadLineError(f'there is no field {min(given)[:80]!r} beside "body"')
    has = [name for name in ("messages", "prompt") if name in body]
    if len(has) != 1 or (wanted is not None and has[0] != wanted):
        raise _BadLineError(f"it needs {f'{wanted!r}' if wanted else 'messages or a prompt'} alone")
    return body, has[0]


def _biases(given: Any) -> Any:
    """JSON's keys are texts; what is no map of whole numbers is left to be refused."""
    if not isinstance(given, dict):
        return given
    return {int(key) if key.isascii() and key.isdecimal() else key: given[key] for key in given}
