"""A loaded model: prompts in, answers out, from any thread or task."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

from convergio_mlx.answers import answering
from convergio_mlx.answers.event_stream import AsyncEventStream, EventStream
from convergio_mlx.errors import InvalidRequestError, ModelCorruptError, NotInitializedError
from convergio_mlx.fit import check
from convergio_mlx.footprint import PREFILL_CHUNK
from convergio_mlx.generation import AsyncGeneration, Generation
from convergio_mlx.home import models_folder
from convergio_mlx.locate import locate
from convergio_mlx.native import native
from convergio_mlx.request import (
    Asked,
    EventOptions,
    GenerateOptions,
    Prompt,
    prepare,
    prepare_events,
    token_ids,
    whole_number,
)
from convergio_mlx.sampling import SamplingParams
from convergio_mlx.text.tokenizer import Tokenizer
from convergio_mlx.text.tokenizer_config import read_json

if TYPE_CHECKING:
    from convergio_mlx.store.locks import Use


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
        **options: Unpack[GenerateOptions],
    ) -> Generation:
        """Answers a prompt.

        Args:
            prompt: messages go through the model's chat template; a text is gone on from, with
                what the tokenizer puts before one; token ids are taken as they are.
            params: how to choose tokens and when to end.
            options: `tools`, `timeout`, `template` and `constraint`, as `GenerateOptions` has them.

        Returns:
            An iterator of chunks.

        Raises:
            InvalidRequestError: the prompt, an option or the messages cannot be honoured.
            ContextLengthError: prompt and max_tokens exceed the context window.
        """
        return Generation(prepare(self._asked(), prompt, params, **options))

    def agenerate(
        self,
        prompt: Prompt,
        params: SamplingParams | None = None,
        **options: Unpack[GenerateOptions],
    ) -> AsyncGeneration:
        """As `generate`, for asyncio: `async for chunk in engine.agenerate(…)`. What `generate`
        raises is raised when it is first awaited."""
        return AsyncGeneration(lambda: prepare(self._asked(), prompt, params, **options))

    def stream(
        self,
        messages: Sequence[Mapping[str, Any]],
        params: SamplingParams | None = None,
        **options: Unpack[EventOptions],
    ) -> EventStream:
        """Answers a conversation with events: text, reasoning and tool calls told apart.

        Args:
            messages: in OpenAI's shape, calls and results of tools included.
            params: how to choose tokens and when to end.
            options: `tools`, `tool_choice`, `response_format`, `reasoning_budget`, `timeout` and
                `template`, as `EventOptions` has them.

        Returns:
            An iterator of events, the last of them a FinishEvent.

        Raises:
            InvalidRequestError: messages, tools or an option cannot be honoured.
            ContextLengthError: prompt and max_tokens exceed the context window.
        """
        return EventStream(*prepare_events(self._asked(), messages, params, **options))

    def astream(
        self,
        messages: Sequence[Mapping[str, Any]],
        params: SamplingParams | None = None,
        **options: Unpack[EventOptions],
    ) -> AsyncEventStream:
        """As `stream`, for asyncio: `async for event in engine.astream(…)`. What `stream` raises is
        raised when it is first awaited."""
        return AsyncEventStream(lambda: prepare_events(self._asked(), messages, params, **options))

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
        size = whole_number("chunk", chunk)
        return self._loaded().logits(token_ids(tokens), size)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer, read when first used.

        Raises:
            TokenizerError: it is missing or damaged.
        """
        return read_tokenizer(self.folder)

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

    def _asked(self) -> Asked:
        return Asked(self._loaded(), self.tokenizer, self._generation_config)

    def _loaded(self) -> Any:
        model = self._model
        if model is None:
            raise NotInitializedError("[engine] this engine is closed; load the model again.")
        return model


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a model's folder; what reading it leaves behind goes back to the system.

    Raises:
        TokenizerError: it is missing or damaged.
    """
    tokenizer = Tokenizer.from_folder(folder)
    native().give_back_free_memory()  # reading a vocabulary frees tens of megabytes
    return tokenizer


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
