"""What every provider does alike, once it can open a stream of events."""

from __future__ import annotations

import itertools
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, Self, Unpack

from convergio_mlx.chats.request import (
    CHAT_OPTIONS,
    ChatOptions,
    ChatRequest,
    Question,
    Tools,
    conversation_of,
)
from convergio_mlx.chats.response import ChatResponse
from convergio_mlx.chats.response_builder import ResponseBuilder
from convergio_mlx.chats.stream import AsyncEventStream, AsyncSource, EventStream, Source
from convergio_mlx.chats.tool_runs import opened
from convergio_mlx.chats.tools import parse_tools
from convergio_mlx.errors import (
    InvalidRequestError,
    ModelNotFoundError,
    NotInitializedError,
    ProviderErrorInfo,
)
from convergio_mlx.generation.sampling import SamplingParams, check_keywords
from convergio_mlx.providers.handler import StreamHandler, serve
from convergio_mlx.providers.interface import ModelConfig, ProviderType
from convergio_mlx.text.messages import as_text

if TYPE_CHECKING:
    from convergio_mlx.generation.stats import GenerationStats

_NONE: Mapping[int, ProviderErrorInfo] = MappingProxyType({})
_last_errors: ContextVar[Mapping[int, ProviderErrorInfo]] = ContextVar("errors", default=_NONE)
"""By provider; a context belongs to a thread or a task, so this is what the caller itself saw."""
_numbers = itertools.count()
_OK = ProviderErrorInfo()


class _Cancellable(Protocol):
    """An answer under way, or many."""

    def cancel(self) -> None:
        """Ends it soon; from any thread."""


class BaseProvider(ABC):
    """A `Provider` but for what it runs on: a subclass opens streams of events and lists models."""

    type: ProviderType
    name: str
    api_key_env: str | None = None
    base_url: str | None = None

    def __init__(self) -> None:
        """Not ready to serve yet."""
        self._number = next(_numbers)
        self._lock = threading.Lock()
        self._ready = False
        self._streams: weakref.WeakSet[_Cancellable] = weakref.WeakSet()

    @abstractmethod
    def _start(self) -> None:
        """Makes the provider ready, or raises why it cannot be."""

    @abstractmethod
    def _stop(self) -> None:
        """Frees everything; the answers under way are cancelled already."""

    @abstractmethod
    def _open(self, model: str, request: ChatRequest) -> Source:
        """Begins an answer."""

    @abstractmethod
    async def _aopen(self, model: str, request: ChatRequest) -> AsyncSource:
        """Begins an answer, without blocking the loop."""

    @abstractmethod
    def list_models(self) -> list[ModelConfig]:
        """The models it offers."""

    @abstractmethod
    def estimate_tokens(self, text: str, model: str | None = None) -> int:
        """Tokens of a text."""

    @abstractmethod
    def validate_key(self) -> bool:
        """Whether it would serve."""

    def _cost(self, model: str, stats: GenerationStats) -> float:
        """Dollars of an answer."""
        return 0.0

    def usable_window(self, model: str) -> int:
        """The context window of a model."""
        return self.model_config(model).context_window

    def model_config(self, model: str) -> ModelConfig:
        """A model of `list_models`, by its id.

        Raises:
            ModelNotFoundError: there is none of that id.
        """
        name = self.bare_id(model)
        known = {config.id: config for config in self.list_models()}
        if name not in known:
            raise ModelNotFoundError(
                f"[{self.type}] there is no model {model!r}; there are "
                f"{', '.join(sorted(known)) or 'none at all'}."
            )
        return known[name]

    def bare_id(self, model: str) -> str:
        """A model's id without the provider's name and a slash before it.

        Raises:
            ModelNotFoundError: it is no text.
        """
        if not isinstance(model, str):
            raise ModelNotFoundError(
                f"[{self.type}] a model's id is of type {type(model).__name__}; give a text."
            )
        return model.removeprefix(f"{self.type}/")

    @property
    def initialized(self) -> bool:
        """Whether it is ready to serve."""
        return self._ready

    def init(self) -> None:
        """Makes it ready to serve. Idempotent."""
        with self._lock:
            if not self._ready:
                self._start()
                self._ready = True

    def shutdown(self) -> None:
        """Ends answers under way and frees everything. Idempotent."""
        with self._lock:
            if not self._ready:
                return
            self._ready = False
            for stream in list(self._streams):
                stream.cancel()
            self._stop()

    def __enter__(self) -> Self:
        """Ready within the block."""
        self.init()
        return self

    def __exit__(self, *_: object) -> None:
        """Shuts down."""
        self.shutdown()

    @property
    def last_error(self) -> ProviderErrorInfo:
        """How the last call of this thread or task ended."""
        return _last_errors.get().get(self._number, _OK)

    def _ended(self, error: BaseException | None) -> None:
        """Notes how a call ended, in a new mapping, since a task begins with its parent's."""
        info = _OK if error is None else ProviderErrorInfo.of(error)
        seen = _last_errors.get()
        if info != _OK:
            _last_errors.set({**seen, self._number: info})
        elif self._number in seen:
            _last_errors.set({key: kept for key, kept in seen.items() if key != self._number})

    def chat(
        self,
        model: str,
        system: str | None,
        user: Question,
        *,
        params: SamplingParams | None = None,
        tools: Tools | None = None,
        **options: Unpack[ChatOptions],
    ) -> ChatResponse:
        """One whole answer."""
        asked = self._asked("chat", (system, user), params, tools, options)
        return self._stream(model, asked).response()

    async def achat(
        self,
        model: str,
        system: str | None,
        user: Question,
        *,
        params: SamplingParams | None = None,
        tools: Tools | None = None,
        **options: Unpack[ChatOptions],
    ) -> ChatResponse:
        """As `chat`, for asyncio."""
        return await self.astream(
            model, system, user, params=params, tools=tools, **options
        ).response()

    def chat_with_tools(
        self,
        model: str,
        system: str | None,
        user: Question,
        tools: Tools,
        *,
        params: SamplingParams | None = None,
        **options: Unpack[ChatOptions],
    ) -> ChatResponse:
        """One whole answer, which may hold calls."""
        asked = self._asked("chat_with_tools", (system, user), params, tools, options)
        return self._stream(model, asked).response()

    def stream_chat(
        self,
        model: str,
        system: str | None,
        user: Question,
        handler: StreamHandler,
        *,
        params: SamplingParams | None = None,
        tools: Tools | None = None,
        **options: Unpack[ChatOptions],
    ) -> None:
        """Gives an answer to the handler as it is made."""
        asked = self._asked("stream_chat", (system, user), params, tools, options)
        serve(handler, lambda: self._stream(model, asked))

    def stream(
        self,
        model: str,
        system: str | None,
        user: Question,
        *,
        params: SamplingParams | None = None,
        tools: Tools | None = None,
        **options: Unpack[ChatOptions],
    ) -> EventStream:
        """An answer as it is made."""
        return self._stream(model, self._asked("stream", (system, user), params, tools, options))

    def astream(
        self,
        model: str,
        system: str | None,
        user: Question,
        *,
        params: SamplingParams | None = None,
        tools: Tools | None = None,
        **options: Unpack[ChatOptions],
    ) -> AsyncEventStream:
        """An answer as it is made, for asyncio."""
        from convergio_mlx.chats.async_tool_runs import aopened

        asked = self._asked("astream", (system, user), params, tools, options)
        builder = self._builder(model)

        async def open_source() -> AsyncSource:
            request = self._begun(model, asked)
            builder.answer_type = request.answer_type
            return await aopened(request, partial(self._aopen, model))

        stream = AsyncEventStream(builder, open_source)
        self._watch(stream)
        return stream

    def _stream(self, model: str, asked: Callable[[], ChatRequest]) -> EventStream:
        try:
            builder = self._builder(model)
            request = self._begun(model, asked)
            builder.answer_type = request.answer_type
            source = opened(request, partial(self._open, model))
        except BaseException as error:
            self._ended(error)
            raise
        stream = EventStream(builder, source)
        self._watch(stream)
        return stream

    def _asked(
        self,
        method: str,
        prompt: tuple[str | None, Question],
        params: SamplingParams | None,
        tools: Tools | None,
        options: Mapping[str, Any],
    ) -> Callable[[], ChatRequest]:
        """What checks a request, once the provider is known to be ready; only its keywords are
        checked now."""
        call = f"{type(self).__name__}.{method}"
        check_keywords(call, options, CHAT_OPTIONS)
        return lambda: ChatRequest.of(call, conversation_of(*prompt), params, tools, options)

    def _begun(self, model: str, asked: Callable[[], ChatRequest]) -> ChatRequest:
        self._ended(None)
        if not self._ready:
            raise self._not_initialized()
        if not isinstance(model, str) or not model.strip():
            raise InvalidRequestError(f"[{self.type}] the model is {model!r}; give the id of one.")
        return asked()

    def count_tokens(
        self,
        model: str,
        system: str | None,
        user: Question,
        tools: Tools = (),
    ) -> int:
        """Tokens of a prompt, by an estimate: those of its texts and tools, and 4 for what a
        template puts around each message."""
        messages = conversation_of(system, user)
        texts = [as_text(message) for message in messages]
        texts += [str(tool.definition) for tool in parse_tools(list(tools))]
        return sum(self.estimate_tokens(text, model) for text in texts) + 4 * len(messages)

    def _not_initialized(self) -> NotInitializedError:
        return NotInitializedError(
            f"[{self.type}] the provider is not initialized, or was shut down; call init()."
        )

    def _builder(self, model: str) -> ResponseBuilder:
        return ResponseBuilder(model, self._ended, partial(self._cost, model))

    def _watch(self, stream: _Cancellable) -> None:
        """Notes a stream for `shutdown` to cancel; one that came too late is cancelled now."""
        with self._lock:
            self._streams.add(stream)
            ready = self._ready
        if not ready:
            stream.cancel()
