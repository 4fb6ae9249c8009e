"""One call, without an engine or a provider to make: models of this process's own provider."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Unpack

if TYPE_CHECKING:
    from convergio_mlx.chats.request import ChatOptions, Question, Tools
    from convergio_mlx.chats.response import ChatResponse
    from convergio_mlx.chats.stream import AsyncEventStream, EventStream
    from convergio_mlx.generation.sampling import SamplingParams
    from convergio_mlx.providers.mlx import MlxProvider

_lock = threading.Lock()
_provider: MlxProvider | None = None


def chat(
    model: str,
    user: Question,
    *,
    system: str | None = None,
    params: SamplingParams | None = None,
    tools: Tools | None = None,
    **options: Unpack[ChatOptions],
) -> ChatResponse:
    """One whole answer. The model is loaded at its first use and stays loaded while it fits; use an
    `MlxProvider` to say when models are loaded and unloaded.

    Args:
        model: `convergio-guide` (the embedded one), the id of a downloaded model, or a folder.
        user: a question, or the messages of a conversation in OpenAI's shape.
        system: how to answer.
        params: how to sample and when to end.
        tools: what may be called: Python functions, or definitions. `run_tools=True` calls the
            functions and lets the model go on.
        options: see `ChatOptions`; the fields of `SamplingParams` go before `params`.

    Raises:
        ModelNotFoundError: there is no such model; a ModelNotInstalledError where it has yet to be
            downloaded.
        InvalidRequestError: messages, tools or an option cannot be honoured.
        ContextLengthError: prompt and max_tokens exceed the context window.
        UnavailableError: MLX cannot run here.
    """
    return _local().chat(model, system, user, params=params, tools=tools, **options)


async def achat(
    model: str,
    user: Question,
    *,
    system: str | None = None,
    params: SamplingParams | None = None,
    tools: Tools | None = None,
    **options: Unpack[ChatOptions],
) -> ChatResponse:
    """As `chat`, for asyncio: the loop is never blocked."""
    provider = await asyncio.to_thread(_local)  # the first time it imports what answers need
    return await provider.achat(model, system, user, params=params, tools=tools, **options)


def stream(
    model: str,
    user: Question,
    *,
    system: str | None = None,
    params: SamplingParams | None = None,
    tools: Tools | None = None,
    **options: Unpack[ChatOptions],
) -> EventStream:
    """As `chat`, as it is made: an iterator of events, the last one with the response."""
    return _local().stream(model, system, user, params=params, tools=tools, **options)


def astream(
    model: str,
    user: Question,
    *,
    system: str | None = None,
    params: SamplingParams | None = None,
    tools: Tools | None = None,
    **options: Unpack[ChatOptions],
) -> AsyncEventStream:
    """As `stream`, for asyncio. The first of all these calls imports what answers need: on the
    loop, where it is this one."""
    return _local().astream(model, system, user, params=params, tools=tools, **options)


def _local() -> MlxProvider:
    """The provider of all these calls, ready to serve."""
    global _provider  # noqa: PLW0603
    with _lock:
        if _provider is None:
            from convergio_mlx.providers.mlx import MlxProvider

            provider = MlxProvider()
            provider.init()
            _provider = provider
        return _provider
