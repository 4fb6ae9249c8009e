"""A loaded model: prompts in, answers out, from any thread or task."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

from convergio_mlx.chats.event_parser import EventParser
from convergio_mlx.chats.request import CHAT_OPTIONS, ChatOptions, ChatRequest, Tools, seconds
from convergio_mlx.chats.response_builder import ResponseBuilder
from convergio_mlx.chats.stream import AsyncEventStream, AsyncSource, EventStream
from convergio_mlx.chats.tool_runs import opened
from convergio_mlx.engine.batch import (
    ChatJob,
    CompletionJob,
    EachParams,
    PromptsWithParams,
    each_of,
    lookahead,
    several,
)
from convergio_mlx.engine.draft_model import check_vocabulary
from convergio_mlx.engine.perplexity import (
    MAX_TOKENS,
    WINDOW,
    OnTokens,
    Perplexity,
    perplexity,
)
from convergio_mlx.engine.request import (
    GENERATE_OPTIONS,
    MANY_OPTIONS,
    GenerateOptions,
    ManyOptions,
    Prompt,
    PromptRequest,
    Target,
    prepare,
    prepare_chat,
    token_ids,
    whole_number,
)
from convergio_mlx.engine.sources import AsyncEngineSource, EngineSource, Release, nothing
from convergio_mlx.errors import (
    InvalidRequestError,
    ModelCorruptError,
    NotInitializedError,
    TokenizerError,
)
from convergio_mlx.generation.background import within
from convergio_mlx.generation.batch import AHEAD, Batch, Completion
from convergio_mlx.generation.generation import AsyncGeneration, Generation
from convergio_mlx.generation.reader import Prepared
from convergio_mlx.generation.sampling import SamplingParams, check_keywords
from convergio_mlx.platform.deadline import Deadline
from convergio_mlx.platform.home import models_folder
from convergio_mlx.platform.native import native
from convergio_mlx.sizing.fit import check
from convergio_mlx.sizing.footprint import folder_footprint
from convergio_mlx.store.locate import locate
from convergio_mlx.text.model_folder import ModelFolder
from convergio_mlx.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from convergio_mlx.generation.async_batch import Asking, AsyncBatch
    from convergio_mlx.store.locks import Use


@dataclass(frozen=True)
class PrefixCacheStats:
    """What the prefix cache of a model holds: KV caches of finished requests, reused by prompts
    that share a prefix with them."""

    sequences: int
    bytes: int
    snapshots: int
    """Of models whose layers cannot go back (recurrences, sliding windows): lengths at which a
    sequence can be continued besides its end."""
    snapshot_bytes: int
    """Of `bytes`."""


@dataclass(frozen=True)
class QueueStats:
    """Requests of all engines of this process, which share one thread and one memory."""

    waiting: int
    """Requests that wait for a place or for memory."""
    running: int
    """Requests that have their place; preempted ones too."""
    reserved_bytes: int
    """What the KV caches of those that run take, or may come to take."""


class Engine:
    """A model and its tokenizer. Any number of threads and tasks may call it at once: requests
    share the one native thread that computes, and on a CPU each pass over the weights, where an
    answer is the same, to the bit of its log-probabilities, whatever else runs."""

    def __init__(
        self,
        model: Any,
        files: ModelFolder,
        uses: Sequence[Use] = (),
        draft_folder: Path | None = None,
    ) -> None:
        """Made by `load`."""
        self._model: Any = model
        self._files = files
        self._uses = uses
        self.folder = files.path
        self.draft_folder = draft_folder
        self._tokenizer: Tokenizer | None = None
        self._tokenizer_lock = threading.Lock()

    @classmethod
    def load(
        cls,
        model: str | Path,
        *,
        draft_model: str | Path | None = None,
        force: bool = False,
        prefix_cache_bytes: int | None = None,
        prefill_pause: float | None = None,
    ) -> Engine:
        """Maps a model into memory; no weight is read and no network is used.

        Args:
            model: `convergio-guide` (the embedded one), the id of a downloaded model, or a folder
                with config.json, tokenizer.json and safetensors files, as Hugging Face has them.
            draft_model: a smaller model with the same tokenizer, given as `model` is, that drafts
                tokens for this one, where that is faster; answers are the same. On a CPU alone.
            force: load it although it does not fit into the memory that is available.
            prefix_cache_bytes: the bound of the prefix cache, the KV caches of finished requests
                that prompts with the same prefix reuse; 0 switches it off, None is an eighth of
                the memory that MLX may use.
            prefill_pause: see the property of this name.

        Raises:
            OutOfMemoryError: it does not fit; the sentence has the numbers and what would.
            ModelNotFoundError: there is no such model; a ModelNotInstalledError where it has
                yet to be downloaded.
            ModelInUseError: the model is being deleted.
            ModelCorruptError: a file is damaged, or the tensors do not fit config.json.
            UnsupportedModelError: the engine does not run this kind of model.
            UnavailableError: MLX cannot run here.
            InvalidRequestError: `draft_model` has another vocabulary, or an option is none.
        """
        folder = locate(model)
        drafter = None if draft_model is None else ModelFolder(locate(draft_model))
        cache_bytes = _checked_bytes(prefix_cache_bytes)
        files, path = ModelFolder(folder), os.fsencode(folder)
        with _repairable(folder):
            geometry = native().folder_geometry(path)
            if drafter is not None:
                check_vocabulary(files, drafter)
            if not force:
                check(str(model), files, geometry, drafter)
            uses = [_use(one.path) for one in (files, drafter) if one is not None]
            loaded = native().load(
                path, cache_bytes, geometry, None if drafter is None else os.fsencode(drafter.path)
            )
            sizes = folder_footprint(files, geometry)
            if sizes is not None and drafter is not None:
                sizes = replace(sizes, draft=folder_footprint(drafter))
            loaded.pass_bytes = 0 if sizes is None else sizes.pass_bytes
            engine = cls(
                loaded,
                files,
                [use for use in uses if use is not None],
                None if drafter is None else drafter.path,
            )
        if prefill_pause is not None:
            engine.prefill_pause = prefill_pause
        return engine

    def generate(
        self,
        prompt: Prompt,
        params: SamplingParams | None = None,
        **options: Unpack[GenerateOptions],
    ) -> Generation:
        """Answers a prompt.

        Args:
            prompt: messages go through the model's chat template; a text is continued, with the
                special tokens that the tokenizer puts before one; token ids are taken as they are.
            params: how to choose tokens and when to end.
            options: `tools`, `timeout`, `chat_template_kwargs` and `constraint`, as
                `GenerateOptions` has them, and the fields of `SamplingParams`.

        Returns:
            An iterator of chunks.

        Raises:
            InvalidRequestError: the prompt, an option or the messages cannot be honoured.
            ContextLengthError: prompt and max_tokens exceed the context window.
        """
        check_keywords("Engine.generate", options, GENERATE_OPTIONS)
        target, asked = self._target(), PromptRequest.of(params, options)
        return Generation(within(asked.timeout, partial(prepare, target, prompt, asked)))

    def agenerate(
        self,
        prompt: Prompt,
        params: SamplingParams | None = None,
        **options: Unpack[GenerateOptions],
    ) -> AsyncGeneration:
        """As `generate`, for asyncio: `async for chunk in engine.agenerate(…)`. What `generate`
        raises is raised by `await generation.start()`, or when it is first awaited."""
        check_keywords("Engine.agenerate", options, GENERATE_OPTIONS)
        return AsyncGeneration(
            lambda deadline: prepare(
                self._target(), prompt, PromptRequest.of(params, options), deadline
            ),
            lambda: seconds("timeout", options.get("timeout")),
        )

    def generate_n(
        self,
        prompt: Prompt,
        n: int,
        params: SamplingParams | None = None,
        **options: Unpack[ManyOptions],
    ) -> list[Generation]:
        """Several answers to one prompt, which is prefilled once: OpenAI's `n`. Answer i is the one
        that `generate` gives for the seed + i (modulo 2^64); without a seed, one is drawn.

        Args:
            prompt: as `generate` takes it.
            n: how many answers, from 1 to 1024.
            params: how to choose tokens and when to end.
            options: those of `generate` but `constraint`.

        Returns:
            As many generations, each to be read on its own, in any order, or from a thread each.

        Raises:
            InvalidRequestError, ContextLengthError: as `generate`.
        """
        check_keywords("Engine.generate_n", options, MANY_OPTIONS)
        asked, target = PromptRequest.of(params, options), self._target()

        def prepared(deadline: Deadline) -> list[Prepared]:
            return [prepare(target, prompt, one, deadline) for one in asked.times(n)]

        return [Generation(one) for one in within(asked.timeout, prepared)]

    def agenerate_n(
        self,
        prompt: Prompt,
        n: int,
        params: SamplingParams | None = None,
        **options: Unpack[ManyOptions],
    ) -> list[AsyncGeneration]:
        """As `generate_n`, for asyncio. What is wrong with the prompt is raised by
        `await generation.start()`, or when one is first awaited."""
        check_keywords("Engine.agenerate_n", options, MANY_OPTIONS)
        asked, later = PromptRequest.of(params, options), self._later()

        def prepared(one: PromptRequest, deadline: Deadline) -> Prepared:
            return prepare(later(), prompt, one, deadline)

        return [
            AsyncGeneration(partial(prepared, one), lambda: asked.timeout) for one in asked.times(n)
        ]

    def generate_many(
        self,
        prompts: Iterable[Prompt],
        params: EachParams = None,
        *,
        ordered: bool = False,
        ahead: int = AHEAD,
        **options: Unpack[ManyOptions],
    ) -> Batch[Completion]:
        """Answers many prompts, which share the machine as any requests do: each answer is that of
        the prompt alone.

        Args:
            prompts: each as `generate` takes it; the iterable may be lazy, or without end.
            params: how to choose tokens and when to end, one for all; or an iterable, one each.
            ordered: answers in the order of the prompts; otherwise each when it is complete.
            ahead: prompts that are taken, at work or answered, before their answers are read.
            options: those of `generate` but `constraint`, the same for all prompts.

        Returns:
            An iterator of completions. What is wrong with a prompt, and what ends its answer, is
            its completion's `error`, and the others go on; what the iterables raise ends it all.

        Raises:
            InvalidRequestError: what all prompts have in common cannot be honoured.
        """
        check_keywords("Engine.generate_many", options, MANY_OPTIONS)
        asked = PromptsWithParams(self._later(), params, options)
        given = several("prompts", prompts, "prompts")
        jobs = (asked.job(index, prompt) for index, prompt in enumerate(given))
        return Batch(jobs, ahead=lookahead(ahead), ordered=ordered)

    def agenerate_many(
        self,
        prompts: Iterable[Prompt] | AsyncIterable[Prompt],
        params: EachParams = None,
        *,
        ordered: bool = False,
        ahead: int = AHEAD,
        **options: Unpack[ManyOptions],
    ) -> AsyncBatch[Completion]:
        """As `generate_many`, for asyncio: `async for completion in engine.agenerate_many(…)`.
        `prompts` may be an asynchronous iterable."""
        from convergio_mlx.generation.async_batch import AsyncBatch, answered

        check_keywords("Engine.agenerate_many", options, MANY_OPTIONS)
        asked = PromptsWithParams(self._later(), params, options)

        def ask(index: int, prompt: Prompt) -> Asking[Completion]:
            return partial(answered, asked.job(index, prompt))

        asking = each_of("prompts", prompts, "prompts", ask)
        return AsyncBatch(asking, ahead=lookahead(ahead), ordered=ordered)

    def stream(
        self,
        messages: Sequence[Mapping[str, Any]],
        params: SamplingParams | None = None,
        *,
        tools: Tools | None = None,
        **options: Unpack[ChatOptions],
    ) -> EventStream:
        """Answers a conversation with events: text, reasoning and tool calls separated.

        Args:
            messages: in OpenAI's shape, calls and results of tools included.
            params: how to choose tokens and when to end.
            tools: what may be called.
            options: `tool_choice`, `response_format`, `reasoning_budget`, `timeout` and
                `chat_template_kwargs`, as `ChatOptions` has them, and the fields of
                `SamplingParams`.

        Returns:
            An iterator of events, the last of them a FinishEvent.

        Raises:
            InvalidRequestError: messages, tools or an option cannot be honoured.
            ContextLengthError: prompt and max_tokens exceed the context window.
        """
        builder = ResponseBuilder(self.folder.name)
        request = ChatRequest.of("Engine.stream", messages, params, tools, options)
        builder.answer_type = request.answer_type
        return EventStream(builder, opened(request, self.source))

    def astream(
        self,
        messages: Sequence[Mapping[str, Any]],
        params: SamplingParams | None = None,
        *,
        tools: Tools | None = None,
        **options: Unpack[ChatOptions],
    ) -> AsyncEventStream:
        """As `stream`, for asyncio: `async for event in engine.astream(…)`. What `stream` raises is
        raised by `await stream.start()`, or when it is first awaited."""
        from convergio_mlx.chats.async_tool_runs import aopened

        check_keywords("Engine.astream", options, CHAT_OPTIONS)
        builder = ResponseBuilder(self.folder.name)

        async def open_source() -> AsyncSource:
            request = ChatRequest.of("Engine.astream", messages, params, tools, options)
            builder.answer_type = request.answer_type
            return await aopened(request, self.asource)

        return AsyncEventStream(builder, open_source)

    def source(self, request: ChatRequest, release: Release = nothing) -> EngineSource:
        """Submits a checked request; `release` is called when its answer is closed.

        Raises:
            InvalidRequestError, ContextLengthError: the model cannot honour it.
        """
        made = within(request.timeout, partial(prepare_chat, self._target(), request))
        return EngineSource(*made, release)

    async def asource(self, request: ChatRequest, release: Release = nothing) -> AsyncEngineSource:
        """As `source`, for asyncio; the loop is not blocked meanwhile."""
        source = AsyncEngineSource(
            lambda deadline: prepare_chat(self._target(), request, deadline),
            request.timeout,
            release,
        )
        return await source.start()

    def text_source(
        self,
        prompt: Prompt,
        params: SamplingParams | None,
        options: GenerateOptions,
        release: Release = nothing,
    ) -> EngineSource:
        """As `source`, for what `generate` takes; all of the answer is text."""
        asked = PromptRequest.of(params, options)
        made = within(asked.timeout, partial(prepare, self._target(), prompt, asked))
        return EngineSource(made, EventParser(None, None), release)

    async def atext_source(
        self,
        prompt: Prompt,
        params: SamplingParams | None,
        options: GenerateOptions,
        release: Release = nothing,
    ) -> AsyncEngineSource:
        """As `text_source`, for asyncio; the loop is not blocked meanwhile."""

        asked = PromptRequest.of(params, options)

        def prepared(deadline: Deadline) -> tuple[Prepared, EventParser]:
            return prepare(self._target(), prompt, asked, deadline), EventParser(None, None)

        return await AsyncEngineSource(prepared, asked.timeout, release).start()

    def prompt_job(
        self,
        index: int,
        prompt: Prompt,
        params: Callable[[], SamplingParams | None],
        **options: Unpack[ManyOptions],
    ) -> CompletionJob:
        """One of the prompts of a `Batch`, with `params` that are called for when it is begun."""
        return CompletionJob(
            index, self._later(), prompt, lambda: PromptRequest.of(params(), options)
        )

    def chat_job(
        self,
        index: int,
        model: str,
        request: Callable[[], ChatRequest],
    ) -> ChatJob:
        """One of the chats of a `Batch`: `request` is called when it is begun, and `model` is its
        name in the response."""
        return ChatJob(index, self._later(), model, request)

    def prepare_constraints(self) -> None:
        """Builds the token table that the first answer with tools or a `response_format` would
        build, most of a second for 128 000 tokens; other threads go on meanwhile. A second call
        does nothing. The MLX provider calls it when it has loaded a model.

        Raises:
            InvalidRequestError: answers of this model's tokenizer cannot be constrained.
        """
        from convergio_mlx.chats.planning import prepare_constraints

        prepare_constraints(self.tokenizer)

    def logits(self, tokens: Sequence[int], *, chunk: int = 256) -> Any:
        """The model's logits at every token, for scoring and tests.

        Args:
            tokens: ids, at least one, no more than the context window.
            chunk: tokens that are run at once.

        Returns:
            (len(tokens), vocab_size) float32, an object with DLPack and the buffer protocol:
            `numpy.asarray(engine.logits(ids))`.

        Raises:
            InvalidRequestError, ContextLengthError: the tokens or the chunk size are invalid.
        """
        size = whole_number("chunk", chunk)
        return self._loaded().logits(token_ids(tokens), size)

    def perplexity(
        self,
        text: str,
        *,
        window: int = WINDOW,
        max_tokens: int = MAX_TOKENS,
        on_progress: OnTokens | None = None,
    ) -> Perplexity:
        """How well the model predicts a text, for comparing models of one tokenizer. The text is
        read in windows that know nothing of each other, each after the tokenizer's BOS token where
        it puts one; all tokens of a window are predicted, without BOS all but the first.

        Args:
            text: at least two tokens of it.
            window: tokens of a window, BOS included; the context window's at most.
            max_tokens: tokens of the text that are read.
            on_progress: told how many tokens are done, and of how many.

        Raises:
            InvalidRequestError: the text is too short, or an option is invalid.
        """
        return perplexity(
            self._loaded(),
            self.tokenizer,
            text,
            window=window,
            max_tokens=max_tokens,
            on_progress=on_progress,
        )

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer, read when first used.

        Raises:
            TokenizerError: it is missing or damaged.
        """
        with self._tokenizer_lock:  # not cached_property, whose lock is all engines' in Python 3.11
            if self._tokenizer is None:
                self._tokenizer = read_tokenizer(self._files)
            return self._tokenizer

    @property
    def _generation_config(self) -> dict[str, Any]:
        return self._files.json("generation_config.json")

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
    def state_bytes(self) -> int:
        """Bytes of the states that layers with a recurrence keep of a sequence, however long it is;
        0 where the model has none."""
        return int(self._loaded().state_bytes)

    @property
    def prefill_pause(self) -> float | None:
        """Seconds by which the prompt of a newcomer may lengthen the time between two tokens of
        those who decode: its slices are as large as they may be by what earlier ones took, one
        token at least. None, the default: slices of 8 to 16 tokens on a CPU, 512 on a GPU. It can
        be set at any time, also by another thread.

        Raises:
            InvalidRequestError: it is set to what is no number of seconds above 0.
        """
        seconds_or_none: float | None = self._loaded().prefill_pause
        return seconds_or_none

    @prefill_pause.setter
    def prefill_pause(self, pause: float | None) -> None:
        self._loaded().prefill_pause = seconds("prefill_pause", pause)

    @property
    def prefix_cache_stats(self) -> PrefixCacheStats:
        """What the prefix cache holds now."""
        return PrefixCacheStats(*self._loaded().prefix_cache_stats)

    @property
    def queue_stats(self) -> QueueStats:
        """How many requests wait and run now."""
        return QueueStats(*native().queue_stats())

    def close(self) -> None:
        """Releases the model; answers in progress still finish. Idempotent."""
        self._model = None
        for use in self._uses:
            use.close()

    def __enter__(self) -> Self:
        """Closes at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes."""
        self.close()

    def _target(self) -> Target:
        return self._later()()

    def _later(self) -> Callable[[], Target]:
        """What gives the target, and may read the tokenizer for it; closed engines raise now."""
        model = self._loaded()
        return lambda: Target(model, self.tokenizer, self._generation_config)

    def _loaded(self) -> Any:
        model = self._model
        if model is None:
            raise NotInitializedError("[engine] this engine is closed; load the model again.")
        return model


def read_tokenizer(folder: Path | ModelFolder) -> Tokenizer:
    """The tokenizer of a model's folder; what reading it leaves behind goes back to the system.

    Raises:
        TokenizerError: it is missing or damaged.
    """
    files = ModelFolder.of(folder)
    with _repairable(files.path):
        tokenizer = Tokenizer.from_folder(files)
    native().give_back_free_memory()  # reading a vocabulary frees tens of megabytes
    return tokenizer


@contextmanager
def _repairable(folder: Path) -> Iterator[None]:
    """A damaged model of the store comes with the command that mends it."""
    try:
        yield
    except (ModelCorruptError, TokenizerError) as error:
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


def _checked_bytes(given: object) -> int | None:
    if given is None:
        return None
    is_number = isinstance(given, Integral) and not isinstance(given, bool)
    if not is_number or not 0 <= int(given) < 1 << 63:  # type: ignore[call-overload]
        raise InvalidRequestError(
            f"[engine] prefix_cache_bytes is {given!r}, which must be a whole number of bytes, 0 "
            "to keep nothing, or None."
        )
    return int(given)  # type: ignore[call-overload,no-any-return]
