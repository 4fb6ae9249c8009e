"""The interface of all providers, and what it speaks of: models, costs, errors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, Unpack, runtime_checkable

from convergio_mlx.errors import ProviderErrorInfo

if TYPE_CHECKING:
    from convergio_mlx.chats.request import ChatOptions, Question, Tools
    from convergio_mlx.chats.response import ChatResponse
    from convergio_mlx.chats.stream import AsyncEventStream, EventStream
    from convergio_mlx.generation.sampling import SamplingParams
    from convergio_mlx.providers.handler import StreamHandler


class ProviderType(StrEnum):
    """Who serves a model."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    GEMINI = "gemini"
    OPENROUTER = "openrouter"
    OLLAMA = "ollama"
    MLX = "mlx"

    @property
    def is_local(self) -> bool:
        """Whether its models run on this machine."""
        return self in (ProviderType.OLLAMA, ProviderType.MLX)


class CostTier(StrEnum):
    """What a model costs, roughly: dollars for a million output tokens."""

    CHEAP = "cheap"
    """Under 2, and all that is free."""
    MID = "mid"
    """2 to 10."""
    PREMIUM = "premium"
    """Over 10."""

    @classmethod
    def of(cls, output_cost: float) -> CostTier:
        """The tier of a price in dollars for a million output tokens."""
        if output_cost < 2:
            return cls.CHEAP
        return cls.MID if output_cost <= 10 else cls.PREMIUM


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A model as a provider offers it."""

    id: str
    display_name: str
    provider: ProviderType
    context_window: int
    """Tokens of prompt and answer together."""
    max_output: int
    """Tokens of an answer at most."""
    input_cost: float = 0.0
    """Dollars for a million prompt tokens."""
    output_cost: float = 0.0
    """Dollars for a million tokens of answers, reasoning included."""
    cached_cost: float | None = None
    """Dollars for a million prompt tokens served from a kept cache; None: as `input_cost`."""
    supports_tools: bool = False
    supports_vision: bool = False
    supports_streaming: bool = True
    supports_reasoning: bool = False
    release_date: str | None = None
    """YYYY-MM-DD; None where it is unknown."""
    deprecated: bool = False
    installed: bool = True
    """Whether it can be used as things are; False where it must be downloaded first."""

    @property
    def tier(self) -> CostTier:
        """What it costs, roughly."""
        return CostTier.of(self.output_cost)

    def cost(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """Dollars for a request; `cached_tokens` are those of the input that came from a cache."""
        cached = self.input_cost if self.cached_cost is None else self.cached_cost
        fresh = input_tokens - cached_tokens
        dollars = fresh * self.input_cost + cached_tokens * cached
        return (dollars + output_tokens * self.output_cost) / 1e6


@runtime_checkable
class Provider(Protocol):
    """What serves models. Any thread and any task may call any member at any time.

    Every method raises a `ConvergioError`, with a code and whether a retry can help, for what
    cannot be done; `stream_chat` gives it to the handler instead.
    """

    @property
    def type(self) -> ProviderType:
        """Who it is."""

    @property
    def name(self) -> str:
        """Who it is, for people."""

    @property
    def api_key_env(self) -> str | None:
        """The environment variable that holds its key; None where there is no key."""

    @property
    def base_url(self) -> str | None:
        """Where its service is; None where there is none."""

    @property
    def initialized(self) -> bool:
        """Whether it is ready to serve: after `init`, until `shutdown`."""

    @property
    def last_error(self) -> ProviderErrorInfo:
        """How the last call of this thread or asyncio task on this provider ended; code `ok` where
        it succeeded, or none was made. Other threads and tasks never change what one sees. A
        stream's end counts for whoever reads it."""

    def init(self) -> None:
        """Makes it ready to serve; loads no model. Idempotent."""

    def shutdown(self) -> None:
        """Ends answers under way, which are then "cancelled", and frees models and memory.
        Idempotent; `init` makes it ready again."""

    def validate_key(self) -> bool:
        """Whether it would serve: the key is accepted, or, where there is none, models can run on
        this machine. Raises nothing."""

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
        """One whole answer.

        Args:
            model: an id of `list_models`, with or without the provider's name and a slash before.
            system: how to answer; None or empty for nothing.
            user: a question, or the messages of a conversation in OpenAI's shape; a system message
                among them only where `system` is empty.
            params: how to sample and when to end.
            tools: what may be called.
            options: see `ChatOptions`; the fields of `SamplingParams` go before `params`.
        """

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
        """As `chat`, for asyncio: the loop is never blocked."""

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
        """As `chat`; the answer may hold calls of the tools given. Answer those with messages of
        the role "tool" in a further call."""

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
        """Gives an answer to the handler as it is made: each chunk of text, then the full text or
        an error. Returns when the answer has ended. What the handler itself raises ends the answer
        and is raised here."""

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
        """An answer as it is made: an iterator of events, the last one with the response."""

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
        """As `stream`, for asyncio: the loop is never blocked. What `stream` raises is raised by
        `await stream.start()`, or when it is first awaited."""

    def estimate_tokens(self, text: str, model: str | None = None) -> int:
        """Tokens of a text, special ones not counted; exact where the provider has the model's
        tokenizer. None: the model last used, or the provider's default."""

    def count_tokens(
        self,
        model: str,
        system: str | None,
        user: Question,
        tools: Tools = (),
    ) -> int:
        """Tokens of a whole prompt, as the model would get it; exact where `estimate_tokens` is."""

    def list_models(self) -> list[ModelConfig]:
        """The models it offers."""

    def usable_window(self, model: str) -> int:
        """The context window of a model, or as much of it as this machine has the memory for."""
