"""Many prompts for one engine: what becomes of each."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from convergio_mlx.chats.request import ChatRequest, Tools, conversation_of
from convergio_mlx.chats.response import ChatResponse
from convergio_mlx.chats.response_builder import ResponseBuilder
from convergio_mlx.engine.request import (
    Prompt,
    PromptRequest,
    Target,
    prepare,
    prepare_chat,
    whole_number,
)
from convergio_mlx.engine.sources import Events
from convergio_mlx.errors import ConvergioError, InvalidRequestError
from convergio_mlx.generation.batch import Completion
from convergio_mlx.generation.reader import Prepared
from convergio_mlx.generation.sampling import SamplingParams
from convergio_mlx.generation.stats import Chunk, FinishReason, GenerationStats, TokenLogprob
from convergio_mlx.platform.deadline import Deadline
from convergio_mlx.platform.once import once

ItemT = TypeVar("ItemT")
JobT = TypeVar("JobT")

EachParams = SamplingParams | Iterable[SamplingParams | None] | None
"""Sampling parameters of all prompts, or an iterable of those of each."""


@dataclass(frozen=True)
class ChatCompletion:
    """The answer to one of many chats, or why there is none."""

    index: int
    """Which chat it answers, from 0."""
    response: ChatResponse | None
    """None with an error."""
    error: ConvergioError | None = None
    """Why the chat has no whole answer; it concerns no other."""


class CompletionJob:
    """A prompt whose answer is a `Completion`."""

    def __init__(
        self,
        index: int,
        target: Callable[[], Target],
        prompt: Prompt,
        asked: Callable[[], PromptRequest],
    ) -> None:
        """Checks nothing yet."""
        self._index = index
        self._target = target
        self._prompt = prompt
        self._asked = asked
        self._text: list[str] = []
        self._token_ids: list[int] = []
        self._logprobs: list[TokenLogprob] = []
        self._reason: FinishReason | None = None

    @once
    def _request(self) -> PromptRequest:
        return self._asked()

    @property
    def timeout(self) -> float | None:
        """Seconds that it may take; raises what is wrong with its options."""
        return self._request.timeout

    def prepare(self, deadline: Deadline) -> Prepared:
        """The request, of whose time some has passed; raises what is wrong with it."""
        return prepare(self._target(), self._prompt, self._request, deadline)

    def add(self, chunk: Chunk, _stats: Callable[[], GenerationStats]) -> None:
        """Takes the next chunk."""
        self._text.append(chunk.text)
        self._token_ids += chunk.token_ids
        self._logprobs += chunk.logprobs
        self._reason = chunk.finish_reason

    def result(self, stats: GenerationStats, error: ConvergioError | None) -> Completion:
        """What came of it."""
        return Completion(
            self._index,
            "".join(self._text),
            tuple(self._token_ids),
            tuple(self._logprobs),
            self._reason,
            stats,
            error,
        )


class ChatJob:
    """A chat whose answer is a `ChatCompletion`."""

    def __init__(
        self,
        index: int,
        target: Callable[[], Target],
        model: str,
        request: Callable[[], ChatRequest],
    ) -> None:
        """Takes the model's name in responses and what checks the request; calls it later."""
        self._index = index
        self._target = target
        self._asked = request
        self._builder = ResponseBuilder(model)
        self._events: Events | None = None

    @once
    def _request(self) -> ChatRequest:
        return self._asked()

    @property
    def timeout(self) -> float | None:
        """Seconds that it may take; raises what is wrong with the request."""
        return self._request.timeout

    def prepare(self, deadline: Deadline) -> Prepared:
        """The request, of whose time some has passed; raises what is wrong with it."""
        self._builder.answer_type = self._request.answer_type
        prepared, parser = prepare_chat(self._target(), self._request, deadline)
        self._events = Events(prepared, parser)
        return prepared

    def add(self, chunk: Chunk, stats: Callable[[], GenerationStats]) -> None:
        """Takes the next chunk."""
        if self._events is not None:  # the first chunk comes after prepare()
            for event in self._events.add(chunk, stats):
                self._builder.take(event)

    def result(self, _stats: GenerationStats, error: ConvergioError | None) -> ChatCompletion:
        """What came of it."""
        return ChatCompletion(self._index, self._builder.response, error)


def shared_chat(
    call: str,
    system: str | None,
    params: SamplingParams | None,
    tools: Tools | None,
    options: Mapping[str, Any],
) -> ChatRequest:
    """What all chats of one call have in common, with no question: what is wrong with that is the
    call's, and not each chat's.

    Raises:
        TypeError: there is no such option.
        InvalidRequestError: one is not of its type.
    """
    request = ChatRequest.of(call, conversation_of(system, ""), params, tools, options)
    _check(request.params)
    return request


def _check(params: SamplingParams) -> None:
    """Raises where an option is not of its type; ranges are checked with each request."""
    params.with_defaults({}).native_options()


class PromptsWithParams:
    """The prompts of one call, and what each is asked for with."""

    def __init__(
        self, target: Callable[[], Target], params: EachParams, options: Mapping[str, Any]
    ) -> None:
        """Checks what all have in common.

        Raises:
            InvalidRequestError: an option is not of its type.
        """
        self._target = target
        self._options = options
        self._each: Iterator[SamplingParams | None] | None = None
        if params is None or isinstance(params, SamplingParams):
            self._asked = PromptRequest.of(params, options)
            _check(self._asked.params)
        else:
            self._asked = PromptRequest.of(None, options)
            self._each = several("params", params, "SamplingParams")

    def job(self, index: int, prompt: Prompt) -> CompletionJob:
        """The job of the next prompt.

        Raises:
            InvalidRequestError: there are no parameters left for it.
        """
        asked = self._asked
        if self._each is None:
            return CompletionJob(index, self._target, prompt, lambda: asked)
        try:
            own = next(self._each)
        except StopIteration:
            raise InvalidRequestError(
                f"[engine] params ended before prompt {index}; give one for each prompt, or one "
                "for all."
            ) from None
        return CompletionJob(
            index,
            self._target,
            prompt,
            lambda: replace(asked, params=SamplingParams.of(own, self._options)),
        )


def several(name: str, given: Iterable[ItemT], of: str) -> Iterator[ItemT]:
    """Over an iterable of things that is not one of them by mistake.

    Raises:
        InvalidRequestError: it is a text, a mapping, or cannot be iterated over.
    """
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise InvalidRequestError(
            f"[engine] {name} is of type {type(given).__name__}; give a list or another "
            f"iterable of {of}."
        )
    return iter(given)


def each_of(
    name: str,
    given: Iterable[ItemT] | AsyncIterable[ItemT],
    of: str,
    make: Callable[[int, ItemT], JobT],
) -> Iterator[JobT] | AsyncIterator[JobT]:
    """What `make` makes of each thing and its index, when it is asked for; raises as `several`."""
    if isinstance(given, AsyncIterable):
        return _aeach(given, make)
    return (make(index, item) for index, item in enumerate(several(name, given, of)))


async def _aeach(
    given: AsyncIterable[ItemT], make: Callable[[int, ItemT], JobT]
) -> AsyncIterator[JobT]:
    index = 0
    async for item in given:
        yield make(index, item)
        index += 1


def lookahead(ahead: object) -> int:
    """How many prompts are taken before their answers were given out.

    Raises:
        InvalidRequestError: it is no whole number of at least 1.
    """
    return whole_number("ahead", ahead)
