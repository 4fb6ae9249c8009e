"""The MLX provider: models that run in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from convergio_mlx.chats.request import (
    ChatOptions,
    ChatRequest,
    Question,
    Tools,
    conversation_of,
)
from convergio_mlx.chats.stream import AsyncEventStream, AsyncSource, EventStream
from convergio_mlx.errors import ConvergioError, InvalidRequestError, UnavailableError
from convergio_mlx.generation.batch import AHEAD, Batch
from convergio_mlx.generation.sampling import SamplingParams, check_keywords
from convergio_mlx.platform.machine import availability
from convergio_mlx.providers.base import BaseProvider
from convergio_mlx.providers.interface import ModelConfig, ProviderType
from convergio_mlx.providers.memory_budget import FitMemory
from convergio_mlx.providers.model_pool import LoadedModel, Models
from convergio_mlx.store.locate import GUIDE_ID, locate
from convergio_mlx.text.messages import checked

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable

    from convergio_mlx.engine.batch import ChatCompletion, ChatJob
    from convergio_mlx.engine.engine import Engine
    from convergio_mlx.engine.request import GenerateOptions
    from convergio_mlx.engine.sources import AsyncEngineSource, EngineSource
    from convergio_mlx.generation.async_batch import AsyncBatch
    from convergio_mlx.generation.sampling import SamplingParams
    from convergio_mlx.text.tokenizer import Tokenizer

_NEEDED = (
    "engine.engine",
    "chats.planning",
    "chats.async_tool_runs",
    "text.template_process",
    "generation.pump",
    "generation.async_batch",
)
"""Modules of this package that answers need, with what they import from elsewhere."""
_LONGEST = 10**9
"""Seconds."""


def mlx_provider_create(
    *,
    default_model: str = GUIDE_ID,
    draft_models: Mapping[str, str | Path] | None = None,
    idle_seconds: float | None = None,
    memory_bytes: int | None = None,
    wait_seconds: float = 10.0,
    force: bool = False,
    prepare_constraints: bool = True,
) -> MlxProvider | None:
    """The MLX provider, or None where MLX cannot run; `availability()` says why.

    Args:
        default_model: whose tokenizer counts where no model is named and none was used.
        draft_models: for a model, by its id or folder, the smaller one that drafts for it, as
            `Engine.load` takes one.
        idle_seconds: unload a model that was not used for so long; None: only to make room.
        memory_bytes: what all models together may take at most; None: what the machine has.
        wait_seconds: how long a load waits for models in use to make room for it.
        force: load models although they do not fit into the memory that is available.
        prepare_constraints: prepare a loaded model for constrained answers in the background;
            False leaves that to the first of them.
    """
    if not availability():
        return None
    return MlxProvider(
        default_model=default_model,
        draft_models=draft_models,
        idle_seconds=idle_seconds,
        memory_bytes=memory_bytes,
        wait_seconds=wait_seconds,
        force=force,
        prepare_constraints=prepare_constraints,
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
        draft_models: Mapping[str, str | Path] | None = None,
        idle_seconds: float | None = None,
        memory_bytes: int | None = None,
        wait_seconds: float = 10.0,
        force: bool = False,
        prepare_constraints: bool = True,
    ) -> None:
        """See `mlx_provider_create`."""
        super().__init__()
        self._draft_models = _drafts(draft_models)
        self._drafts: dict[Path, Path] = {}
        self._memory = FitMemory(memory_bytes, force=force, draft_of=self._drafts.get)
        self._force = force
        self._prepare_constraints = prepare_constraints
        self._idle_seconds = _positive("idle_seconds", idle_seconds)
        self._wait_seconds = _positive("wait_seconds", wait_seconds) or 0.0
        self._models: Models | None = None
        self._last_model = default_model

    def _start(self) -> None:
        available = availability()
        if not available:
            raise UnavailableError(available.reasons[0])
        self._drafts.update(
            (locate(model).resolve(), locate(draft).resolve())
            for model, draft in self._draft_models.items()
        )
        for name in _NEEDED:  # now, since loading a library later would hold up an asyncio loop
            import_module(f"convergio_mlx.{name}")
        import_module("tokenizers")
        import_module("convergio_mlx.generation.pump").pump()
        import_module("convergio_mlx.generation.background").start()
        self._models = Models(
            self._memory,
            partial(
                _load,
                draft_of=self._drafts.get,
                force=self._force,
                prepare=self._prepare_constraints,
            ),
            self._idle_seconds,
            self._wait_seconds,
        )

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

    def chat_many(
        self,
        model: str,
        system: str | None,
        users: Iterable[Question],
        *,
        params: SamplingParams | None = None,
        tools: Tools | None = None,
        ordered: bool = False,
        ahead: int = AHEAD,
        **options: Unpack[ChatOptions],
    ) -> Batch[ChatCompletion]:
        """Answers many questions, or conversations, one by one as `chat` would; they share the
        machine.

        Args:
            model: as `chat` has it; it stays loaded until the batch is closed.
            system: how to answer.
            users: the questions or conversations; the iterable may be lazy, or without end.
            params: how to sample and when to end.
            tools: what may be called.
            ordered: answers in the order of the questions; otherwise each when it is complete.
            ahead: questions that are taken, at work or answered, before their answers are read.
            options: see `ChatOptions`.

        Returns:
            An iterator of completions. What is wrong with a question, and what ends its answer, is
            its completion's `error`, and the others go on.

        Raises:
            InvalidRequestError: system, tools, params or an option are not of their type.
            ModelNotFoundError, OutOfMemoryError, …: the model cannot be loaded, as in `load`.
        """
        from convergio_mlx.engine.batch import lookahead, several, shared_chat

        call = f"{type(self).__name__}.chat_many"
        shared = shared_chat(call, system, params, tools, options)
        if shared.run_tools:
            raise InvalidRequestError(
                "[tools] run_tools is True, and a batch that one thread reads runs no tools; use "
                "achat_many, or ask each chat on its own."
            )
        places, given = lookahead(ahead), several("users", users, "questions")
        lease = self._held().acquire(model)
        self._last_model = model

        def job(index: int, user: Question) -> ChatJob:
            return lease.engine.chat_job(
                index,
                model,
                lambda: replace(shared, messages=checked(conversation_of(system, user))),
            )

        jobs = (job(index, user) for index, user in enumerate(given))
        batch = Batch(jobs, ahead=places, ordered=ordered, on_close=lease.release)
        self._watch(batch)
        return batch

    def achat_many(
        self,
        model: str,
        system: str | None,
        users: Iterable[Question] | AsyncIterable[Question],
        *,
        params: SamplingParams | None = None,
        tools: Tools | None = None,
        ordered: bool = False,
        ahead: int = AHEAD,
        **options: Unpack[ChatOptions],
    ) -> AsyncBatch[ChatCompletion]:
        """As `chat_many`, for asyncio. `users` may be an asynchronous iterable; a model that cannot
        be loaded is the error of each completion."""
        from convergio_mlx.engine.batch import ChatCompletion, each_of, lookahead, shared_chat
        from convergio_mlx.generation.async_batch import AsyncBatch

        shared_chat(f"{type(self).__name__}.achat_many", system, params, tools, options)

        async def answered(index: int, user: Question) -> ChatCompletion:
            stream = self.astream(model, system, user, params=params, tools=tools, **options)
            try:
                return ChatCompletion(index, await stream.response())
            except ConvergioError as error:
                return ChatCompletion(index, None, error)

        asking = each_of("users", users, "questions", partial(partial, answered))
        return AsyncBatch(asking, ahead=lookahead(ahead), ordered=ordered)

    def list_models(self) -> list[ModelConfig]:
        """The embedded model, those of the registry, and others in the models' folder."""
        from convergio_mlx.providers.catalog import list_models

        return list_models()

    def usable_window(self, model: str) -> int:
        """The model's window, or as much of it as fits into memory with the model."""
        return self._memory.window(locate(model).resolve())

    def estimate_tokens(self, text: str, model: str | None = None) -> int:
        """Tokens of a text, exactly, by the model's own tokenizer; none is added around it."""
        return len(self.tokenizer(model).encode(text, add_special_tokens=False))

    def count_tokens(
        self,
        model: str,
        system: str | None,
        user: Question,
        tools: Tools = (),
        **options: Unpack[ChatOptions],
    ) -> int:
        """Tokens of a prompt, exactly: what the model would get with these options of `chat`,
        template and tools included."""
        from convergio_mlx.engine.request import chat_prompt

        messages = conversation_of(system, user)
        request = ChatRequest.of("count_tokens", messages, None, list(tools), options)
        return len(chat_prompt(self.tokenizer(model), request))

    def tokenizer(self, model: str | None = None) -> Tokenizer:
        """A model's tokenizer, without loading the model. None: of the model last used, or of the
        provider's default."""
        name = model or self._last_model
        models = self._models
        lease = models.acquire_loaded(name) if models is not None else None
        if lease is None:  # the tokenizer alone: counting is no reason to load a model
            return _tokenizer(locate(name).resolve())
        try:
            return lease.engine.tokenizer
        finally:
            lease.release()

    def complete(
        self,
        model: str,
        prompt: str | Sequence[int],
        *,
        params: SamplingParams | None = None,
        **options: Unpack[GenerateOptions],
    ) -> EventStream:
        """Continues a text or token ids, as `Engine.generate` does, as events."""
        from convergio_mlx.engine.request import GENERATE_OPTIONS

        check_keywords("MlxProvider.complete", options, GENERATE_OPTIONS)
        try:
            self._ended(None)
            lease = self._held().acquire(model)
            self._last_model = model
            try:
                source = lease.engine.text_source(prompt, params, options, lease.release)
            except BaseException:
                lease.release()
                raise
        except BaseException as error:
            self._ended(error)
            raise
        stream = EventStream(self._builder(model), source)
        self._watch(stream)
        return stream

    def acomplete(
        self,
        model: str,
        prompt: str | Sequence[int],
        *,
        params: SamplingParams | None = None,
        **options: Unpack[GenerateOptions],
    ) -> AsyncEventStream:
        """As `complete`, for asyncio."""
        from convergio_mlx.engine.request import GENERATE_OPTIONS

        check_keywords("MlxProvider.acomplete", options, GENERATE_OPTIONS)

        async def open_source() -> AsyncSource:
            self._ended(None)
            lease = await self._held().aacquire(model)
            self._last_model = model
            try:
                return await lease.engine.atext_source(prompt, params, options, lease.release)
            except BaseException:
                lease.release()
                raise

        stream = AsyncEventStream(self._builder(model), open_source)
        self._watch(stream)
        return stream

    def _open(self, model: str, request: ChatRequest) -> EngineSource:
        lease = self._held().acquire(model)
        self._last_model = model
        try:
            return lease.engine.source(request, lease.release)
        except BaseException:
            lease.release()
            raise

    async def _aopen(self, model: str, request: ChatRequest) -> AsyncEngineSource:
        lease = await self._held().aacquire(model)
        self._last_model = model
        try:
            return await lease.engine.asource(request, lease.release)
        except BaseException:
            lease.release()
            raise

    def _held(self) -> Models:
        models = self._models
        if models is None:
            raise self._not_initialized()
        return models


def _load(
    folder: Path, *, draft_of: Callable[[Path], Path | None], force: bool, prepare: bool
) -> Engine:
    from convergio_mlx.engine.engine import Engine

    engine = Engine.load(folder, draft_model=draft_of(folder), force=force)
    tokenizer = engine.tokenizer  # now, on this thread, and not on an asyncio loop's
    if prepare:
        threading.Thread(
            target=_prepare, args=(tokenizer,), name="convergio-mlx-constraints", daemon=True
        ).start()
    return engine


def _prepare(tokenizer: Tokenizer) -> None:
    """Prepares constrained answers in the background; the first such answer raises what fails."""
    from convergio_mlx.chats.planning import prepare_constraints

    with suppress(Exception):
        prepare_constraints(tokenizer)


@lru_cache(maxsize=4)
def _tokenizer(folder: Path) -> Tokenizer:
    from convergio_mlx.engine.engine import read_tokenizer

    return read_tokenizer(folder)


def _drafts(given: object) -> dict[str, str | Path]:
    if given is not None and not isinstance(given, Mapping):
        raise InvalidRequestError(
            f"[mlx] draft_models is of type {type(given).__name__}; give a mapping of models to "
            "the smaller ones that draft for them, or None."
        )
    return dict(given or {})


def _positive(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LONGEST:
        raise InvalidRequestError(
            f"[mlx] {name} is {value!r}, which must be a number of seconds from 0 to {_LONGEST}, "
            "or None."
        )
    return float(value)
