"""Answers as they are made: by iterator, by callbacks, by asyncio."""

from __future__ import annotations

import asyncio
import threading

from convergio_mlx.chats.events import FinishEvent, StreamEvent, TextEvent
from convergio_mlx.chats.response import ChatResponse
from convergio_mlx.errors import ErrorCode, ProviderErrorInfo
from convergio_mlx.providers.handler import StreamHandler
from convergio_mlx.providers.interface import Provider
from convergio_mlx.testing.subject import Subject, expect, expect_error, expect_fine, short


def a_stream_is_the_answer(subject: Subject) -> None:
    """A stream's pieces are several, and are together what chat gives; its last event is the
    response."""
    with subject.provider() as provider:
        for question in subject.questions:
            whole = provider.chat(subject.model, None, question, params=subject.long)
            events = list(provider.stream(subject.model, None, question, params=subject.long))
            _expect_events(events, whole.text)


def an_async_stream_is_the_answer(subject: Subject) -> None:
    """The same for asyncio."""

    async def ask(provider: Provider) -> list[list[StreamEvent]]:
        streams = [
            provider.astream(subject.model, None, question, params=subject.long)
            for question in subject.questions
        ]
        return [[event async for event in stream] for stream in streams]

    with subject.provider() as provider:
        answers = asyncio.run(ask(provider))
        for question, events in zip(subject.questions, answers, strict=True):
            whole = provider.chat(subject.model, None, question, params=subject.long)
            _expect_events(events, whole.text)


def _expect_events(events: list[StreamEvent], text: str) -> None:
    pieces = [event.text for event in events if isinstance(event, TextEvent)]
    expect("".join(pieces) == text, f"the pieces {pieces} are not {text!r}")
    expect(len(pieces) > 1, f"the answer came in {len(pieces)} pieces")
    responses = [event for event in events if isinstance(event, FinishEvent)]
    expect(responses == events[-1:], f"the last event is {events[-1]!r}")
    response = responses[0].response
    expect(response.text == text, f"the response says {response.text!r}, not {text!r}")


def a_stream_comes_while_it_is_made(subject: Subject) -> None:
    """Who has the first piece can still prevent the last one from being made: an answer is not
    finished first and cut up then. For asyncio too."""

    def begun(provider: Provider, question: str) -> ChatResponse:
        stream = provider.stream(subject.model, None, question, params=subject.long)
        next(stream)
        stream.cancel()
        return stream.response()

    async def begun_async(provider: Provider, question: str) -> ChatResponse:
        stream = provider.astream(subject.model, None, question, params=subject.long)
        await anext(stream)
        stream.cancel()
        return await stream.response()

    with subject.provider() as provider:
        wholes = [
            provider.chat(subject.model, None, q, params=subject.long) for q in subject.questions
        ]
        _expect_cut([begun(provider, question) for question in subject.questions], wholes)
        beginnings = [asyncio.run(begun_async(provider, q)) for q in subject.questions]
        _expect_cut(beginnings, wholes)


def _expect_cut(beginnings: list[ChatResponse], wholes: list[ChatResponse]) -> None:
    """One is enough: the end may be there already where the reader was slow."""
    pairs = list(zip(beginnings, wholes, strict=True))
    made = [(begun.usage.output_tokens, whole.usage.output_tokens) for begun, whole in pairs]
    cut = any(
        begun.text != whole.text and begun.usage.output_tokens < whole.usage.output_tokens
        for begun, whole in pairs
    )
    expect(cut, f"cancelled at their first piece, answers have (tokens, of): {made}")


def a_handler_gets_chunks_then_the_whole(subject: Subject) -> None:
    """stream_chat calls on_chunk for each piece, then on_complete with the full text and
    on_response, each once, and never on_error."""
    with subject.provider() as provider:
        question = subject.questions[0]
        whole = provider.chat(subject.model, None, question, params=short()).text
        calls: list[tuple[str, object]] = []
        handler = _recorder(calls)
        provider.stream_chat(subject.model, None, question, handler, params=short())
        names = [name for name, _ in calls]
        chunks = [str(value) for name, value in calls if name == "chunk"]
        order = ["chunk"] * len(chunks) + ["complete", "response"]
        expect(names == order, f"the handler was called as {names}")
        expect("".join(chunks) == whole, f"the chunks {chunks} are not {whole!r}")
        expect(calls[len(chunks)] == ("complete", whole), f"on_complete got {calls[len(chunks)]!r}")


def a_handler_gets_the_error(subject: Subject) -> None:
    """What goes wrong is given to on_error, once, and raised where there is no on_error."""
    with subject.provider() as provider:
        calls: list[tuple[str, object]] = []
        model, question = "no-such-model-anywhere", subject.questions[0]
        provider.stream_chat(model, None, question, _recorder(calls))
        expect([name for name, _ in calls] == ["error"], f"the handler was called as {calls}")
        info = calls[0][1]
        expect(
            isinstance(info, ProviderErrorInfo) and info.code == ErrorCode.MODEL_NOT_FOUND,
            f"on_error got {info!r}",
        )
        quiet = StreamHandler(on_chunk=lambda _: None)
        expect_error(
            ErrorCode.MODEL_NOT_FOUND, lambda: provider.stream_chat(model, None, question, quiet)
        )


def _recorder(calls: list[tuple[str, object]]) -> StreamHandler:
    return StreamHandler(
        on_chunk=lambda text: calls.append(("chunk", text)),
        on_complete=lambda text: calls.append(("complete", text)),
        on_error=lambda info: calls.append(("error", info)),
        on_response=lambda response: calls.append(("response", response)),
    )


class _HandlerError(Exception):
    """What a host's own handler raises."""


def what_a_handler_raises_is_raised(subject: Subject) -> None:
    """An exception of the handler ends the answer and comes out of stream_chat as it is; the next
    request is answered."""

    def fail(text: str) -> None:
        raise _HandlerError(text)

    with subject.provider() as provider:
        handler = StreamHandler(on_chunk=fail)
        try:
            provider.stream_chat(subject.model, None, subject.questions[0], handler)
        except _HandlerError:
            expect_fine(provider, subject)
            return
        raise AssertionError("stream_chat kept the handler's exception to itself")


def a_stream_can_be_cancelled(subject: Subject) -> None:
    """cancel, by the reader or by another thread, ends a stream soon: its last event is a response
    that says "cancelled", with the text until then."""
    with subject.provider() as provider:
        question = subject.questions[0]
        whole = provider.chat(subject.model, None, question, params=short()).text
        for by_thread in (False, True):
            stream = provider.stream(subject.model, None, question, params=short())
            first = next(stream)
            if by_thread:
                canceller = threading.Thread(target=stream.cancel)
                canceller.start()
                canceller.join()
            else:
                stream.cancel()
            response = stream.response()
            expect(isinstance(first, TextEvent), f"the first event is {first!r}")
            expect(whole.startswith(response.text), f"{response.text!r} does not begin {whole!r}")
            ends = ("cancelled",) if response.text != whole else ("cancelled", "stop", "length")
            expect(response.finish_reason in ends, f"it ended with {response.finish_reason}")
            expect(list(stream) == [], "there are events after the last")
        with provider.stream(subject.model, None, question, params=short()) as left:
            next(left)
        expect(list(left) == [], "a stream continues after its block")
        expect_fine(provider, subject)


def an_async_stream_can_be_cancelled(subject: Subject) -> None:
    """cancel ends an asyncio stream as any; a cancelled task ends its answer, and the next request
    is answered."""

    async def ask(provider: Provider) -> None:
        question = subject.questions[0]
        stream = provider.astream(subject.model, None, question, params=short())
        await anext(stream)
        stream.cancel()
        response = await stream.response()
        ends = ("cancelled", "stop", "length")
        expect(response.finish_reason in ends, f"it ended with {response.finish_reason}")
        task = asyncio.ensure_future(
            provider.astream(subject.model, None, question, params=short()).response()
        )
        await asyncio.sleep(0.01)
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        if not isinstance(result, asyncio.CancelledError):
            expect(not isinstance(result, BaseException), f"a cancelled task got {result!r}")
        async with provider.astream(subject.model, None, question, params=short()) as left:
            await anext(left)
        expect([event async for event in left] == [], "a stream continues after its block")

    with subject.provider() as provider:
        asyncio.run(ask(provider))
        expect_fine(provider, subject)


CHECKS = (
    a_stream_is_the_answer,
    an_async_stream_is_the_answer,
    a_stream_comes_while_it_is_made,
    a_handler_gets_chunks_then_the_whole,
    a_handler_gets_the_error,
    what_a_handler_raises_is_raised,
    a_stream_can_be_cancelled,
    an_async_stream_can_be_cancelled,
)
