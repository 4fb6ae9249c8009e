"""A conversation that stays within its model's context window."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Unpack

from convergio_mlx.chats.events import FinishEvent
from convergio_mlx.chats.tools import parse_tools
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.generation.sampling import SamplingParams
from convergio_mlx.providers import compaction
from convergio_mlx.providers.compaction import Compaction, CompactionEvent, Message
from convergio_mlx.providers.compaction_threshold import compaction_threshold
from convergio_mlx.text.messages import checked

if TYPE_CHECKING:
    from convergio_mlx.chats.events import StreamEvent
    from convergio_mlx.chats.request import ChatOptions, Tools
    from convergio_mlx.chats.response import ChatResponse
    from convergio_mlx.chats.stream import AsyncEventStream, EventStream
    from convergio_mlx.chats.tools import ToolCall
    from convergio_mlx.providers.interface import Provider

KEEP = 10
"""Messages that compaction leaves as they are, the newest."""


class Conversation:
    """Messages with a model. Before a question goes out they are counted, and compacted where they
    are more than the threshold: the older ones are replaced by a summary that the same model
    writes, or left out where it fails to. The originals are kept; see `export`.

    A turn is kept once its answer has ended; one that fails leaves things as they were. For one
    thread or task at a time.
    """

    def __init__(
        self,
        provider: Provider,
        model: str,
        *,
        system: str | None = None,
        tools: Tools = (),
        keep: int = KEEP,
        on_compaction: Callable[[Compaction], object] | None = None,
    ) -> None:
        """Begins with nothing said.

        Args:
            provider: who answers, and summarizes.
            model: the id of its model.
            system: how to answer; never compacted.
            tools: what may be called.
            keep: messages that compaction leaves as they are, the newest.
            on_compaction: called with each compaction.

        Raises:
            InvalidRequestError: tools or `keep` are invalid.
        """
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
            raise InvalidRequestError(
                f"[conversation] keep is {keep!r}; give a whole number of at least 1."
            )
        self.provider = provider
        self.model = model
        self.system = system
        parse_tools(tools)
        self.tools = list(tools or ())
        self.keep = keep
        self.on_compaction = on_compaction
        self._originals: list[Message] = []
        self._note: list[Message] = []
        self._summary: str | None = None
        self._start = 0
        self._compactions: list[Compaction] = []
        self._answer: EventStream | AsyncEventStream | None = None

    @property
    def messages(self) -> list[Message]:
        """What the model sees: the newest messages, after what stands for the older ones."""
        return [*self._note, *self._originals[self._start :]]

    @property
    def originals(self) -> list[Message]:
        """Every message, as it was said."""
        return list(self._originals)

    @property
    def compactions(self) -> tuple[Compaction, ...]:
        """What was done so far."""
        return tuple(self._compactions)

    @property
    def tokens(self) -> int:
        """Tokens of the system text, the tools and the messages that the model sees."""
        return self._count(self.messages)

    @property
    def window(self) -> int:
        """Tokens of prompt and answer together: the model's window, or what fits in memory."""
        return self.provider.usable_window(self.model)

    @property
    def threshold(self) -> int:
        """Tokens from which on it is compacted; see `compaction_threshold`."""
        return compaction_threshold(self.window, local=self.provider.type.is_local)

    def add(self, message: Mapping[str, Any]) -> None:
        """Adds a message in OpenAI's shape.

        Raises:
            InvalidRequestError: it is none, or a system message, which `system` is for.
        """
        self._originals += _checked(message)

    def add_result(self, call: ToolCall, content: str) -> None:
        """Adds the result of a call; `ask()` without a question then continues."""
        self.add({"role": "tool", "tool_call_id": call.id, "name": call.name, "content": content})

    def fork(self) -> Conversation:
        """Another conversation that goes on from here, with the same provider, model and settings.
        What both have in common is not computed again: a local model's prefix cache has it, and its
        keys and values are copied where both go on."""
        twin = copy.copy(self)
        twin.tools = list(self.tools)
        twin._originals = [dict(message) for message in self._originals]
        twin._note = [dict(message) for message in self._note]
        twin._compactions = list(self._compactions)
        twin._answer = None
        return twin

    def switch(self, model: str, provider: Provider | None = None) -> None:
        """Goes on with another model; threshold and counts are its own from now on."""
        self.model = model
        self.provider = self.provider if provider is None else provider

    def ask(
        self,
        question: str | None = None,
        *,
        params: SamplingParams | None = None,
        tools: Tools | None = None,
        **options: Unpack[ChatOptions],
    ) -> ChatResponse:
        """The answer to a question, or to what was said last; compacts first where needed."""
        for event in self.stream(question, params=params, tools=tools, **options):
            if isinstance(event, FinishEvent):
                return event.response
        raise AssertionError  # a stream ends with its response

    def stream(
        self,
        question: str | None = None,
        *,
        params: SamplingParams | None = None,
        tools: Tools | None = None,
        **options: Unpack[ChatOptions],
    ) -> Generator[StreamEvent | CompactionEvent, None, None]:
        """As `ask`, as it is made: an iterator of events, the last one with the response. Where it
        is compacted first, `CompactionEvent`s come before. To leave it early ends the answer, and
        the turn is not kept."""
        given = self.tools if tools is None else tools
        with self._turn(question) as answered:
            yield from self._compacting(SamplingParams.of(params, options).max_tokens)
            with self.provider.stream(
                *self._prompt(), params=params, tools=given, **options
            ) as events:
                self._answer = events
                for event in events:
                    if isinstance(event, FinishEvent):
                        answered.extend(_worth_keeping(event.response))
                    yield event

    async def astream(
        self,
        question: str | None = None,
        *,
        params: SamplingParams | None = None,
        tools: Tools | None = None,
        **options: Unpack[ChatOptions],
    ) -> AsyncIterator[StreamEvent | CompactionEvent]:
        """As `stream`, for asyncio; counting and compacting happen on another thread."""
        given = self.tools if tools is None else tools
        with self._turn(question) as answered:
            steps = self._compacting(SamplingParams.of(params, options).max_tokens)
            while (step := await asyncio.to_thread(next, steps, None)) is not None:
                yield step
            async with self.provider.astream(
                *self._prompt(), params=params, tools=given, **options
            ) as events:
                self._answer = events
                async for event in events:
                    if isinstance(event, FinishEvent):
                        answered.extend(_worth_keeping(event.response))
                    yield event

    def cancel(self) -> bool:
        """Ends the answer under way soon, from any thread: its response says "cancelled", and what
        there is of it is kept. False where there is none, as while it is compacted."""
        answer = self._answer
        if answer is None:
            return False
        answer.cancel()
        return True

    @contextmanager
    def _turn(self, question: str | None) -> Iterator[list[Message]]:
        """Adds a question, and the answer that is put into the list; neither where there is
        none."""
        before = len(self._originals)
        if question is not None:
            self._originals += _checked({"role": "user", "content": question})
        answered: list[Message] = []
        try:
            yield answered
        finally:
            self._answer = None
            if answered:
                self._originals += answered
            else:
                del self._originals[max(before, self._start) :]

    def _prompt(self) -> tuple[str, str | None, list[Message]]:
        return self.model, self.system, self.messages

    def compact(self, *, reserve: int | None = None) -> Compaction | None:
        """Compacts where it is over the threshold, or leaves no room for an answer.

        Args:
            reserve: tokens to leave for the answer; None: a quarter of the window.

        Returns:
            What was done; None where nothing needed to be.
        """
        done = None
        for event in self._compacting(reserve):
            done = event.compaction
        return done

    def _compacting(self, reserve: int | None) -> Iterator[CompactionEvent]:
        window = self.window
        room = window - (window // 4 if reserve is None else min(reserve, window // 2))
        threshold = min(compaction_threshold(window, local=self.provider.type.is_local), room)
        before = self.tokens
        if before <= threshold:
            return
        kept = self._originals[self._start :]
        cut = compaction.boundary(kept, self.keep)
        if cut == 0:
            if before <= room:
                return  # the newest messages stay, and the answer has room
            cut = compaction.next_boundary(kept, 0)
        last = kept[compaction.boundary(kept, 1) :]
        if cut == len(kept) or self._count(last) >= window:
            return  # what was said last is too long even alone: the provider will tell
        yield from self._replace(cut, before, threshold, room)

    def _replace(
        self, cut: int, before: int, threshold: int, room: int
    ) -> Iterator[CompactionEvent]:
        """Lets a note stand for the messages before the cut, and leaves out more where the newest
        alone leave no room."""
        kept = self._originals[self._start :]
        older = [*self._note[:1], *kept[:cut]]
        attempt = compaction.attempt(self.provider, self.model, older, self.window)
        summary, problem = yield from attempt
        gone = summary is None
        shown = self._summary if gone else summary
        while True:
            note = compaction.note(shown, gone, kept[cut])
            after = self._count([*note, *kept[cut:]])
            further = compaction.next_boundary(kept, cut)
            if after <= room or further == len(kept):
                break
            cut, gone = further, True
        done = Compaction(
            kind="truncation" if summary is None else "summary",
            replaced=cut,
            kept=len(kept) - cut,
            tokens_before=before,
            tokens_after=after,
            threshold=threshold,
            model=self.model,
            summary=summary,
            problem=problem,
        )
        self._note, self._start, self._summary = note, self._start + cut, shown
        self._compactions.append(done)
        if self.on_compaction is not None:
            self.on_compaction(done)
        yield CompactionEvent(len(older), len(older), done)

    def export(self) -> dict[str, Any]:
        """Everything, in JSON's types: all messages as they were said, and what stands for which.
        `Conversation.restore` takes it."""
        return {
            "model": self.model,
            "system": self.system,
            "tools": [tool.definition for tool in parse_tools(self.tools)],
            "messages": self.originals,
            "note": self._note,
            "summary": self._summary,
            "start": self._start,
            "compactions": [asdict(done) for done in self._compactions],
        }

    @classmethod
    def restore(
        cls, provider: Provider, exported: Mapping[str, Any], **options: Any
    ) -> Conversation:
        """A conversation as `export` gave it.

        Args:
            provider: who answers from now on.
            exported: what `export` gave, through JSON or not.
            options: `keep` and `on_compaction`, as when it was begun.

        Raises:
            InvalidRequestError: that is none.
        """
        try:
            made = cls(
                provider,
                exported["model"],
                system=exported["system"],
                tools=exported["tools"],
                **options,
            )
            for message in exported["messages"]:
                made.add(message)
            made._note = [dict(message) for message in exported["note"]]
            made._summary = exported["summary"]
            made._start = int(exported["start"])
            made._compactions = [Compaction(**done) for done in exported["compactions"]]
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidRequestError(
                f"[conversation] this is no exported conversation ({type(error).__name__}: "
                f"{error}); give what export() returned."
            ) from error
        return made

    def _count(self, messages: Sequence[Message]) -> int:
        if not messages:
            return 0
        return self.provider.count_tokens(self.model, self.system, messages, self.tools)


def _checked(message: Mapping[str, Any]) -> list[Message]:
    found = checked([message])
    if found[0]["role"] in ("system", "developer"):
        raise InvalidRequestError(
            "[conversation] a system message cannot be added; set the conversation's system."
        )
    return found


def _worth_keeping(response: ChatResponse) -> list[Message]:
    """The answer as a message, after those of the tools that were run; none of it where it was
    cancelled before it said anything."""
    empty = not response.text and not response.tool_calls
    if empty and response.finish_reason == "cancelled":
        return [*response.tool_messages]
    return [*response.tool_messages, response.message()]
