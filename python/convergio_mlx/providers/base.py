"""What every provider does alike, once it can open a stream of events."""

from __future__ import annotations

import itertools
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, Unpack

from convergio_mlx.errors import ModelNotFoundError, NotInitializedError
from convergio_mlx.providers.chat import (
    ChatOptions,
    ChatRequest,
    ChatResponse,
    Prompt,
    StreamHandler,
    StreamOptions,
    ToolChoice,
    ToolDefinition,
    as_text,
    openai_tools,
    request_messages,
)
from convergio_mlx.providers.handler import serve
from convergio_mlx.providers.interface import ModelConfig, ProviderErrorInfo, ProviderType
from convergio_mlx.providers.stream import (
    AsyncChatStream,
    AsyncSource,
    ChatStream,
    Source,
)
from convergio_mlx.providers.transcript import Transcript

if TYPE_CHECKING:
    from convergio_mlx.generation import GenerationStats

_NONE: Mapping[int, ProviderErrorInfo] = MappingProxyType({})
_last_errors: ContextVar[Mapping[int, ProviderErrorInfo]] = ContextVar("errors", default=_NONE)
"""By provider; a context belongs to a thread or a task, so this is what the caller itself saw."""
_numbers = itertools.count()
_OK = ProviderErrorInfo()


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
        self._streams: weakref.WeakSet[ChatStream | AsyncChatStream] = weakref.WeakSet()

    @abstractmethod
    def _start(self) -> None:
        """Makes the provider ready, or raises why it cannot be."""

    @abstractmethod
    def _stop(self) -> None:
        """Frees everything; the answers under way are cancelled already."""

    @abstractmethod
    def _open(self, request: ChatRequest) -> Source:
        """Begins an answer."""

    @abstractmethod
    async def _aopen(self, request: ChatRequest) -> AsyncSource:
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
        """A model's id without the provider's name and a slash before it."""
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

    def _ended(self, info: ProviderErrorInfo) -> None:
        """Notes how a call ended, in a new mapping, since a task begins with its parent's."""
        seen = _last_errors.get()
        if info != _OK:
            _last_errors.set({**seen, self._number: info})
        elif self._number in seen:
            _last_errors.set({key: kept for key, kept in seen.items() if key != self._number})

    def chat(
        self, model: str, system: str | None, user: Prompt, **options: Unpack[ChatOptions]
    ) -> ChatResponse:
        """One whole answer."""
        return self.stream(model, system, user, **options).response()

    def chat_with_tools(
        self,
        model: str,
        system: str | None,
        user: Prompt,
        tools: Sequence[ToolDefinition | Mapping[str, Any]],
        *,
        tool_choice: ToolChoice = "auto",
        **options: Unpack[ChatOptions],
    ) -> ChatResponse:
        """One whole answer, which may hold calls."""
        stream = self.stream(model, system, user, tools=tools, tool_choice=tool_choice, **options)
        return stream.response()

    def stream_chat(
        self,
        model: str,
        system: str | None,
        user: Prompt,
        handler: StreamHandler,
        **options: Unpack[StreamOptions],
    ) -> None:
        """Gives an answer to the handler as it is made."""
        serve(handler, lambda: self.stream(model, system, user, **options))

    def stream(
        self, model: str, system: str | None, user: Prompt, **options: Unpack[StreamOptions]
    ) -> ChatStream:
        """An answer as it is made."""
        try:
            transcript = self._transcript(model)
            stream = ChatStream(transcript, self._open(self._request(model, system, user, options)))
        except BaseException as error:
            self._ended(ProviderErrorInfo.of(error))
            raise
        self._watch(stream)
        return stream

    def astream(
        self, model: str, system: str | None, user: Prompt, **options: Unpack[StreamOptions]
    ) -> AsyncChatStream:
        """An answer as it is made, for asyncio."""

        async def start() -> AsyncSource:
            return await self._aopen(self._request(model, system, user, options))

        stream = AsyncChatStream(self._transcript(model), start)
        self._watch(stream)
        return stream

    def count_tokens(
        self,
        model: str,
        system: str | None,
        user: Prompt,
        tools: Sequence[ToolDefinition | Mapping[str, Any]] = (),
    ) -> int:
        """Tokens of a prompt, by an estimate: those of its texts and tools, and 4 for what a
        template puts around each message."""
        messages = request_messages(system, user)
        texts = [as_text(message) for message in messages]
        texts += [str(tool) for tool in openai_tools(tools) or []]
        return sum(self.estimate_tokens(text, model) for text in texts) + 4 * len(messages)

    def _request(
        self, model: str, system: str | None, user: Prompt, options: Mapping[str, Any]
    ) -> ChatRequest:
        self._ended(_OK)
        if not self._ready:
            raise self._not_initialized()
        return ChatRequest.of(model, system, user, options)

    def _not_initialized(self) -> NotInitializedError:
        return NotInitializedError(
            f"[{self.type}] the provider is not initialized, or was shut down; call init()."
        )

    def _transcript(self, model: str) -> Transcript:
        return Transcript(model, self._ended, partial(self._cost, model))

    def _watch(self, stream: ChatStream | AsyncChatStream) -> None:
        """Notes a stream for `shutdown` to cancel; one that came too late is cancelled now."""
        with self._lock:
            self._streams.add(stream)
            ready = self._ready
        if not ready:
            stream.cancel()
