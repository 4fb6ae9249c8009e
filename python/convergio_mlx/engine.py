"""A loaded model: prompts in, answers out, from any thread or task."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from convergio_mlx.answers import answering
from convergio_mlx.answers.event_stream import AsyncEventStream, EventParser, EventStream
from convergio_mlx.errors import (
    ContextLengthError,
    InvalidRequestError,
    ModelCorruptError,
    NotInitializedError,
)
from convergio_mlx.fit import check
from convergio_mlx.footprint import PREFILL_CHUNK
from convergio_mlx.generation import AsyncGeneration, Generation, Prepared
from convergio_mlx.home import models_folder
from convergio_mlx.locate import locate
from convergio_mlx.native import native
from convergio_mlx.sampling import SamplingParams
from convergio_mlx.text.stop_strings import StopStrings
from convergio_mlx.text.tokenizer import Tokenizer
from convergio_mlx.text.tokenizer_config import read_json

if TYPE_CHECKING:
    from convergio_mlx.constraint import Constraint
    from convergio_mlx.store.locks import Use

Prompt = str | Sequence[int] | Sequence[Mapping[str, Any]]
"""A text to go on from, token ids, or messages in OpenAI's shape."""

_LONGEST = 10**9
"""Seconds of the longest deadline."""


@dataclass(frozen=True)
class KeptCaches:
    """KV caches of finished requests, kept for requests that begin as those did."""

    count: int
    bytes: int


class Engine:
    """A model and its tokenizer. Any number of threads and tasks may call it at once: requests
    take turns on the one native thread that computes."""

    def __init__(self, model: Any, folder: Path, use: Use | None = None) -> None:
        """Made by `load`."""
        self._model: Any = model
        self._use = use
        self.folder = folder

    @classmethod
    def load(
        cls, model: str | Path, *, force: bool = False, prefix_cache_bytes: int | None = None
    ) -> Engine:
        """Maps a model into memory; no weight is read and no network is used.

        Args:
            model: `convergio-guide` (the embedded one), the id of a downloaded model, or a folder
                with config.json, tokenizer.json and safetensors files, as Hugging Face has them.
            force: load it although it does not fit into the memory that is available.
            prefix_cache_bytes: the KV caches of finished requests are kept up to so many bytes,
                for requests that begin as those did; 0 keeps none, None an eighth of the memory
                that MLX may use.

        Raises:
            OutOfMemoryError: it does not fit; the sentence has the numbers and what would.
            ModelNotFoundError: there is no such model; a ModelNotInstalledError where it has only
                to be downloaded.
            ModelInUseError: the model is being deleted.
            ModelCorruptError: a file is damaged, or the tensors do not fit config.json.
            UnsupportedModelError: the engine does not run this kind of model.
            UnavailableError: MLX cannot run here.
        """
        folder = locate(model)
        kept = _kept_bytes(prefix_cache_bytes)
        with _repairable(folder):
            if not force:
                check(str(model), folder)
            use = _use(folder)
            return cls(native().load(os.fsencode(folder), kept), folder, use)

    def generate(
        self,
        prompt: Prompt,
        params: SamplingParams | None = None,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        timeout: float | None = None,
        template: Mapping[str, Any] | None = None,
        constraint: Constraint | None = None,
    ) -> Generation:
        """Answers a prompt.

        Args:
            prompt: messages go through the model's chat template; a text is gone on from, with
                what the tokenizer puts before one; token ids are taken as they are.
            params: how to choose tokens and when to end.
            tools: OpenAI's tool definitions, for the template; with messages alone.
            timeout: seconds until the answer must be complete, waiting and prefill included.
            template: further variables of the chat template, such as `enable_thinking`.
            constraint: says at each token which may follow; for this answer alone.

        Returns:
            An iterator of chunks.

        Raises:
            InvalidRequestError: the prompt, an option or the messages cannot be honoured.
            ContextLengthError: prompt and max_tokens exceed the context window.
        """
        return Generation(
            self._prepare(
                prompt,
                params,
                tools=tools,
                timeout=timeout,
                template=template,
                constraint=constraint,
            )
        )

    def agenerate(
        self,
        prompt: Prompt,
        params: SamplingParams | None = None,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        timeout: float | None = None,
        template: Mapping[str, Any] | None = None,
        constraint: Constraint | None = None,
    ) -> AsyncGeneration:
        """As `generate`, for asyncio: `async for chunk in engine.agenerate(…)`. What `generate`
        raises is raised when it is first awaited."""
        return AsyncGeneration(
            lambda: self._prepare(
                prompt,
                params,
                tools=tools,
                timeout=timeout,
                template=template,
                constraint=constraint,
            )
        )

    def stream(
        self,
        messages: Sequence[Mapping[str, Any]],
        params: SamplingParams | None = None,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] = "auto",
        response_format: Mapping[str, Any] | None = None,
        reasoning_budget: int | None = None,
        timeout: float | None = None,
        template: Mapping[str, Any] | None = None,
    ) -> EventStream:
        """Answers a conversation with events: text, reasoning and tool calls told apart.

        Args:
            messages: in OpenAI's shape, calls and results of tools included.
            params: how to choose tokens and when to end.
            tools: OpenAI's tool definitions. They go through the chat template where it has a place
                for them, otherwise into the system message (docs/tools.md).
            tool_choice: "auto", "none", "required" or `{"type": "function", "function": {"name":
                …}}`. What is called always parses, and fits the tool's parameters.
            response_format: what an answer that is no call must be: `{"type": "json_object"}`,
                `{"type": "json_schema", "json_schema": {"schema": …}}`, `{"type": "regex", "regex":
                …}`, `{"type": "choice", "choice": […]}` or `{"type": "grammar", "grammar": …}`.
            reasoning_budget: tokens of reasoning at most, for a model that reasons.
            timeout: seconds until the answer must be complete, waiting and prefill included.
            template: further variables of the chat template, such as `enable_thinking`.

        Returns:
            An iterator of events, the last of them a FinishEvent.

        Raises:
            InvalidRequestError: messages, tools or an option cannot be honoured.
            ContextLengthError: prompt and max_tokens exceed the context window.
        """
        return EventStream(
            *self._plan_stream(
                messages,
                params,
                tools=tools,
                tool_choice=tool_choice,
                response_format=response_format,
                reasoning_budget=reasoning_budget,
                timeout=timeout,
                template=template,
            )
        )

    def astream(
        self,
        messages: Sequence[Mapping[str, Any]],
        params: SamplingParams | None = None,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] = "auto",
        response_format: Mapping[str, Any] | None = None,
        reasoning_budget: int | None = None,
        timeout: float | None = None,
        template: Mapping[str, Any] | None = None,
    ) -> AsyncEventStream:
        """As `stream`, for asyncio: `async for event in engine.astream(…)`. What `stream` raises is
        raised when it is first awaited."""
        return AsyncEventStream(
            lambda: self._plan_stream(
                messages,
                params,
                tools=tools,
                tool_choice=tool_choice,
                response_format=response_format,
                reasoning_budget=reasoning_budget,
                timeout=timeout,
                template=template,
            )
        )

    def prepare_constraints(self) -> None:
        """Makes now what the first answer with tools or a `response_format` would make: a table of
        the vocabulary, which takes most of a second for 128 000 tokens, beside other threads. Does
        nothing a second time. The MLX provider does it when it has loaded a model.

        Raises:
            InvalidRequestError: answers of this model's tokenizer cannot be constrained.
        """
        answering.prepare_constraints(self.tokenizer)

    def logits(self, tokens: Sequence[int], *, chunk: int = PREFILL_CHUNK) -> Any:
        """The model's logits at every token, for scoring and tests.

        Args:
            tokens: ids, at least one, no more than the context window.
            chunk: tokens that are run at once.

        Returns:
            (len(tokens), vocab_size) float32, an object with DLPack and the buffer protocol:
            `numpy.asarray(engine.logits(ids))`.

        Raises:
            InvalidRequestError, ContextLengthError: the tokens or the chunk are not such.
        """
        size = _integer("chunk", chunk)
        return self._loaded().logits(_token_ids(tokens), size)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer, read when first used.

        Raises:
            TokenizerError: it is missing or damaged.
        """
        tokenizer = Tokenizer.from_folder(self.folder)
        native().give_back_free_memory()  # reading a vocabulary frees tens of megabytes
        return tokenizer

    @cached_property
    def _generation_config(self) -> dict[str, Any]:
        return read_json(self.folder / "generation_config.json")

    @property
    def model_type(self) -> str:
        """The model type of config.json."""
        return str(self._loaded().model_type)

    @property
    def context_window(self) -> int:
        """Tokens of prompt and answer together."""
        return int(self._loaded().context_window)

    @property
    def vocab_size(self) -> int:
        """Number of logits."""
        return int(self._loaded().vocab_size)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all tensors in the model's files."""
        return int(self._loaded().weight_bytes)

    @property
    def step_weight_bytes(self) -> int:
        """Bytes of the weights that making a token reads."""
        return int(self._loaded().step_weight_bytes)

    @property
    def kv_bytes_per_token(self) -> int:
        """What a token adds to the KV cache, in bytes, in the layers that keep every token."""
        return int(self._loaded().kv_bytes_per_token)

    @property
    def kept_caches(self) -> KeptCaches:
        """What is kept of finished requests now."""
        return KeptCaches(*self._loaded().kept)

    def close(self) -> None:
        """Lets go of the model; answers under way end as they would. Idempotent."""
        self._model = None
        if self._use is not None:
            self._use.close()

    def __enter__(self) -> Self:
        """Closes at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes."""
        self.close()

    def _loaded(self) -> Any:
        model = self._model
        if model is None:
            raise NotInitializedError("[engine] this engine is closed; load the model again.")
        return model

    def _plan_stream(
        self,
        messages: Sequence[Mapping[str, Any]],
        params: SamplingParams | None,
        *,
        tools: Sequence[Mapping[str, Any]] | None,
        tool_choice: str | Mapping[str, Any],
        response_format: Mapping[str, Any] | None,
        reasoning_budget: int | None,
        timeout: float | None,
        template: Mapping[str, Any] | None,
    ) -> tuple[Prepared, EventParser]:
        plan = answering.plan(
            self.tokenizer,
            messages,
            tools=tools,
            tool_choice=tool_choice,
            response_format=response_format,
            reasoning_budget=reasoning_budget,
        )
        prepared = self._prepare(
            plan.messages,
            params,
            tools=plan.tools,
            timeout=timeout,
            template=template,
            plan=plan,
        )
        return prepared, plan.parser(prepared.prompt)

    def _prepare(
        self,
        prompt: Prompt,
        params: SamplingParams | None,
        *,
        tools: Sequence[Mapping[str, Any]] | None,
        timeout: float | None,
        template: Mapping[str, Any] | None,
        constraint: Constraint | None = None,
        plan: answering.Plan | None = None,
    ) -> Prepared:
        model = self._loaded()
        if params is None:
            params = SamplingParams()
        elif not isinstance(params, SamplingParams):
            raise InvalidRequestError(
                f"[engine] params is a {type(params).__name__}; give SamplingParams."
            )
        options = params.with_defaults(self._generation_config).native_options()
        stop_strings = StopStrings(params.stop_strings())
        stop_tokens = self._stop_tokens(params, is_chat=not isinstance(prompt, str))
        limit = params.max_tokens if params.max_tokens is None else _max_tokens(params.max_tokens)
        deadline = _timeout(timeout)
        tokens, template_seconds, tokenize_seconds = self._encode(prompt, tools, template)
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
            self.tokenizer.detokenizer() if plan is None else plan.detokenizer(),
            stop_strings,
            template_seconds,
            tokenize_seconds,
        )

    def _stop_tokens(self, params: SamplingParams, is_chat: bool) -> list[int]:
        given = _token_ids(params.stop_token_ids, "stop_token_ids")
        if outside := [token for token in given if not 0 <= token < self.vocab_size]:
            raise InvalidRequestError(
                f"[engine] stop_token_ids has {outside[0]}, which must be from 0 to "
                f"{self.vocab_size - 1}."
            )
        if not isinstance(params.ignore_eos, bool):
            raise InvalidRequestError(
                f"[engine] ignore_eos is {params.ignore_eos!r}, which must be True or False."
            )
        ends = self.tokenizer.chat_stop_ids if is_chat else self.tokenizer.stop_ids
        return sorted({*given, *(() if params.ignore_eos else ends)})

    def _encode(
        self,
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
            chat = self.tokenizer.chat_template(tools=bool(tools))
            text = chat.render(prompt, tools, **variables)  # type: ignore[arg-type]
            rendered = time.perf_counter()
            ids = self.tokenizer.encode(text, add_special_tokens=False)
            return ids, rendered - start, time.perf_counter() - rendered
        if isinstance(prompt, str):
            ids = self.tokenizer.encode(prompt)
            return ids, 0.0, time.perf_counter() - start
        return _token_ids(prompt), 0.0, 0.0


@contextmanager
def _repairable(folder: Path) -> Iterator[None]:
    """A damaged model of the store comes with the command that mends it."""
    try:
        yield
    except ModelCorruptError as error:
        if folder.parent == models_folder():
            error.hint = error.hint or f"convergio-mlx models repair {folder.name}"
        raise


def _use(folder: Path) -> Use | None:
    """Keeps a model of the store from being deleted while it is loaded, and remembers when."""
    if folder.parent != models_folder():
        return None
    from convergio_mlx.store.locks import mark_used, using

    use = using(folder)
    mark_used(folder.name)
    return use


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


def _token_ids(tokens: Any, name: str = "the prompt") -> list[int]:
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


def _integer(name: str, given: object) -> int:
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


def _kept_bytes(given: object) -> int | None:
    if given is None:
        return None
    is_number = isinstance(given, Integral) and not isinstance(given, bool)
    if not is_number or not 0 <= int(given) < 1 << 63:  # type: ignore[call-overload]
        raise InvalidRequestError(
            f"[engine] prefix_cache_bytes is {given!r}, which must be a whole number of bytes, 0 "
            "to keep nothing, or None."
        )
    return int(given)  # type: ignore[call-overload,no-any-return]


def _max_tokens(given: object) -> int:
    number = _integer("max_tokens", given)
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
