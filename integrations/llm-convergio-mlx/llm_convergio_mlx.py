"""A plugin for LLM: models of convergio-mlx, in LLM's own process."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import llm
from llm.parts import (
    Message,
    ReasoningPart,
    StreamEvent,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from pydantic import Field

import convergio_mlx as cm

PREFIX = "mlx/"


@llm.hookimpl
def register_models(register: Callable[..., None]) -> None:
    """Registers the models that are installed."""
    provider = cm.mlx_provider_create()
    if provider is None:
        return  # MLX cannot run on this machine
    for config in provider.list_models():
        if config.installed:
            register(ConvergioModel(config.id), AsyncConvergioModel(config.id))


class Options(llm.Options):
    """How an answer is made; what is not given follows the model's generation_config.json."""

    temperature: float | None = Field(None, description="0 takes the likeliest token")
    max_tokens: int | None = Field(None, description="Tokens of the answer at most")
    top_p: float | None = Field(None, description="Sample from the likeliest that reach this")
    top_k: int | None = Field(None, description="Sample from so many likeliest tokens; 0: all")
    min_p: float | None = Field(None, description="Sample from those at least so likely")
    repetition_penalty: float | None = Field(None, description="Above 1: repeat less")
    presence_penalty: float | None = Field(None, description="Above 0: repeat less")
    frequency_penalty: float | None = Field(None, description="Above 0: repeat less")
    seed: int | None = Field(None, description="The same seed gives the same answer")
    stop: str | None = Field(None, description="A text that ends the answer")
    timeout: float | None = Field(None, description="Seconds until an answer must be complete")
    reasoning_budget: int | None = Field(None, description="Tokens of reasoning at most")
    thinking: bool | None = Field(None, description="Whether a model that can is to reason")


class _Shared:
    """What both kinds of models do."""

    can_stream = True
    supports_schema = True
    supports_tools = True
    Options = Options

    def __init__(self, name: str) -> None:
        """Takes the model's id without the prefix."""
        self.model_id = f"{PREFIX}{name}"
        self._name = name

    def __str__(self) -> str:
        return f"convergio-mlx: {self.model_id}"

    def _request(self, prompt: llm.Prompt) -> dict[str, Any]:
        """The arguments of `cm.stream`."""
        options = {
            name: value for name, value in prompt.options.model_dump().items() if value is not None
        }
        thinking = options.pop("thinking", None)
        if thinking is not None:
            options["chat_template_kwargs"] = {"enable_thinking": thinking}
        if prompt.schema:
            options["response_format"] = {
                "type": "json_schema",
                "json_schema": {"schema": prompt.schema},
            }
        if prompt.tools:
            options["tools"] = [_definition(tool) for tool in prompt.tools]
        messages = [one for message in prompt.messages for one in openai_messages(message)]
        return {"model": self._name, "user": messages, **options}

    def _taken(self, event: Any, prompt: llm.Prompt, response: Any) -> Iterator[StreamEvent]:
        """An event in LLM's form."""
        match event:
            case cm.TextEvent(text):
                yield StreamEvent(type="text", chunk=text)
            case cm.ReasoningEvent(text) if not prompt.hide_reasoning:
                yield StreamEvent(type="reasoning", chunk=text)
            case cm.ToolCallEvent(call, complete=True):
                arguments = json.loads(call.arguments)
                response.add_tool_call(llm.ToolCall(call.name, arguments, call.id))
                named = {"tool_call_id": call.id}
                yield StreamEvent(type="tool_call_name", chunk=call.name, **named)
                yield StreamEvent(type="tool_call_args", chunk=call.arguments, **named)
            case cm.FinishEvent(answer):
                usage = answer.usage
                details = {"cached_tokens": usage.cached_tokens} if usage.cached_tokens else {}
                if usage.reasoning_tokens:
                    details["reasoning_tokens"] = usage.reasoning_tokens
                response.set_usage(
                    input=usage.input_tokens, output=usage.output_tokens, details=details or None
                )
                response.response_json = {"finish_reason": answer.finish_reason}


class ConvergioModel(_Shared, llm.Model):
    """A model for threads."""

    def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.Response,
        conversation: llm.Conversation | None,
    ) -> Iterator[StreamEvent]:
        """Answers a prompt."""
        with _told(), cm.stream(**self._request(prompt)) as events:
            for event in events:
                yield from self._taken(event, prompt, response)


class AsyncConvergioModel(_Shared, llm.AsyncModel):
    """A model for asyncio."""

    async def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.AsyncResponse,
        conversation: llm.AsyncConversation | None,
    ) -> AsyncGenerator[StreamEvent, None]:
        """Answers a prompt."""
        with _told():
            async with cm.astream(**self._request(prompt)) as events:
                async for event in events:
                    for one in self._taken(event, prompt, response):
                        yield one


@contextmanager
def _told() -> Iterator[None]:
    """Errors as LLM shows them: a sentence, without a traceback."""
    try:
        yield
    except cm.ConvergioError as error:
        raise llm.ModelError(str(error)) from error


def _definition(tool: Any) -> dict[str, Any]:
    if not isinstance(tool, llm.Tool):
        raise llm.ModelError(f"{tool.name} is a tool of a service; give one that runs here.")
    function = {
        "name": tool.name,
        "description": tool.description or "",
        "parameters": tool.input_schema or {"type": "object", "properties": {}},
    }
    return {"type": "function", "function": function}


def openai_messages(message: Message) -> list[dict[str, Any]]:
    """A message of LLM's in OpenAI's shape; results of tools become one each."""
    texts, thoughts, calls, results = [], [], [], []
    for part in message.parts:
        match part:
            case TextPart(text):
                texts.append(text)
            case ReasoningPart(text):
                thoughts.append(text)
            case ToolCallPart(name, arguments, call_id):
                function = {"name": name, "arguments": json.dumps(arguments)}
                calls.append({"id": call_id, "type": "function", "function": function})
            case ToolResultPart(name, output, call_id):
                result = {"role": "tool", "tool_call_id": call_id, "name": name}
                results.append({**result, "content": output})
            case _:
                raise llm.ModelError(f"{type(part).__name__} is no text; these models read text.")
    if message.role == "tool":
        return results
    said: dict[str, Any] = {"role": message.role, "content": "".join(texts)}
    if any(thoughts):
        said["reasoning_content"] = "".join(thoughts)
    return [{**said, "tool_calls": calls} if calls else said, *results]
