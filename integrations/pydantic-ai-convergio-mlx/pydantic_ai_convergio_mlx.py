"""A model of Pydantic AI: models of convergio-mlx, in the program's own process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.exceptions import ModelAPIError, UserError
from pydantic_ai.messages import (
    CachePoint,
    FinishReason,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import (
    Model,
    ModelRequestParameters,
    StreamedResponse,
    check_allow_model_requests,
)
from pydantic_ai.models._tool_choice import resolve_tool_choice
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

import convergio_mlx as cm

PROVIDER = "convergio-mlx"
_SETTINGS = {
    **{name: name for name in ("max_tokens", "temperature", "top_p", "top_k", "seed")},
    **{name: name for name in ("presence_penalty", "frequency_penalty", "timeout")},
    "parallel_tool_calls": "parallel_tool_calls",
    "stop_sequences": "stop",
}
"""Settings of Pydantic AI, and our names of them."""
_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_call",
}
_PROFILE = ModelProfile(
    supports_tools=True,
    supports_json_schema_output=True,
    supports_json_object_output=True,
    default_structured_output_mode="native",
    supports_inline_system_prompts=False,
    supports_thinking=True,
)


class ConvergioMlxModel(Model[None]):
    """A model of convergio-mlx. Settings that are not given follow its generation_config.json."""

    _unsupported_file_inputs = frozenset({"image", "document", "audio", "video"})
    unsupported_settings = frozenset({"extra_headers", "max_retries", "service_tier"})

    def __init__(
        self,
        model_name: str = "convergio-guide",
        *,
        profile: ModelProfile | None = None,
        settings: ModelSettings | None = None,
    ) -> None:
        """Loads nothing yet.

        Args:
            model_name: `convergio-guide` (the embedded one), the id of a downloaded model, or a
                folder.
            profile: what Pydantic AI is to know of it beyond what all models here can do.
            settings: those of all its requests.
        """
        super().__init__(settings=settings, profile=ModelProfile(**{**_PROFILE, **(profile or {})}))
        self._model_name = model_name

    @property
    def model_name(self) -> str:
        """The model's id."""
        return self._model_name

    @property
    def system(self) -> str:
        """Whose models these are."""
        return PROVIDER

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The whole answer to a conversation."""
        asked = self._asked(messages, model_settings, model_request_parameters)
        with _told(self.model_name):
            response = await cm.achat(**asked)
        parts: list[ModelResponsePart] = []
        if response.reasoning:
            parts.append(ThinkingPart(response.reasoning, provider_name=PROVIDER))
        if response.text:
            parts.append(TextPart(response.text))
        parts += [
            ToolCallPart(call.name, call.arguments, tool_call_id=call.id)
            for call in (*response.tool_calls, *_cut(response))
        ]
        return ModelResponse(
            parts=parts,
            usage=_usage(response),
            model_name=response.model,
            provider_name=PROVIDER,
            finish_reason=_REASONS.get(response.finish_reason),
            provider_details={"finish_reason": response.finish_reason},
        )

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """The answer as it is made; leaving the block ends it."""
        asked = self._asked(messages, model_settings, model_request_parameters)
        async with cm.astream(**asked) as events:
            with _told(self.model_name):
                await events.start()
            yield _Streamed(
                model_request_parameters=self.prepare_request(
                    model_settings, model_request_parameters
                )[1],
                _events=events,
                _name=self.model_name,
            )

    def _asked(
        self,
        messages: list[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters,
    ) -> dict[str, Any]:
        """The arguments of `cm.achat`."""
        check_allow_model_requests()
        prepared, parameters = self.prepare_request(settings, parameters)
        given: dict[str, Any] = {**(prepared or {})}
        options = {ours: given[name] for name, ours in _SETTINGS.items() if name in given}
        if bias := given.get("logit_bias"):
            options["logit_bias"] = {int(token): value for token, value in bias.items()}
        if parameters.thinking is not None:  # how much is `reasoning_budget`
            options["chat_template_kwargs"] = {"enable_thinking": bool(parameters.thinking)}
        extra = given.get("extra_body") or {}
        if not isinstance(extra, dict):
            raise UserError("extra_body is no dict; give options of convergio_mlx by their names")
        return {
            "model": self.model_name,
            "user": self._messages(messages, parameters),
            **{name: value for name, value in options.items() if value is not None},
            **_tools(prepared, parameters),
            **_form(parameters),
            **extra,
        }

    def _messages(
        self, messages: list[ModelMessage], parameters: ModelRequestParameters
    ) -> list[dict[str, Any]]:
        made = openai_messages(messages)
        instructions = self._get_instruction_parts(messages, parameters) or []
        texts = [said["content"] for said in made if said["role"] == "system"]
        texts += [part.content for part in instructions]
        others = [said for said in made if said["role"] != "system"]
        system = [{"role": "system", "content": "\n\n".join(texts)}] if texts else []
        return [*system, *others]


def _tools(settings: ModelSettings | None, parameters: ModelRequestParameters) -> dict[str, Any]:
    tools = parameters.declared_tool_defs
    choice = resolve_tool_choice(settings, parameters)
    if isinstance(choice, tuple):  # some of the tools
        choice, names = choice
        tools = {name: tool for name, tool in tools.items() if name in names}
    if not tools:
        return {}
    made = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description or "",
                "parameters": tool.parameters_json_schema,
            },
        }
        for tool in tools.values()
    ]
    return {"tools": made, "tool_choice": choice}


def _form(parameters: ModelRequestParameters) -> dict[str, Any]:
    """What holds the answer itself to the schema of its output."""
    wanted = parameters.output_object
    if wanted is None or parameters.output_mode not in ("native", "prompted"):
        return {}
    if parameters.output_mode == "prompted":
        return {"response_format": {"type": "json_object"}}
    described = {"name": wanted.name or "output", "schema": wanted.json_schema}
    return {"response_format": {"type": "json_schema", "json_schema": described}}


def openai_messages(messages: Sequence[ModelMessage]) -> list[dict[str, Any]]:
    """Pydantic AI's messages in OpenAI's shape.

    Raises:
        UserError: one has a part that is no text, reasoning, call or result.
    """
    made: list[dict[str, Any]] = []
    for message in messages:
        if isinstance(message, ModelRequest):
            made += [_request_part(part) for part in message.parts]
        else:
            made.append(_answer(message))
    return made


def _request_part(part: Any) -> dict[str, Any]:
    match part:
        case SystemPromptPart(content):
            return {"role": "system", "content": content}
        case UserPromptPart(content):
            return {"role": "user", "content": _text(content)}
        case ToolReturnPart():
            result = {"role": "tool", "name": part.tool_name, "tool_call_id": part.tool_call_id}
            return {**result, "content": part.model_response_str()}
        case _:
            raise _no_text(part)


def _answer(message: ModelResponse) -> dict[str, Any]:
    texts, thoughts, calls = [], [], []
    for part in message.parts:
        match part:
            case TextPart(content):
                texts.append(content)
            case ThinkingPart(content):
                thoughts.append(content)
            case ToolCallPart():
                function = {"name": part.tool_name, "arguments": part.args_as_json_str()}
                calls.append({"id": part.tool_call_id, "type": "function", "function": function})
            case _:
                raise _no_text(part)
    said: dict[str, Any] = {"role": "assistant", "content": "\n\n".join(texts)}
    if any(thoughts):
        said["reasoning_content"] = "\n\n".join(thoughts)
    return {**said, "tool_calls": calls} if calls else said


def _text(content: str | Sequence[Any]) -> str:
    if isinstance(content, str):
        return content
    texts = []
    for part in content:
        if isinstance(part, CachePoint):  # prompts that share a prefix reuse its cache anyway
            continue
        if not isinstance(part, str | TextContent):
            raise _no_text(part)
        texts.append(part if isinstance(part, str) else part.content)
    return "\n".join(texts)


def _no_text(part: object) -> UserError:
    return UserError(f"{type(part).__name__} is no text; models of convergio-mlx read text")


def _cut(response: cm.ChatResponse) -> Iterator[cm.ToolCall]:
    """A call that was cut off at the limit of tokens, which Pydantic AI tells of itself."""
    if response.incomplete_tool_call is not None:
        yield response.incomplete_tool_call


def _usage(response: cm.ChatResponse) -> RequestUsage:
    usage = response.usage
    return RequestUsage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
        details={"reasoning_tokens": usage.reasoning_tokens} if usage.reasoning_tokens else {},
    )


@contextmanager
def _told(model: str) -> Iterator[None]:
    """Errors as Pydantic AI has them, so that a `FallbackModel` knows them."""
    try:
        yield
    except cm.ConvergioError as error:
        raise ModelAPIError(model_name=model, message=str(error)) from error


@dataclass
class _Streamed(StreamedResponse):
    """The events of an answer in Pydantic AI's form."""

    _events: cm.AsyncEventStream
    _name: str
    _timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        with _told(self._name):
            async for event in self._events:
                for one in self._taken(event):
                    yield one

    def _taken(self, event: cm.StreamEvent) -> Iterator[ModelResponseStreamEvent]:
        match event:
            case cm.TextEvent(text):
                yield from self._parts_manager.handle_text_delta(
                    vendor_part_id="text", content=text
                )
            case cm.ReasoningEvent(text):
                yield from self._parts_manager.handle_thinking_delta(
                    vendor_part_id="reasoning", content=text, provider_name=PROVIDER
                )
            case cm.ToolCallEvent(call):
                yield self._parts_manager.handle_tool_call_part(
                    vendor_part_id=call.id,
                    tool_name=call.name,
                    args=call.arguments,
                    tool_call_id=call.id,
                )
            case cm.FinishEvent(response):
                self._usage = _usage(response)
                self.finish_reason = _REASONS.get(response.finish_reason)
                self.provider_details = {"finish_reason": response.finish_reason}

    async def close_stream(self) -> None:
        """Ends the answer."""
        self._events.cancel()

    @property
    def model_name(self) -> str:
        """The model's id."""
        return self._name

    @property
    def provider_name(self) -> str:
        """Whose model it is."""
        return PROVIDER

    @property
    def provider_url(self) -> None:
        """There is none: it runs in this process."""

    @property
    def timestamp(self) -> datetime:
        """When the answer began."""
        return self._timestamp
