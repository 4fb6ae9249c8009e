"""OpenAI's completions (https://platform.openai.com/docs/api-reference/completions): texts or token
ids that are continued, without a chat template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from convergio_mlx.chats.events import FinishEvent, StreamEvent, TextEvent
from convergio_mlx.chats.response import ChatResponse, TokenUsage
from convergio_mlx.chats.stream import AsyncEventStream
from convergio_mlx.generation.stats import TokenLogprob
from convergio_mlx.server import openai_fields as shared
from convergio_mlx.server.body import Fields, read_body
from convergio_mlx.server.logprobs import text_logprobs
from convergio_mlx.server.problems import Problem, openai_problem, refusal
from convergio_mlx.server.service import Service
from convergio_mlx.server.sse import DONE, MEDIA_TYPE, frame
from convergio_mlx.text.tokenizer import Tokenizer

_DEFAULT_TOKENS = 16
"""As OpenAI's."""
_MOST_PROMPTS = 64


@dataclass
class _Asked:
    """A request, read."""

    model: str
    prompts: list[str | list[int]]
    """One for each choice."""
    count: int
    """Choices of each prompt."""
    options: dict[str, Any]
    streams: bool
    includes_usage: bool


def _read(body: Mapping[str, Any]) -> _Asked:
    fields = Fields(body)
    fields.drop(shared.NEUTRAL)
    fields.only("echo", (False,), "the prompt is not repeated; leave it out")
    fields.only("suffix", ("",), "texts are continued, not filled in; leave it out")
    model = fields.text("model")
    options = fields.several((*shared.SAMPLING, *shared.OWN, "special_tokens_in_messages"))
    options |= shared.priority(fields)
    options |= {"max_tokens": _DEFAULT_TOKENS, **shared.token_limit(fields, "max_tokens")}
    options |= shared.token_bias(fields)
    top = fields.whole("logprobs", -1, -1, 20)
    if top >= 0:
        options["logprobs"] = top
    count = fields.whole("n", 1, 1, shared.MOST_ANSWERS)
    fields.only("best_of", (count,), "all answers are given; leave it out")
    prompts = _prompts(fields.take("prompt"), count)
    streams, includes_usage = fields.flag("stream"), shared.includes_usage(fields)
    fields.end()
    return _Asked(model, prompts, count, options, streams, includes_usage)


def _prompts(given: Any, count: int) -> list[str | list[int]]:
    """Each prompt as often as answers to it are wanted."""
    is_one = isinstance(given, str) or (
        isinstance(given, list) and bool(given) and not isinstance(given[0], str | list)
    )
    prompts = [given] if is_one else given
    if not isinstance(prompts, list) or not all(isinstance(one, str | list) for one in prompts):
        raise refusal(
            "[server] the prompt is neither a text nor token ids, nor a list of these; give one of "
            "them.",
            "prompt",
            "invalid_type",
        )
    if not 1 <= len(prompts) * count <= _MOST_PROMPTS:
        raise refusal(
            f"[server] {len(prompts)} prompts ask for {len(prompts) * count} answers; ask for 1 to "
            f"{_MOST_PROMPTS}.",
            "prompt",
        )
    return [prompt for prompt in prompts for _ in range(count)]


async def completions(service: Service, request: Request) -> Response:
    """POST /v1/completions."""
    asked = _read(await read_body(request, service.settings))
    model = (await service.model(asked.model)).id
    tokenizer = await service.tokenizer(model) if "logprobs" in asked.options else None

    def streams() -> Sequence[AsyncEventStream]:
        return [
            service.provider.acomplete(
                model,
                prompt,
                timeout=service.settings.request_seconds,
                **shared.seeded(asked.options, index % asked.count),
            )
            for index, prompt in enumerate(asked.prompts)
        ]

    count = len(asked.prompts)
    writer = _Writer(model, asked.includes_usage, count, tokenizer) if asked.streams else None
    return await service.respond(
        request, streams, count, writer, lambda found: _whole(model, found, tokenizer)
    )


def _whole(
    model: str, responses: Sequence[ChatResponse], tokenizer: Tokenizer | None
) -> dict[str, Any]:
    choices = [
        {
            "index": index,
            "text": response.text,
            "logprobs": None
            if tokenizer is None
            else text_logprobs(tokenizer, response.text_logprobs, 0),
            "finish_reason": response.finish_reason,
        }
        for index, response in enumerate(responses)
    ]
    usage = _usage([response.usage for response in responses])
    return {**_head(model), "choices": choices, "usage": usage}


def _usage(usages: list[TokenUsage]) -> dict[str, Any]:
    """Of answers to several prompts."""
    return shared.usage_object(
        TokenUsage(
            sum(usage.input_tokens for usage in usages),
            sum(usage.output_tokens for usage in usages),
            sum(usage.cached_tokens for usage in usages),
        )
    )


def _head(model: str) -> dict[str, Any]:
    head = {"id": shared.new_id("cmpl-"), "object": "text_completion", "created": shared.now()}
    return {**head, "model": model, "system_fingerprint": shared.FINGERPRINT}


class _Writer:
    """Writes pieces of `text_completion`s."""

    media_type = MEDIA_TYPE

    def __init__(
        self, model: str, includes_usage: bool, count: int, tokenizer: Tokenizer | None
    ) -> None:
        self._head = _head(model)
        self._tail: dict[str, Any] = {"usage": None} if includes_usage else {}
        self._tokenizer = tokenizer
        self._offsets = [0] * count
        self._usages: list[TokenUsage] = []

    def begin(self) -> Iterator[bytes]:
        """Nothing."""
        yield from ()

    def event(self, index: int, event: StreamEvent) -> Iterator[bytes]:
        """A piece of an answer."""
        match event:
            case TextEvent(text, logprobs):
                yield self._piece(index, text, logprobs)
                self._offsets[index] += len(text)
            case FinishEvent(response):
                self._usages.append(response.usage)
                yield self._piece(index, "", finish=response.finish_reason)

    def end(self) -> Iterator[bytes]:
        """The usage where it is wanted, and the end."""
        if self._tail:
            yield frame({**self._head, "choices": [], "usage": _usage(self._usages)})
        yield DONE

    def failed(self, problem: Problem) -> Iterator[bytes]:
        """The error; no end comes after it."""
        yield frame(openai_problem(problem))

    def _piece(
        self,
        index: int,
        text: str,
        logprobs: Sequence[TokenLogprob] = (),
        finish: str | None = None,
    ) -> bytes:
        told = None
        if self._tokenizer is not None and logprobs:
            told = text_logprobs(self._tokenizer, logprobs, self._offsets[index])
        choice = {"index": index, "text": text, "logprobs": told, "finish_reason": finish}
        return frame({**self._head, "choices": [choice], **self._tail})
