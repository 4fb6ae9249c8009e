"""A chat as it was asked for: checked once, and trusted by everything after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin

from convergio_mlx.chats.tool_choice import ToolChoice, parse_choice
from convergio_mlx.chats.tools import Tool, ToolDefinition, parse_tools
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.generation.sampling import (
    SamplingOptions,
    SamplingParams,
    check_keywords,
)
from convergio_mlx.structured.type_schemas import name_of, schema_of
from convergio_mlx.text import messages as conversation

Question = str | Sequence[Mapping[str, Any]]
"""A user's text, or messages in OpenAI's shape."""

Tools = Sequence[Callable[..., Any] | ToolDefinition | Mapping[str, Any]]
"""Functions, `ToolDefinition`s, or OpenAI's tool definitions. They go through the chat template
where it has a place for them, otherwise into the system message (docs/tools.md)."""

Priority = Literal["background", "normal", "interactive"]
"""Who goes first where requests compete, the last one before the others (docs/sharing.md)."""
PRIORITIES: tuple[Priority, ...] = get_args(Priority)

_LONGEST = 10**9
"""Seconds of the longest deadline."""


class PromptOptions(SamplingOptions, total=False):
    """What any answer may be asked for with."""

    timeout: float | None
    """Seconds from the call until the answer must be complete; what renders and tokenizes the
    prompt, waiting and prefill included. Each of many prompts has as long from when it is taken."""
    priority: Priority
    """Which requests go before which; "normal" where it is not given."""
    chat_template_kwargs: Mapping[str, Any] | None
    """Further variables of the chat template, such as `enable_thinking`."""
    allow_lost_messages: bool
    """True: a message that the chat template leaves out is no error."""
    special_tokens_in_messages: bool
    """True: texts such as `<|im_end|>` in messages and tools become the special tokens that they
    spell. Without it they are text (docs/security.md)."""


class ChatOptions(PromptOptions, total=False):
    """Options besides messages, `params` and `tools`. One that cannot be honoured is an error."""

    tool_choice: str | Mapping[str, Any]
    """auto, none, required, `{"type": "function", "function": {"name": …}}`, or `{"type":
    "allowed_tools", "allowed_tools": {"mode": …, "tools": […]}}`, of those alone. What is called
    always parses, and fits the tool's parameters."""
    parallel_tool_calls: bool | None
    """False: at most one call in an answer. Without it as many as the model wants, but one where
    its chat template takes only one in a message."""
    run_tools: bool
    """True: calls of tools that are functions are run, their results given to the model, and so on
    until it answers otherwise. What a function raises is its result. An answer with a call of
    another tool ends it, and none of that answer's calls is run. After the first round
    `tool_choice` is auto. `timeout` holds for all of it; with one, functions run on a thread of
    their own, which is left behind where the time is over."""
    max_tool_rounds: int
    """Rounds of calls that `run_tools` runs at most, 10 without it: what is called after them is in
    `ChatResponse.tool_calls`."""
    response_format: Mapping[str, Any] | type[Any] | None
    """What an answer that is no call must be: a type (a pydantic model, a dataclass, a TypedDict,
    `list[int]`, …), of which `ChatResponse.parsed` is then a value; or `{"type": "json_object"}`,
    `{"type": "json_schema", "json_schema": {"schema": …}}`, `{"type": "regex", "regex": …}`,
    `{"type": "choice", "choice": […]}` or `{"type": "grammar", "grammar": …}`."""
    reasoning_budget: int | None
    """Tokens of reasoning at most, for a model that reasons."""


CHAT_OPTIONS = frozenset(ChatOptions.__annotations__)
_TOOL_ROUNDS = 10


@dataclass(frozen=True)
class ChatRequest:
    """Messages and what is wanted of the answer to them, in plain data."""

    messages: list[conversation.Message]
    params: SamplingParams
    choice: ToolChoice
    """With the tools that may be called."""
    tools: tuple[Tool, ...] = ()
    run_tools: bool = False
    max_tool_rounds: int = _TOOL_ROUNDS
    response_format: Mapping[str, Any] | None = None
    answer_type: Any = None
    """The type that `response_format` was made of."""
    reasoning_budget: int | None = None
    timeout: float | None = None
    priority: Priority = "normal"
    chat_template_kwargs: Mapping[str, Any] | None = None
    allow_lost_messages: bool = False
    special_tokens_in_messages: bool = False

    @classmethod
    def of(
        cls,
        call: str,
        messages: Any,
        params: SamplingParams | None = None,
        tools: Tools | None = None,
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> ChatRequest:
        """Checks a request.

        Args:
            call: the public function that was called, for a TypeError.
            messages: in OpenAI's shape.
            params: how to sample and when to end; options of the same names go before it.
            tools: what may be called.
            options: `ChatOptions`.

        Raises:
            TypeError: there is no such option.
            InvalidRequestError: messages, tools or an option are not of their type.
        """
        check_keywords(call, options, CHAT_OPTIONS)
        parsed = parse_tools(tools)
        given = options.get("response_format")
        answer_type = given if _is_type(given) else None
        return cls(
            messages=conversation.checked(messages),
            params=SamplingParams.of(params, options),
            choice=parse_choice(
                options.get("tool_choice", "auto"), parsed, options.get("parallel_tool_calls")
            ),
            tools=parsed,
            run_tools=_runs(parsed, options),
            max_tool_rounds=_rounds(options),
            response_format=given if answer_type is None else _format_of(answer_type),
            answer_type=answer_type,
            reasoning_budget=_token_budget(options.get("reasoning_budget")),
            timeout=seconds("timeout", options.get("timeout")),
            priority=priority_of(options),
            chat_template_kwargs=template_variables(options.get("chat_template_kwargs")),
            allow_lost_messages=flag("allow_lost_messages", options),
            special_tokens_in_messages=flag("special_tokens_in_messages", options),
        )


def conversation_of(system: str | None, user: Question) -> list[Mapping[str, Any]]:
    """The messages of a chat: the system's, then the user's question or conversation.

    Raises:
        InvalidRequestError: system or user is not of its type, or there are two system texts.
    """
    if system is not None and not isinstance(system, str):
        raise InvalidRequestError(
            f"[request] system is of type {type(system).__name__}; give a text or None."
        )
    if isinstance(user, str):
        messages: list[Mapping[str, Any]] = [{"role": "user", "content": user}]
    else:
        messages = [*conversation.checked(user)]
        if system and any(message["role"] in ("system", "developer") for message in messages):
            raise InvalidRequestError(
                "[request] there is a system text and a system message; give one of them."
            )
    return [{"role": "system", "content": system}, *messages] if system else messages


def seconds(name: str, given: object) -> float | None:
    """A deadline or another time, by the name of its option.

    Raises:
        InvalidRequestError: it is no number of seconds.
    """
    if given is None:
        return None
    is_number = isinstance(given, Real) and not isinstance(given, bool)
    if not is_number or not 0 < given <= _LONGEST:  # type: ignore[operator]
        raise InvalidRequestError(
            f"[request] {name} is {given!r}, which must be a number of seconds above 0 and at "
            f"most {_LONGEST}; give None for none."
        )
    return float(given)  # type: ignore[arg-type]


def priority_of(options: Mapping[str, Any]) -> Priority:
    """A request's priority, "normal" where it is not given.

    Raises:
        InvalidRequestError: there is no such priority.
    """
    given = options.get("priority", "normal")
    if given not in PRIORITIES:
        raise InvalidRequestError(
            f"[request] priority is {given!r}; give one of {', '.join(map(repr, PRIORITIES))}."
        )
    return given  # type: ignore[no-any-return]


def flag(name: str, options: Mapping[str, Any]) -> bool:
    """An option that is on or off, and off where it is not given.

    Raises:
        InvalidRequestError: it is neither.
    """
    given = options.get(name, False)
    if not isinstance(given, bool):
        raise InvalidRequestError(
            f"[request] {name} is {given!r}, which must be True or False; give one of them."
        )
    return given


def template_variables(given: object) -> dict[str, Any] | None:
    """Variables of a chat template by name.

    Raises:
        InvalidRequestError: they are no dict by name, or one would replace messages or tools.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InvalidRequestError(
            f"[request] chat_template_kwargs is of type {type(given).__name__}; give a dict "
            "of the chat template's variables."
        )
    for name in given:
        if not isinstance(name, str) or name in ("messages", "tools"):
            raise InvalidRequestError(
                f"[request] chat_template_kwargs has the variable {name!r}; give names other than "
                "'messages' and 'tools'."
            )
    return dict(given)


def _is_type(given: object) -> bool:
    """Whether a `response_format` is a type rather than a dict."""
    return isinstance(given, type) or get_origin(given) is not None


def _format_of(kind: Any) -> dict[str, Any]:
    described = {"name": name_of(kind), "schema": schema_of(kind, "response_format")}
    return {"type": "json_schema", "json_schema": described}


def _runs(tools: Sequence[Tool], options: Mapping[str, Any]) -> bool:
    runs = flag("run_tools", options)
    if runs and not any(tool.function for tool in tools):
        raise InvalidRequestError(
            "[tools] run_tools is True, and none of the tools is a function; give functions, or "
            "leave it out."
        )
    return runs


def _rounds(options: Mapping[str, Any]) -> int:
    given = options.get("max_tool_rounds")
    if given is None:
        return _TOOL_ROUNDS
    if not options.get("run_tools"):
        raise InvalidRequestError(
            "[tools] max_tool_rounds is given without run_tools, which it belongs to; give "
            "run_tools=True, or leave it out."
        )
    if isinstance(given, bool) or not isinstance(given, Integral) or int(given) < 1:
        raise InvalidRequestError(
            f"[tools] max_tool_rounds is {given!r}; give a whole number of at least 1."
        )
    return int(given)


def _token_budget(given: object) -> int | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, Integral) or int(given) < 0:
        raise InvalidRequestError(
            f"[reasoning] reasoning_budget is {given!r}, which must be a whole number of tokens, "
            "0 or more; give None for no budget."
        )
    return int(given)
