"""A request: the prompt and its options, checked, as the engine takes them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

from convergio_mlx.chats.request import (
    PRIORITIES,
    ChatRequest,
    Priority,
    PromptOptions,
    Tools,
    flag,
    priority_of,
    seconds,
    template_variables,
)
from convergio_mlx.chats.tools import Tool, parse_tools
from convergio_mlx.errors import ContextLengthError, InvalidRequestError
from convergio_mlx.generation.reader import Prepared
from convergio_mlx.generation.sampling import SamplingParams
from convergio_mlx.platform.deadline import Deadline
from convergio_mlx.platform.native import native
from convergio_mlx.structured.host import grammar_of, native_constraint
from convergio_mlx.text import messages as conversation
from convergio_mlx.text.stop_strings import StopStrings
from convergio_mlx.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from convergio_mlx.chats.event_parser import EventParser
    from convergio_mlx.chats.planning import Plan
    from convergio_mlx.structured.constraint import Constraint
    from convergio_mlx.text.detokenizer import Detokenizer

Prompt = str | Sequence[int] | Sequence[Mapping[str, Any]]
"""A text to continue, token ids, or messages in OpenAI's shape."""


class ManyOptions(PromptOptions, total=False):
    """Options of `Engine.generate_many` and `Engine.agenerate_many`, the same for all prompts."""

    tools: Tools | None
    """Tool definitions for the chat template; with messages alone."""


class GenerateOptions(ManyOptions, total=False):
    """Options of `Engine.generate` and `Engine.agenerate`, besides the prompt."""

    constraint: Constraint | None
    """Says at each token which may follow; for this answer alone."""


MANY_OPTIONS = frozenset(ManyOptions.__annotations__)
MOST_ANSWERS = 1024
"""To one prompt, in one call."""
GENERATE_OPTIONS = frozenset(GenerateOptions.__annotations__)


@dataclass(frozen=True)
class Target:
    """The model that a request is for."""

    model: Any
    tokenizer: Tokenizer
    defaults: Mapping[str, Any]
    """The model's generation_config.json."""


@dataclass(frozen=True)
class PromptRequest:
    """What `Engine.generate` and its kin are asked for besides the prompt, checked once."""

    params: SamplingParams
    tools: tuple[Tool, ...]
    timeout: float | None
    priority: Priority
    variables: Mapping[str, Any] | None
    """Of the chat template."""
    constraint: Constraint | None
    allow_lost: bool
    is_control: bool

    @classmethod
    def of(cls, params: SamplingParams | None, options: Mapping[str, Any]) -> PromptRequest:
        """Checks `params` and `GenerateOptions`, whose names were checked.

        Raises:
            InvalidRequestError: an option is not of its type.
        """
        return cls(
            params=SamplingParams.of(params, options),
            tools=parse_tools(options.get("tools")),
            timeout=seconds("timeout", options.get("timeout")),
            priority=priority_of(options),
            variables=template_variables(options.get("chat_template_kwargs")),
            constraint=_constraint(options.get("constraint")),
            allow_lost=flag("allow_lost_messages", options),
            is_control=flag("special_tokens_in_messages", options),
        )

    def times(self, n: int) -> list[PromptRequest]:
        """The requests of `n` answers to one prompt, whose seeds follow each other.

        Raises:
            InvalidRequestError: `n` is no whole number from 1 to `MOST_ANSWERS`, or the seed none.
        """
        count, first = whole_number("n", n), self.params.drawn_seed()
        if count > MOST_ANSWERS:
            raise InvalidRequestError(
                f"[engine] n is {count}, which must be at most {MOST_ANSWERS}; ask for the "
                "others in further calls."
            )
        return [
            replace(self, params=replace(self.params, seed=(first + index) % (1 << 64)))
            for index in range(count)
        ]


def prepare(target: Target, prompt: Prompt, asked: PromptRequest, deadline: Deadline) -> Prepared:
    """Makes a request ready to be submitted, of whose time some has passed.

    Raises:
        InvalidRequestError: the prompt, an option or the messages cannot be honoured.
        ContextLengthError: max_tokens exceeds every context window.
    """
    settings = _settings(target, asked.params, is_chat=not isinstance(prompt, str))
    return _prepared(
        target,
        settings,
        _encode(target.tokenizer, prompt, asked),
        target.tokenizer.detokenizer(),
        deadline=deadline,
        priority=asked.priority,
        constraint=asked.constraint,
    )


def prepare_chat(
    target: Target, request: ChatRequest, deadline: Deadline
) -> tuple[Prepared, EventParser]:
    """Makes a checked request ready to be submitted, of whose time some has passed; with what reads
    its answer.

    Raises:
        InvalidRequestError: the model cannot honour it.
        ContextLengthError: max_tokens exceeds every context window.
    """
    from convergio_mlx.chats import planning

    settings = _settings(target, request.params, is_chat=True)
    plan = planning.plan(target.tokenizer, request)
    encoded = _encode_plan(plan)
    if not request.params.ignore_eos:
        stops = sorted(plan.stop_ids.union(settings.stop_tokens))
        settings = replace(settings, stop_tokens=stops)
    constraint = plan.constraint(encoded.ids, settings.stop_tokens, target.model.vocab_size)
    prepared = _prepared(
        target,
        settings,
        encoded,
        plan.detokenizer(),
        deadline=deadline,
        priority=request.priority,
        constraint=constraint,
    )
    return prepared, plan.parser(encoded.ids)


@dataclass(frozen=True)
class _Settings:
    """Sampling options as the native request takes them."""

    native: dict[str, Any]
    max_tokens: int | None
    stop_tokens: list[int]
    stop_strings: StopStrings
    speculate: bool


@dataclass(frozen=True)
class _Encoded:
    """Token ids of a prompt, and the seconds that template and tokenizer took."""

    ids: list[int]
    template_seconds: float
    tokenize_seconds: float


def _settings(target: Target, params: SamplingParams, is_chat: bool) -> _Settings:
    limit = params.max_tokens
    return _Settings(
        params.with_defaults(target.defaults).native_options(),
        limit if limit is None else _max_tokens(limit),
        _stop_tokens(target, params, is_chat),
        StopStrings(params.stop_strings()),
        _switch(params, "speculate"),
    )


def _prepared(
    target: Target,
    settings: _Settings,
    encoded: _Encoded,
    detokenizer: Detokenizer,
    *,
    deadline: Deadline,
    priority: Priority,
    constraint: Constraint | None,
) -> Prepared:
    vocab_size = target.model.vocab_size
    native_form, start_constraint = native_constraint(constraint, vocab_size)
    room = target.model.context_window - len(encoded.ids)
    request = native().Request(
        encoded.ids,
        max_tokens=max(room, 1) if settings.max_tokens is None else settings.max_tokens,
        open_ended=settings.max_tokens is None,
        stop_tokens=settings.stop_tokens,
        timeout=deadline.seconds,
        elapsed=deadline.elapsed,
        prefill_chunk=target.model.prefill_chunk,
        constraint=native_form,
        known_tokens=target.tokenizer.known_ids(vocab_size),
        priority=PRIORITIES.index(priority),
        speculate=settings.speculate,
        **settings.native,
    )
    start_constraint()
    return Prepared(
        target.model,
        request,
        encoded.ids,
        detokenizer,
        settings.stop_strings,
        encoded.template_seconds,
        encoded.tokenize_seconds,
        grammar_of(constraint),
    )


def _stop_tokens(target: Target, params: SamplingParams, is_chat: bool) -> list[int]:
    given = token_ids(params.stop_token_ids, "stop_token_ids")
    if outside := [token for token in given if not 0 <= token < target.model.vocab_size]:
        raise InvalidRequestError(
            f"[engine] stop_token_ids has {outside[0]}, which must be from 0 to "
            f"{target.model.vocab_size - 1}."
        )
    ends = target.tokenizer.chat_stop_ids if is_chat else target.tokenizer.stop_ids
    return sorted({*given, *(() if _switch(params, "ignore_eos") else ends)})


def _switch(params: SamplingParams, name: str) -> bool:
    given = getattr(params, name)
    if not isinstance(given, bool):
        raise InvalidRequestError(f"[engine] {name} is {given!r}, which must be True or False.")
    return given


def _encode(tokenizer: Tokenizer, prompt: Prompt, asked: PromptRequest) -> _Encoded:
    variables = asked.variables or {}
    if _is_messages(prompt):
        messages = conversation.checked(prompt)
        definitions = [tool.definition for tool in asked.tools] or None
        is_marked = False
        if not asked.is_control:
            is_marked, marked = tokenizer.control_tokens.mark(messages, definitions)
            messages, definitions = marked
        return _render(
            tokenizer, messages, definitions, variables, asked.allow_lost, is_marked=is_marked
        )
    if asked.tools or variables:
        raise InvalidRequestError(
            "[engine] tools and template variables need messages; give the prompt as a list "
            "of messages."
        )
    if isinstance(prompt, str):
        start = time.perf_counter()
        ids = tokenizer.encode(prompt)
        return _Encoded(ids, 0.0, time.perf_counter() - start)
    return _Encoded(token_ids(prompt), 0.0, 0.0)


def _render(
    tokenizer: Tokenizer,
    messages: list[conversation.Message],
    tools: list[dict[str, Any]] | None,
    variables: Mapping[str, Any],
    allow_lost: bool,
    *,
    is_marked: bool,
) -> _Encoded:
    start = time.perf_counter()
    chat = tokenizer.chat_template(tools=bool(tools))
    text = chat.render(
        messages, tools, chat_template_kwargs=variables, allow_lost_messages=allow_lost
    )
    rendered = time.perf_counter()
    if is_marked:
        ids = tokenizer.control_tokens.encode(text)
    else:
        ids = tokenizer.encode(text, add_special_tokens=False)
    return _Encoded(ids, rendered - start, time.perf_counter() - rendered)


def _encode_plan(plan: Plan) -> _Encoded:
    return _render(
        plan.tokenizer,
        plan.messages,
        plan.tools,
        plan.request.chat_template_kwargs or {},
        plan.request.allow_lost_messages,
        is_marked=plan.is_marked,
    )


def chat_prompt(tokenizer: Tokenizer, request: ChatRequest) -> list[int]:
    """The token ids of a checked request's prompt, as a model with this tokenizer gets them.

    Raises:
        InvalidRequestError: the model's chat template cannot honour it.
    """
    from convergio_mlx.chats.planning import plan

    return _encode_plan(plan(tokenizer, request)).ids


def _is_messages(prompt: object) -> bool:
    if isinstance(prompt, Mapping):
        raise InvalidRequestError(
            "[engine] the prompt is a single dict; give messages as a list of them."
        )
    return isinstance(prompt, list | tuple) and any(isinstance(one, Mapping) for one in prompt)


def token_ids(tokens: Any, name: str = "the prompt") -> list[int]:
    """Token ids, whatever sequence they come in."""
    if isinstance(tokens, str | bytes | Mapping) or not isinstance(tokens, Iterable):
        raise InvalidRequestError(
            f"[engine] {name} is of type {type(tokens).__name__}; give a list of token ids."
        )
    ids: list[int] = []
    for token in tokens:
        if isinstance(token, bool) or not hasattr(token, "__index__"):
            raise InvalidRequestError(
                f"[engine] {name} has {token!r}, which is not a token id; give whole numbers."
            )
        number = token.__index__()
        if not -1 << 31 <= number < 1 << 31:
            raise InvalidRequestError(
                f"[engine] {name} has token {number}, which no vocabulary has; give ids of this "
                "one."
            )
        ids.append(number)
    return ids


def whole_number(name: str, given: object) -> int:
    """A number of at least 1 that a native integer holds, or else the largest of those."""
    if isinstance(given, bool) or not isinstance(given, Integral) or int(given) < 1:
        raise InvalidRequestError(
            f"[engine] {name} is {given!r}; give a whole number of at least 1."
        )
    return min(int(given), (1 << 31) - 1)


def _constraint(given: Any) -> Constraint | None:
    if given is not None and not callable(given):
        raise InvalidRequestError(
            f"[engine] constraint is of type {type(given).__name__}; give a callable, as "
            "convergio_mlx.Constraint describes it."
        )
    return given  # type: ignore[no-any-return]


def _max_tokens(given: object) -> int:
    number = whole_number("max_tokens", given)
    if number != given:
        raise ContextLengthError(
            f"[engine] max_tokens is {given}, which exceeds every context window; give fewer, or "
            "None for what the window leaves."
        )
    return number
