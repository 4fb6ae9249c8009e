"""A custom provider of LiteLLM: models of convergio-mlx, in the program's own process."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import litellm
from litellm.llms.custom_llm import CustomLLM, CustomLLMError
from litellm.types.utils import (
    ChatCompletionMessageToolCall,
    Choices,
    CompletionTokensDetailsWrapper,
    Delta,
    Function,
    GenericStreamingChunk,
    Message,
    ModelResponse,
    ModelResponseStream,
    PromptTokensDetailsWrapper,
    StreamingChoices,
    Usage,
)
from litellm.utils import custom_llm_setup

import convergio_mlx as cm

PROVIDER = "convergio-mlx"
_DROPPED = frozenset(
    {"stream", "stream_options", "n", "user", "metadata", "extra_headers", "max_retries"}
)
"""What is LiteLLM's own business, or says nothing of what an answer is."""
_RENAMED = {"max_completion_tokens": "max_tokens"}
_STATUSES = {
    cm.ErrorCode.INVALID_REQUEST: 400,
    cm.ErrorCode.CONTEXT_LENGTH: 400,
    cm.ErrorCode.MODEL_NOT_FOUND: 404,
    cm.ErrorCode.OVERLOADED: 503,
    cm.ErrorCode.OUT_OF_MEMORY: 503,
    cm.ErrorCode.TIMEOUT: 408,
}


def register() -> None:
    """Has LiteLLM take models named `convergio-mlx/…` here. A second call does nothing."""
    if not any(one["provider"] == PROVIDER for one in litellm.custom_provider_map):
        entry = {"provider": PROVIDER, "custom_handler": HANDLER}
        litellm.custom_provider_map = [*litellm.custom_provider_map, entry]
        custom_llm_setup()


class ConvergioMlx(CustomLLM):
    """Answers of models of this process, in LiteLLM's shapes."""

    def completion(self, *args: Any, **given: Any) -> ModelResponse:
        """A whole answer."""
        with _told():
            return _whole(cm.chat(**_request(given)), given)

    async def acompletion(self, *args: Any, **given: Any) -> ModelResponse:
        """As `completion`, for asyncio."""
        with _told():
            return _whole(await cm.achat(**_request(given)), given)

    def streaming(self, *args: Any, **given: Any) -> Iterator[Any]:
        """An answer as it is made."""
        written = _Chunks(given["model"])
        with _told(), cm.stream(**_request(given)) as events:
            for event in events:
                yield from written.of(event)

    async def astreaming(self, *args: Any, **given: Any) -> AsyncIterator[Any]:
        """As `streaming`, for asyncio."""
        written = _Chunks(given["model"])
        with _told():
            async with cm.astream(**_request(given)) as events:
                async for event in events:
                    for chunk in written.of(event):
                        yield chunk


HANDLER = ConvergioMlx()
"""For LiteLLM's `custom_provider_map`."""


def _request(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `cm.chat`."""
    asked = {**given["optional_params"]}
    asked.update(asked.pop("extra_body", None) or {})
    if asked.get("n", 1) not in (None, 1):
        raise CustomLLMError(400, f"n is {asked['n']}; models of convergio-mlx give one answer")
    options = {_RENAMED.get(name, name): value for name, value in asked.items()}
    options = {
        name: value for name, value in options.items() if value is not None and name not in _DROPPED
    }
    if options.pop("logprobs", None):
        raise CustomLLMError(400, "logprobs are not given here; leave them out")
    effort = options.pop("reasoning_effort", None)
    if effort is not None:
        thinks = {"enable_thinking": False} if effort == "none" else {"reasoning_effort": effort}
        variables = options.get("chat_template_kwargs") or {}
        options["chat_template_kwargs"] = {**thinks, **variables}
    if isinstance(given.get("timeout"), int | float) and "timeout" not in options:
        options["timeout"] = given["timeout"]
    unknown = options.keys() - cm.ChatOptions.__annotations__.keys() - {"tools"}
    if unknown:
        raise CustomLLMError(400, f"there is no option {min(unknown)!r} here; leave it out")
    return {"model": given["model"], "user": [_plain(one) for one in given["messages"]], **options}


def _plain(message: Any) -> dict[str, Any]:
    """A message without what LiteLLM adds to answers that are given back."""
    said = message if isinstance(message, dict) else message.model_dump(exclude_none=True)
    taken = ("role", "content", "tool_calls", "tool_call_id", "name", "reasoning_content")
    return {name: said[name] for name in taken if said.get(name) is not None}


@contextmanager
def _told() -> Iterator[None]:
    """Errors as LiteLLM has them, with the status that its router goes by."""
    try:
        yield
    except cm.ConvergioError as error:
        raise CustomLLMError(_STATUSES.get(error.code, 500), str(error)) from error


def _whole(response: cm.ChatResponse, given: dict[str, Any]) -> ModelResponse:
    calls = [_call(call) for call in (*response.tool_calls, *_cut(response))]
    message = Message(
        role="assistant",
        content=response.text or (None if calls else ""),
        reasoning_content=response.reasoning or None,
        tool_calls=calls or None,
    )
    made = given["model_response"]
    made.choices = [Choices(index=0, message=message, finish_reason=response.finish_reason)]
    made.created, made.model = int(time.time()), given["model"]
    made.usage = _usage(response)
    return made


def _cut(response: cm.ChatResponse) -> tuple[cm.ToolCall, ...]:
    """A call that was cut off, as OpenAI has it among the others."""
    cut = response.incomplete_tool_call
    return () if cut is None else (cut,)


def _call(call: cm.ToolCall) -> ChatCompletionMessageToolCall:
    function = Function(name=call.name, arguments=call.arguments)
    return ChatCompletionMessageToolCall(id=call.id, type="function", function=function)


def _usage(response: cm.ChatResponse) -> Usage:
    usage = response.usage
    return Usage(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        prompt_tokens_details=PromptTokensDetailsWrapper(cached_tokens=usage.cached_tokens),
        completion_tokens_details=CompletionTokensDetailsWrapper(
            reasoning_tokens=usage.reasoning_tokens
        ),
    )


class _Chunks:
    """Writes the events of an answer as LiteLLM's chunks."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._calls = 0

    def of(self, event: cm.StreamEvent) -> Iterator[ModelResponseStream | GenericStreamingChunk]:
        """Those of an event."""
        match event:
            case cm.TextEvent(text) if text:
                yield self._chunk(Delta(role="assistant", content=text))
            case cm.ReasoningEvent(text) if text:
                yield self._chunk(Delta(role="assistant", content=None, reasoning_content=text))
            case cm.ToolCallEvent(call):
                function = {"name": call.name, "arguments": call.arguments}
                made = {"id": call.id, "type": "function", "function": function}
                yield _generic(tool_use={**made, "index": self._calls})
                self._calls += 1
            case cm.FinishEvent(response):
                usage = _usage(response).model_dump(exclude_none=True)
                yield _generic(is_finished=True, finish_reason=response.finish_reason, usage=usage)

    def _chunk(self, delta: Delta) -> ModelResponseStream:
        choice = StreamingChoices(index=0, delta=delta, finish_reason=None)
        return ModelResponseStream(model=self._model, choices=[choice])


def _generic(**fields: Any) -> GenericStreamingChunk:
    """A chunk of LiteLLM's own form, which alone may have calls and usage."""
    empty: Any = {"text": "", "is_finished": False, "finish_reason": "", "usage": None}
    made: GenericStreamingChunk = {**empty, "index": 0, **fields}
    return made
