"""A request: the prompt and its options, checked, as the engine takes them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from convergio_mlx.answers import answering
from convergio_mlx.errors import ContextLengthError, InvalidRequestError
from convergio_mlx.footprint import PREFILL_CHUNK
from convergio_mlx.generation import Prepared
from convergio_mlx.native import native
from convergio_mlx.sampling import SamplingParams
from convergio_mlx.text.stop_strings import StopStrings
from convergio_mlx.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from convergio_mlx.answers.event_stream import EventParser
    from convergio_mlx.constraint import Constraint

Prompt = str | Sequence[int] | Sequence[Mapping[str, Any]]
"""A text to go on from, token ids, or messages in OpenAI's shape."""

_LONGEST = 10**9
"""Seconds of the longest deadline."""


class RequestOptions(TypedDict, total=False):
    """What any answer may be asked for with."""

    timeout: float | None
    """Seconds until the answer must be complete, waiting and prefill included."""
    template: Mapping[str, Any] | None
    """Further variables of the chat template, such as `enable_thinking`."""


class GenerateOptions(RequestOptions, total=False):
    """What `Engine.generate` and `Engine.agenerate` take beside a prompt."""

    tools: Sequence[Mapping[str, Any]] | None
    """OpenAI's tool definitions, for the chat template; with messages alone."""
    constraint: Constraint | None
    """Says at each token which may follow; for this answer alone."""


class EventOptions(RequestOptions, answering.Form, total=False):
    """What `Engine.stream` and `Engine.astream` take beside messages."""


@dataclass(frozen=True)
class Asked:
    """Whom a request is put to."""

    model: Any
    tokenizer: Tokenizer
    defaults: Mapping[str, Any]
    """The model's generation_config.json."""


def prepare(
    asked: Asked,
    prompt: Prompt,
    params: SamplingParams | None,
    plan: answering.Plan | None = None,
    /,
    *,
    tools: Sequence[Mapping[str, Any]] | None = None,
    timeout: float | None = None,
    template: Mapping[str, Any] | None = None,
    constraint: Constraint | None = None,
) -> Prepared:
    """Checks a request and makes it ready to be submitted; `plan` is of an answer with events.

    Raises:
        InvalidRequestError: the prompt, an option or the messages cannot be honoured.
        ContextLengthError: max_tokens exceeds every context window.
    """
    model, tokenizer = asked.model, asked.tokenizer
    if params is None:
        params = SamplingParams()
    elif not isinstance(params, SamplingParams):
        raise InvalidRequestError(
            f"[engine] params is a {type(params).__name__}; give SamplingParams."
        )
    options = params.with_defaults(asked.defaults).native_options()
    stop_strings = StopStrings(params.stop_strings())
    stop_tokens = _stop_tokens(asked, params, is_chat=not isinstance(prompt, str))
    limit = params.max_tokens if params.max_tokens is None else _max_tokens(params.max_tokens)
    deadline = _timeout(timeout)
    tokens, template_seconds, tokenize_seconds = _encode(tokenizer, prompt, tools, template)
    if plan is not None:
        constraint = plan.constraint(tokens, stop_tokens, model.vocab_size)
    room = model.context_window - len(tokens)
    request = native().Request(
        tokens,
        max_tokens=max(room, 1) if limit is None else limit,
        stop_tokens=stop_tokens,
        timeout=deadline,
        prefill_chunk=PREFILL_CHUNK,
        constraint=_constraint(constraint),
        **options,
    )
    return Prepared(
        model,
        request,
        tokens,
        tokenizer.detokenizer() if plan is None else plan.detokenizer(),
        stop_strings,
        template_seconds,
        tokenize_seconds,
    )


def prepare_events(
    asked: Asked,
    messages: Sequence[Mapping[str, Any]],
    params: SamplingParams | None,
    /,
    *,
    timeout: float | None = None,
    template: Mapping[str, Any] | None = None,
    **form: Unpack[answering.Form],
) -> tuple[Prepared, EventParser]:
    """As `prepare`, for an answer with events; with what reads them."""
    plan = answering.plan(asked.tokenizer, messages, **form)
    prepared = prepare(
        asked, plan.messages, params, plan, tools=plan.tools, timeout=timeout, template=template
    )
    return prepared, plan.parser(prepared.prompt)


def _stop_tokens(asked: Asked, params: SamplingParams, is_chat: bool) -> list[int]:
    given = token_ids(params.stop_token_ids, "stop_token_ids")
    if outside := [token for token in given if not 0 <= token < asked.model.vocab_size]:
        raise InvalidRequestError(
            f"[engine] stop_token_ids has {outside[0]}, which must be from 0 to "
            f"{asked.model.vocab_size - 1}."
        )
    if not isinstance(params.ignore_eos, bool):
        raise InvalidRequestError(
            f"[engine] ignore_eos is {params.ignore_eos!r}, which must be True or False."
        )
    ends = asked.tokenizer.chat_stop_ids if is_chat else asked.tokenizer.stop_ids
    return sorted({*given, *(() if params.ignore_eos else ends)})


def _encode(
    tokenizer: Tokenizer,
    prompt: Prompt,
    tools: Sequence[Mapping[str, Any]] | None,
    template: Mapping[str, Any] | None,
) -> tuple[list[int], float, float]:
    """Token ids, and the seconds that template and tokenizer took."""
    is_messages = _is_messages(prompt)
    if not is_messages and (tools or template):
        raise InvalidRequestError(
            "[engine] tools and template variables need messages; give the prompt as a list "
            "of messages."
        )
    start = time.perf_counter()
    if is_messages:
        variables = _variables(template)
        chat = tokenizer.chat_template(tools=bool(tools))
        text = chat.render(prompt, tools, **variables)  # type: ignore[arg-type]
        rendered = time.perf_counter()
        ids = tokenizer.encode(text, add_special_tokens=False)
        return ids, rendered - start, time.perf_counter() - rendered
    if isinstance(prompt, str):
        ids = tokenizer.encode(prompt)
        return ids, 0.0, time.perf_counter() - start
    return token_ids(prompt), 0.0, 0.0


def _is_messages(prompt: object) -> bool:
    if isinstance(prompt, Mapping):
        raise InvalidRequestError(
            "[engine] the prompt is a single dict; give messages as a list of them."
        )
    return isinstance(prompt, list | tuple) and any(isinstance(one, Mapping) for one in prompt)


def _variables(template: object) -> dict[str, Any]:
    if template is None:
        return {}
    if not isinstance(template, Mapping):
        raise InvalidRequestError(
            f"[engine] template is a {type(template).__name__}; give a dict of the chat template's "
            "variables."
        )
    for name in template:
        if not isinstance(name, str) or name in ("messages", "tools"):
            raise InvalidRequestError(
                f"[engine] template has the variable {name!r}; give names other than 'messages' "
                "and 'tools'."
            )
    return dict(template)


def token_ids(tokens: Any, name: str = "the prompt") -> list[int]:
    """Token ids, whatever sequence they come in."""
    if isinstance(tokens, str | bytes | Mapping) or not isinstance(tokens, Iterable):
        raise InvalidRequestError(
            f"[engine] {name} is a {type(tokens).__name__}; give a list of token ids."
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
            f"[engine] {name} is {given!r}, which must be a whole number of at least 1."
        )
    return min(int(given), (1 << 31) - 1)


def _constraint(given: object) -> object:
    if given is not None and not callable(given):
        raise InvalidRequestError(
            f"[engine] constraint is a {type(given).__name__}; give a callable, as "
            "convergio_mlx.constraint.Constraint describes it."
        )
    return given


def _max_tokens(given: object) -> int:
    number = whole_number("max_tokens", given)
    if number != given:
        raise ContextLengthError(
            f"[engine] max_tokens is {given}, which exceeds every context window; give fewer, or "
            "None for what the window leaves."
        )
    return number


def _timeout(given: object) -> float | None:
    if given is None:
        return None
    is_number = isinstance(given, Real) and not isinstance(given, bool)
    if not is_number or not 0 < given <= _LONGEST:  # type: ignore[operator]
        raise InvalidRequestError(
            f"[engine] timeout is {given!r}, which must be a number of seconds above 0 and at most "
            f"{_LONGEST}; give None for no deadline."
        )
    return float(given)  # type: ignore[arg-type]
