"""A chat model of LangChain: models of convergio-mlx, in the program's own process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Literal

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel, LangSmithParams
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    convert_to_openai_messages,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel, ConfigDict, Field, model_validator

import convergio_mlx as cm

_OPTIONS = (
    *("temperature", "max_tokens", "top_p", "top_k", "min_p", "repetition_penalty"),
    *("presence_penalty", "frequency_penalty", "seed", "timeout", "reasoning_budget"),
    *("chat_template_kwargs", "parallel_tool_calls"),
)
"""Fields that are options of an answer by the same names."""
_OF_SERVICES = ("api_key", "max_retries")
"""What LangChain's standard has all models take, and says nothing of one in this process."""


class ChatConvergioMlx(BaseChatModel):
    """A model of convergio-mlx. Options that are None follow its generation_config.json."""

    model_config = ConfigDict(populate_by_name=True, extra="forbid")

    model: str = "convergio-guide"
    """`convergio-guide` (the embedded one), the id of a downloaded model, or a folder."""
    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: list[str] | None = Field(default=None, alias="stop_sequences")
    timeout: float | None = None
    """Seconds until an answer must be complete."""
    reasoning_budget: int | None = None
    """Tokens of reasoning at most."""
    chat_template_kwargs: dict[str, Any] | None = None
    """Variables of the chat template, such as `enable_thinking`."""
    parallel_tool_calls: bool | None = None
    """False: at most one call in an answer."""
    streaming: bool = False
    """Whether `invoke` streams too, for callbacks that are told of each piece."""

    @model_validator(mode="before")
    @classmethod
    def _without_services(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if name not in _OF_SERVICES}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Its options are all that it is: `langchain_core.load` makes it again."""
        return True

    @property
    def _llm_type(self) -> str:
        return "convergio-mlx"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model, **self._options()}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = LangSmithParams(
            ls_provider="convergio-mlx",
            ls_model_name=kwargs.get("model", self.model),
            ls_model_type="chat",
        )
        temperature = kwargs.get("temperature", self.temperature)
        if temperature is not None:
            params["ls_temperature"] = temperature
        max_tokens = kwargs.get("max_tokens", self.max_tokens)
        if max_tokens is not None:
            params["ls_max_tokens"] = max_tokens
        if stops := stop or self.stop:
            params["ls_stop"] = stops
        return params

    def _options(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in _OPTIONS}
        return {name: value for name, value in given.items() if value is not None}

    def _request(
        self, messages: list[BaseMessage], stop: list[str] | None, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The arguments of `cm.chat`."""
        options = {**self._options(), **given}
        options.pop("ls_structured_output_format", None)
        if stops := stop or self.stop:
            options["stop"] = stops
        if options.get("logprobs"):
            raise cm.InvalidRequestError("[langchain] logprobs are not given here; leave them out.")
        return {"model": self.model, "user": openai_messages(messages), **options}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _result(cm.chat(**self._request(messages, stop, kwargs)))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _result(await cm.achat(**self._request(messages, stop, kwargs)))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        calls = 0
        with cm.stream(**self._request(messages, stop, kwargs)) as events:
            for event in events:
                chunk = _chunk(event, calls)
                calls += isinstance(event, cm.ToolCallEvent)
                if run_manager is not None:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        calls = 0
        async with cm.astream(**self._request(messages, stop, kwargs)) as events:
            async for event in events:
                chunk = _chunk(event, calls)
                calls += isinstance(event, cm.ToolCallEvent)
                if run_manager is not None:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools that it may call.

        Args:
            tools: as LangChain has them.
            tool_choice: "auto", "none", "any" or "required" (or True), or the name of a tool.
            kwargs: further options of an answer.
        """
        made = [convert_to_openai_tool(tool) for tool in tools]
        if tool_choice is not None:
            kwargs["tool_choice"] = _choice(tool_choice)
        return self.bind(tools=made, **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        include_raw: bool = False,
        method: Literal["json_schema", "function_calling", "json_mode"] = "json_schema",
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """The model, whose answers are values of a schema.

        Args:
            schema: a pydantic model, a TypedDict or a JSON Schema.
            include_raw: give a dict of `raw`, `parsed` and `parsing_error`.
            method: json_schema holds the answer itself to the schema; function_calling the
                arguments of a call; json_mode only to be an object.
            kwargs: further options of an answer.
        """
        if method == "function_calling":
            kwargs.pop("strict", None)
            return super().with_structured_output(schema, include_raw=include_raw, **kwargs)
        kwargs.pop("strict", None)
        described = convert_to_json_schema(schema)
        form: dict[str, Any] = {"type": "json_object"}
        if method == "json_schema":
            form = {"type": "json_schema", "json_schema": {"schema": described}}
        traced = {"kwargs": {"method": method}, "schema": described}
        held = self.bind(response_format=form, ls_structured_output_format=traced, **kwargs)
        is_model = is_basemodel_subclass(schema)
        parser: Runnable[Any, Any] = (
            PydanticOutputParser(pydantic_object=schema) if is_model else JsonOutputParser()
        )
        if not include_raw:
            return held | parser
        parsed = RunnablePassthrough.assign(
            parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
        )
        none = RunnablePassthrough.assign(parsed=lambda _: None)
        return RunnableMap(raw=held) | parsed.with_fallbacks([none], exception_key="parsing_error")


def openai_messages(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """LangChain's messages in OpenAI's shape."""
    made = convert_to_openai_messages(messages)
    for message, given in zip(made, messages, strict=True):
        if thought := given.additional_kwargs.get("reasoning_content"):
            message["reasoning_content"] = thought
        if message["role"] == "assistant" and isinstance(message.get("content"), list):
            kept = [part for part in message["content"] if part.get("type") == "text"]
            message["content"] = "".join(part["text"] for part in kept)
    return made


def _choice(choice: str | dict[str, Any] | bool) -> str | dict[str, Any]:
    if isinstance(choice, bool):
        return "required" if choice else "auto"
    if choice == "any":
        return "required"
    if isinstance(choice, str) and choice not in ("auto", "none", "required"):
        return {"type": "function", "function": {"name": choice}}
    return choice


def _usage(response: cm.ChatResponse) -> UsageMetadata:
    usage = response.usage
    return UsageMetadata(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        input_token_details={"cache_read": usage.cached_tokens},
        output_token_details={"reasoning": usage.reasoning_tokens},
    )


def _metadata(response: cm.ChatResponse) -> dict[str, Any]:
    return {
        "model_name": response.model,
        "model_provider": "convergio-mlx",
        "finish_reason": response.finish_reason,
    }


def _thought(text: str) -> dict[str, Any]:
    return {"reasoning_content": text} if text else {}


def _result(response: cm.ChatResponse) -> ChatResult:
    cut = response.incomplete_tool_call
    message = AIMessage(
        content=response.text,
        additional_kwargs=_thought(response.reasoning),
        tool_calls=[
            tool_call(name=call.name, args=json.loads(call.arguments), id=call.id)
            for call in response.tool_calls
        ],
        invalid_tool_calls=[]
        if cut is None
        else [
            invalid_tool_call(name=cut.name, args=cut.arguments, id=cut.id, error="it was cut off")
        ],
        usage_metadata=_usage(response),
        response_metadata=_metadata(response),
    )
    return ChatResult(generations=[ChatGeneration(message=message)])


def _chunk(event: cm.StreamEvent, calls: int) -> ChatGenerationChunk:
    match event:
        case cm.TextEvent(text):
            message = AIMessageChunk(content=text)
        case cm.ReasoningEvent(text):
            message = AIMessageChunk(content="", additional_kwargs=_thought(text))
        case cm.ToolCallEvent(call):
            piece = tool_call_chunk(name=call.name, args=call.arguments, id=call.id, index=calls)
            message = AIMessageChunk(content="", tool_call_chunks=[piece])
        case cm.FinishEvent(response):
            message = AIMessageChunk(
                content="",
                usage_metadata=_usage(response),
                response_metadata=_metadata(response),
                chunk_position="last",
            )
        case _:
            message = AIMessageChunk(content="")
    return ChatGenerationChunk(message=message)
