"""An LLM of LlamaIndex: models of convergio-mlx, in the program's own process."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.bridge.pydantic import Field
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection

import convergio_mlx as cm

if TYPE_CHECKING:
    from llama_index.core.tools.types import BaseTool

_OPTIONS = (
    *("temperature", "max_tokens", "top_p", "top_k", "min_p", "repetition_penalty"),
    *("presence_penalty", "frequency_penalty", "seed", "stop", "timeout", "reasoning_budget"),
    "chat_template_kwargs",
)
"""Fields that are options of an answer by the same names."""
_ROLES = {MessageRole.CHATBOT: "assistant", MessageRole.MODEL: "assistant"}
"""Other providers' names of a role; any other role is its own value."""


class ConvergioMlx(FunctionCallingLLM):
    """A model of convergio-mlx. Options that are None follow its generation_config.json."""

    model: str = Field(
        default="convergio-guide",
        description="`convergio-guide` (the embedded one), the id of a downloaded model, a folder",
    )
    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: list[str] | None = None
    timeout: float | None = Field(default=None, description="Seconds until an answer is complete")
    reasoning_budget: int | None = Field(default=None, description="Tokens of reasoning at most")
    chat_template_kwargs: dict[str, Any] | None = Field(
        default=None, description="Variables of the chat template, such as `enable_thinking`"
    )

    @classmethod
    def class_name(cls) -> str:
        """The name that LlamaIndex keeps it by."""
        return "ConvergioMlx"

    @property
    def metadata(self) -> LLMMetadata:
        """The model's window, and what it can do."""
        return LLMMetadata(
            context_window=_window(self.model),
            num_output=self.max_tokens or -1,
            is_chat_model=True,
            is_function_calling_model=True,
            model_name=self.model,
        )

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answers a conversation."""
        return _whole(cm.chat(**self._request(messages, kwargs)))

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """As `chat`, for asyncio."""
        return _whole(await cm.achat(**self._request(messages, kwargs)))

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """As `chat`, each response with what there is so far."""

        def responses() -> ChatResponseGen:
            said = _SoFar()
            with cm.stream(**self._request(messages, kwargs)) as events:
                for event in events:
                    yield from said.add(event)

        return responses()

    @llm_chat_callback()
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """As `stream_chat`, for asyncio."""

        async def responses() -> ChatResponseAsyncGen:
            said = _SoFar()
            async with cm.astream(**self._request(messages, kwargs)) as events:
                async for event in events:
                    for response in said.add(event):
                        yield response

        return responses()

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Answers a text as a user's."""
        return _completion(self.chat([ChatMessage(prompt)], **kwargs))

    @llm_completion_callback()
    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        """As `complete`, for asyncio."""
        return _completion(await self.achat([ChatMessage(prompt)], **kwargs))

    @llm_completion_callback()
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        """As `complete`, each response with what there is so far."""
        return (_completion(one) for one in self.stream_chat([ChatMessage(prompt)], **kwargs))

    @llm_completion_callback()
    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        """As `stream_complete`, for asyncio."""
        responses = await self.astream_chat([ChatMessage(prompt)], **kwargs)
        return (_completion(one) async for one in responses)

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """The calls of an answer."""
        calls = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
        if not calls and error_on_no_tool_call:
            raise ValueError(f"the answer calls no tool: {response.message.content!r}")
        return [
            ToolSelection(
                tool_id=call.tool_call_id or "",
                tool_name=call.tool_name,
                tool_kwargs=_arguments(call),
            )
            for call in calls
        ]

    def _prepare_chat_with_tools(  # noqa: PLR0917 (as LlamaIndex has it)
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        messages = [*(chat_history or [])]
        if user_msg is not None:
            messages.append(ChatMessage(user_msg) if isinstance(user_msg, str) else user_msg)
        given = {"tools": [tool.metadata.to_openai_tool(True) for tool in tools]}
        choice: dict[str, Any] = {"tool_choice": "required"} if tool_required else {}
        parallel = {} if allow_parallel_tool_calls else {"parallel_tool_calls": False}
        return {"messages": messages, **given, **choice, **parallel, **kwargs}

    def _request(self, messages: Sequence[ChatMessage], given: dict[str, Any]) -> dict[str, Any]:
        """The arguments of `cm.chat`."""
        own = {name: getattr(self, name) for name in _OPTIONS}
        options = {name: value for name, value in {**own, **given}.items() if value is not None}
        return {"model": self.model, "user": openai_messages(messages), **options}


@lru_cache(maxsize=16)
def _window(model: str) -> int:
    """LlamaIndex asks with each prompt that it packs, and reading a model's files takes a while."""
    return cm.MlxProvider().usable_window(model)


def openai_messages(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """LlamaIndex's messages in OpenAI's shape.

    Raises:
        ValueError: one has a block that is no text, reasoning or call.
    """
    return [_message(message) for message in messages]


def _message(message: ChatMessage) -> dict[str, Any]:
    texts, thoughts, calls = [], [], []
    for block in message.blocks:
        match block:
            case TextBlock(text=text):
                texts.append(text)
            case ThinkingBlock(content=content):
                thoughts.append(content or "")
            case ToolCallBlock():
                arguments = json.dumps(_arguments(block), ensure_ascii=False)
                function = {"name": block.tool_name, "arguments": arguments}
                calls.append({"id": block.tool_call_id, "type": "function", "function": function})
            case _:
                raise ValueError(f"{type(block).__name__} is no text; these models read text")
    role = _ROLES.get(message.role, message.role.value)
    said: dict[str, Any] = {"role": role, "content": "\n".join(texts)}
    if any(thoughts):
        said["reasoning_content"] = "".join(thoughts)
    if calls:
        said["tool_calls"] = calls
    for name in ("tool_call_id", "name"):
        if value := message.additional_kwargs.get(name):
            said[name] = value
    return said


def _arguments(call: ToolCallBlock) -> dict[str, Any]:
    given = call.tool_kwargs
    return json.loads(given) if isinstance(given, str) else given


def _assistant(text: str, reasoning: str, calls: Sequence[cm.ToolCall]) -> ChatMessage:
    blocks: list[Any] = [ThinkingBlock(content=reasoning)] if reasoning else []
    if text or not calls:
        blocks.append(TextBlock(text=text))
    blocks += [
        ToolCallBlock(
            tool_call_id=call.id, tool_name=call.name, tool_kwargs=json.loads(call.arguments)
        )
        for call in calls
    ]
    return ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks)


def _whole(response: cm.ChatResponse) -> ChatResponse:
    message = _assistant(response.text, response.reasoning, response.tool_calls)
    return ChatResponse(message=message, raw=_raw(response))


def _raw(response: cm.ChatResponse) -> dict[str, Any]:
    """What LlamaIndex's instrumentation reads, by OpenAI's names."""
    usage = response.usage
    return {
        "model": response.model,
        "finish_reason": response.finish_reason,
        "usage": {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
        },
    }


def _completion(response: ChatResponse) -> CompletionResponse:
    return CompletionResponse(
        text=response.message.content or "", delta=response.delta, raw=response.raw
    )


class _SoFar:
    """Adds up the events of an answer."""

    def __init__(self) -> None:
        self._text = ""
        self._reasoning = ""
        self._calls: list[cm.ToolCall] = []

    def add(self, event: cm.StreamEvent) -> Iterator[ChatResponse]:
        """The responses that an event makes."""
        delta, raw = "", None
        match event:
            case cm.TextEvent(text):
                self._text += text
                delta = text
            case cm.ReasoningEvent(text):
                self._reasoning += text
            case cm.ToolCallEvent(call, complete=True):
                self._calls.append(call)
            case cm.FinishEvent(response):
                raw = _raw(response)
            case _:
                return
        message = _assistant(self._text, self._reasoning, self._calls)
        yield ChatResponse(message=message, delta=delta, raw=raw)
