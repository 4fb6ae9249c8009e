"""The MLX provider: models that run in this process."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convergio_mlx.errors import InvalidRequestError, UnavailableError
from convergio_mlx.locate import GUIDE_ID, locate
from convergio_mlx.machine import availability
from convergio_mlx.providers.base import BaseProvider
from convergio_mlx.providers.chat import (
    ChatRequest,
    Prompt,
    ToolDefinition,
    openai_tools,
    request_messages,
)
from convergio_mlx.providers.interface import ModelConfig, ProviderType
from convergio_mlx.providers.memory import FitMemory
from convergio_mlx.providers.mlx_streams import AsyncMlxStream, MlxStream, acquired
from convergio_mlx.providers.models import LoadedModel, Models

if TYPE_CHECKING:
    from convergio_mlx.engine import Engine
    from convergio_mlx.text.tokenizer import Tokenizer

_NEEDED = ("engine", "answers.answering", "text.template_sandbox", "pump")
"""Modules of this package that answers need, with what they import from elsewhere."""


def mlx_provider_create(
    *,
    default_model: str = GUIDE_ID,
    idle_seconds: float | None = None,
    memory_bytes: int | None = None,
    wait_seconds: float = 10.0,
) -> MlxProvider | None:
    """The MLX provider, or None where MLX cannot run; `availability()` says why.

    Args:
        default_model: whose tokenizer counts where no model is named and none was used.
        idle_seconds: unload a model that was not used for so long; None: only to make room.
        memory_bytes: what all models together may take at most; None: what the machine has.
        wait_seconds: how long a load waits for models in use to make room for it.
    """
    if not availability():
        return None
    return MlxProvider(
        default_model=default_model,
        idle_seconds=idle_seconds,
        memory_bytes=memory_bytes,
        wait_seconds=wait_seconds,
    )


class MlxProvider(BaseProvider):
    """Models that run in this process. They are loaded when first used; several are held at once
    where they fit into memory, and those not in use make room for another."""

    type = ProviderType.MLX
    name = "MLX"

    def __init__(
        self,
        *,
        default_model: str = GUIDE_ID,
        idle_seconds: float | None = None,
        memory_bytes: int | None = None,
        wait_seconds: float = 10.0,
    ) -> None:
        """See `mlx_provider_create`."""
        super().__init__()
        self._memory = FitMemory(memory_bytes)
        self._idle_seconds = _positive("idle_seconds", idle_seconds)
        self._wait_seconds = _positive("wait_seconds", wait_seconds) or 0.0
        self._models: Models | None = None
        self._last_model = default_model

    def _start(self) -> None:
        available = availability()
        if not available:
            raise UnavailableError(available.reasons[0])
        for name in _NEEDED:  # now, since loading a library later would hold up an asyncio loop
            import_module(f"convergio_mlx.{name}")
        import_module("tokenizers")
        import_module("llguidance")
        import_module("convergio_mlx.pump").pump()
        import_module("convergio_mlx.preparing").start()
        self._models = Models(self._memory, _load, self._idle_seconds, self._wait_seconds)

    def _stop(self) -> None:
        models, self._models = self._models, None
        if models is not None:
            models.close()
        _tokenizer.cache_clear()

    def validate_key(self) -> bool:
        """There is no key: whether MLX can run on this machine."""
        return bool(availability())

    def load(self, model: str) -> None:
        """Loads a model now rather than with its first use.

        Raises:
            ModelNotFoundError, ModelCorruptError, UnsupportedModelError: as `Engine.load`.
            OutOfMemoryError: the memory does not suffice.
            OverloadedError: models in use leave no room.
        """
        self._held().acquire(model).release()

    def unload(self, model: str) -> bool:
        """Lets go of a model; answers under way end as they would, and its memory is free after
        them. False where it was not loaded."""
        return self._held().unload(model)

    def loaded(self) -> list[LoadedModel]:
        """The models that are loaded, the one used last at the end."""
        return self._held().loaded()

    def list_models(self) -> list[ModelConfig]:
        """The embedded model, those of the registry, and those in the models' folder beside."""
        from convergio_mlx.providers.mlx_models import list_models

        return list_models()

    def usable_window(self, model: str) -> int:
        """The model's window, or as much of it as fits into memory with the model."""
        return self._memory.window(locate(model))

    def estimate_tokens(self, text: str, model: str | None = None) -> int:
        """Tokens of a text, exactly, by the model's own tokenizer; none is added around it."""
        return len(self._tokenizer(model).encode(text, add_special_tokens=False))

    def count_tokens(
        self,
        model: str,
        system: str | None,
        user: Prompt,
        tools: Sequence[ToolDefinition | Mapping[str, Any]] = (),
    ) -> int:
        """Tokens of a prompt, exactly: what the model would get, template and tools included."""
        from convergio_mlx.answers import answering

        tokenizer = self._tokenizer(model)
        messages = request_messages(system, user)
        plan = answering.plan(tokenizer, messages, tools=openai_tools(tools))
        chat = tokenizer.chat_template(tools=bool(plan.tools))
        text = chat.render(plan.messages, plan.tools)
        return len(tokenizer.encode(text, add_special_tokens=False))

    def _tokenizer(self, model: str | None) -> Tokenizer:
        name = model or self._last_model
        models = self._models
        lease = models.acquire_loaded(name) if models is not None else None
        if lease is None:  # the tokenizer alone: counting is no reason to load a model
            return _tokenizer(locate(name).resolve())
        try:
            return lease.engine.tokenizer
        finally:
            lease.release()

    def _open(self, request: ChatRequest) -> MlxStream:
        lease = self._held().acquire(request.model)
        self._last_model = request.model
        try:
            return MlxStream(lease, lease.engine.stream(**_arguments(request)))
        except BaseException:
            lease.release()
            raise

    async def _aopen(self, request: ChatRequest) -> AsyncMlxStream:
        models = self._held()
        lease = models.acquire_loaded(request.model)
        if lease is None:
            lease = await acquired(models, request.model)
        self._last_model = request.model
        return AsyncMlxStream(lease, lease.engine.astream(**_arguments(request)))

    def _held(self) -> Models:
        models = self._models
        if models is None:
            raise self._not_initialized()
        return models


def _arguments(request: ChatRequest) -> dict[str, Any]:
    """What `Engine.stream` takes; what was not asked for is left to it."""
    given: dict[str, Any] = {
        "messages": request.messages,
        "params": request.params,
        "tools": request.tools,
        "tool_choice": request.tool_choice,
        "timeout": request.timeout,
        "template": request.template,
    }
    for name in ("response_format", "reasoning_budget"):
        if getattr(request, name) is not None:
            given[name] = getattr(request, name)
    return given


def _load(folder: Path) -> Engine:
    from convergio_mlx.engine import Engine

    engine = Engine.load(folder)
    tokenizer = engine.tokenizer  # now, on this thread, and not on an asyncio loop's
    threading.Thread(
        target=_prepare, args=(tokenizer,), name="convergio-mlx-constraints", daemon=True
    ).start()
    return engine


def _prepare(tokenizer: Tokenizer) -> None:
    """Makes ready for constrained answers, meanwhile; what hinders that, such an answer tells."""
    from convergio_mlx.answers.answering import prepare_constraints

    with suppress(Exception):
        prepare_constraints(tokenizer)


@lru_cache(maxsize=4)
def _tokenizer(folder: Path) -> Tokenizer:
    from convergio_mlx.engine import read_tokenizer

    return read_tokenizer(folder)


def _positive(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise InvalidRequestError(
            f"[mlx] {name} is {value!r}, which must be a number of seconds of at least 0, or None."
        )
    return float(value)
