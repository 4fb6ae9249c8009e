"""What goes into a chat and what comes out of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.sampling import SamplingParams
from convergio_mlx.text import messages as conversation

if TYPE_CHECKING:
    from convergio_mlx.answers.events import FinishReason
    from convergio_mlx.answers.tool_calls import ToolCall
    from convergio_mlx.generation import GenerationStats
    from convergio_mlx.providers.interface import ProviderErrorInfo

Prompt = str | Sequence[Mapping[str, Any]]
"""A question, or messages in OpenAI's shape."""

ToolChoice = str | Mapping[str, Any]
"""auto, none, required, or one tool: `{"type": "function", "function": {"name": …}}`."""


class ChatOptions(TypedDict, total=False):
    """What may be given beside a prompt. An option that a provider cannot honour is an error."""

    params: SamplingParams | None
    """How to choose tokens and when to end."""
    response_format: Mapping[str, Any] | None
    """OpenAI's: `{"type": "json_object"}`, or `{"type": "json_schema", "json_schema": …}`."""
    reasoning_budget: int | None
    """Tokens of reasoning at most."""
    timeout: float | None
    """Seconds until the answer must be complete."""
    template: Mapping[str, Any] | None
    """Further variables of the model's chat template, such as `enable_thinking`."""


class StreamOptions(ChatOptions, total=False):
    """`ChatOptions`, and tools."""

    tools: Sequence[ToolDefinition | Mapping[str, Any]]
    tool_choice: ToolChoice


@dataclass(frozen=True)
class ToolDefinition:
    """A function that the model may ask to be called."""

    name: str
    description: str
    parameters: Mapping[str, Any] = field(
        default_factory=lambda: {"type": "object", "properties": {}}
    )
    """JSON Schema of its arguments."""

    def openai(self) -> dict[str, Any]:
        """As OpenAI's API writes it."""
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
        }
        return {"type": "function", "function": function}


@dataclass(frozen=True)
class TokenUsage:
    """Tokens of a request and what they cost."""

    input_tokens: int = 0
    output_tokens: int = 0
    """Of the answer, its reasoning and calls included."""
    cached_tokens: int = 0
    """Those of the input that were not computed anew, since a kept cache had them."""
    estimated_cost: float = 0.0
    """Dollars; 0 for a local model."""


@dataclass(frozen=True)
class Timings:
    """Seconds, as the caller waited."""

    first_event_seconds: float = 0.0
    """From the call (with asyncio: the first await) to the first piece of the answer; loading the
    model is part of it."""
    total_seconds: float = 0.0


@dataclass(frozen=True)
class ChatResponse:
    """A whole answer."""

    text: str
    finish_reason: FinishReason
    """stop: the model ended it; tool_calls: it ended and asks for calls; length: it was cut off;
    cancelled: this is what there was until then."""
    model: str
    tool_calls: tuple[ToolCall, ...] = ()
    cut_call: ToolCall | None = None
    """A call that was cut off: its arguments are no JSON."""
    reasoning: str = ""
    """What the model thought before it answered, where it tells."""
    usage: TokenUsage = TokenUsage()
    timings: Timings = Timings()
    stats: GenerationStats | None = None
    """What the engine took, where the model ran in this process."""

    def message(self) -> dict[str, Any]:
        """The answer as a message in OpenAI's shape, for the next turn."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.tool_calls:
            message["tool_calls"] = [call.message() for call in self.tool_calls]
        return message


@dataclass(frozen=True)
class ResponseEvent:
    """The last event of a stream: the whole answer."""

    response: ChatResponse


@dataclass(frozen=True, kw_only=True)
class StreamHandler:
    """Who is told of an answer while it is made. All are called on the thread of `stream_chat`."""

    on_chunk: Callable[[str], object]
    """Each piece of the answer's text."""
    on_complete: Callable[[str], object] | None = None
    """The full text, once; not after an error."""
    on_error: Callable[[ProviderErrorInfo], object] | None = None
    """What went wrong, once; without it the error is raised."""
    on_reasoning: Callable[[str], object] | None = None
    """Each piece of the model's reasoning."""
    on_tool_call: Callable[[ToolCall], object] | None = None
    """Each call, whole."""
    on_response: Callable[[ChatResponse], object] | None = None
    """The whole answer with its usage, once, after `on_complete`."""


@dataclass(frozen=True)
class ChatRequest:
    """A chat as it was asked for, checked, in plain data."""

    model: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None = None
    tool_choice: ToolChoice = "auto"
    params: SamplingParams | None = None
    response_format: Mapping[str, Any] | None = None
    reasoning_budget: int | None = None
    timeout: float | None = None
    template: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls, model: str, system: str | None, user: Prompt, options: Mapping[str, Any]
    ) -> ChatRequest:
        """Checks what every provider would have to.

        Raises:
            InvalidRequestError: model, system, user or an option is not of its type.
        """
        if not isinstance(model, str) or not model.strip():
            _refuse(f"the model is {model!r}", "give the id of one")
        if unknown := sorted(set(options) - _OPTIONS):
            known = ", ".join(sorted(_OPTIONS))
            _refuse(f"there is no option {unknown[0]!r}", f"there are {known}")
        given = dict(options)
        params = given.get("params")
        if params is not None and not isinstance(params, SamplingParams):
            _refuse(f"params is a {type(params).__name__}", "give SamplingParams or None")
        tools = openai_tools(given.pop("tools", None)) or None
        return cls(model, request_messages(system, user), tools, **given)


_OPTIONS = frozenset(StreamOptions.__annotations__)


def request_messages(system: str | None, user: Prompt) -> list[dict[str, Any]]:
    """The messages of a chat: the system's, then the user's question or conversation.

    Raises:
        InvalidRequestError: they are not such.
    """
    if system is not None and not isinstance(system, str):
        _refuse(f"system is a {type(system).__name__}", "give a text or None")
    if isinstance(user, str):
        messages = [{"role": "user", "content": user}]
    else:
        messages = conversation.checked(user)
        if system and any(message["role"] in ("system", "developer") for message in messages):
            _refuse("there is a system text and a system message", "give one of them")
    return [{"role": "system", "content": system}, *messages] if system else messages


def openai_tools(
    tools: Sequence[ToolDefinition | Mapping[str, Any]] | None,
) -> list[dict[str, Any]] | None:
    """Tool definitions as OpenAI's API writes them.

    Raises:
        InvalidRequestError: one is neither a `ToolDefinition` nor of that shape.
    """
    if not isinstance(tools, list | tuple):
        return conversation.checked_tools(tools)
    plain = [tool.openai() if isinstance(tool, ToolDefinition) else tool for tool in tools]
    checked = conversation.checked_tools(plain)
    if checked is None:
        return None
    return [
        tool if "function" in tool else {"type": "function", "function": tool} for tool in checked
    ]


def as_text(message: Mapping[str, Any]) -> str:
    """All that a message says, its calls included, as one text."""
    content = message.get("content") or ""
    if not isinstance(content, str):
        content = "".join(part.get("text", "") for part in content)
    calls = message.get("tool_calls") or []
    written = [json.dumps(call.get("function", call), ensure_ascii=False) for call in calls]
    return "\n".join(part for part in (content, *written) if part)


def _refuse(what: str, remedy: str) -> NoReturn:
    raise InvalidRequestError(f"[provider] {what}; {remedy}.")
