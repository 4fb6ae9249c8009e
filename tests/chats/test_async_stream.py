"""An asyncio stream over a source that takes its time to open."""

from __future__ import annotations

import asyncio
import threading

import pytest

from convergio_mlx import AsyncEventStream, FinishEvent, TextEvent
from convergio_mlx.chats.events import End, SourceEvent
from convergio_mlx.chats.response_builder import ResponseBuilder
from convergio_mlx.generation.stats import GenerationStats


class Source:
    """A word, then the end."""

    stats = GenerationStats()

    def __init__(self) -> None:
        self.events: list[SourceEvent] = [TextEvent("word"), End("stop", self.stats)]
        self.closed = False

    async def __anext__(self) -> SourceEvent:
        return self.events.pop(0)

    def cancel(self) -> None:
        self.events = [End("cancelled", self.stats)]

    def close(self) -> None:
        self.closed = True


class Opening:
    """Opens a source when it is allowed to."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.allowed = asyncio.Event()
        self.left = False

    async def __call__(self) -> Source:
        self.begun.set()
        try:
            await self.allowed.wait()
        except asyncio.CancelledError:
            self.left = True
            raise
        return Source()


def test_cancel_ends_an_answer_that_is_still_opened() -> None:
    async def read(opening: Opening, stream: AsyncEventStream) -> None:
        reader = asyncio.ensure_future(anext(stream))
        await opening.begun.wait()
        canceller = threading.Thread(target=stream.cancel)
        canceller.start()
        event = await reader
        canceller.join()
        assert isinstance(event, FinishEvent)
        assert event.reason == "cancelled"
        assert opening.left
        assert [later async for later in stream] == []
        assert (await stream.response()).finish_reason == "cancelled"

    async def run() -> None:
        opening = Opening()
        await read(opening, AsyncEventStream(ResponseBuilder("m"), opening))

    asyncio.run(run())


def test_cancel_before_the_start_cancels_what_is_opened() -> None:
    """And what is wrong with the request is still raised."""

    async def run() -> None:
        opening = Opening()
        opening.allowed.set()
        stream = AsyncEventStream(ResponseBuilder("m"), opening)
        stream.cancel()
        await stream.start()
        assert (await stream.response()).finish_reason == "cancelled"

    asyncio.run(run())


def test_a_cancelled_reader_leaves_the_opening_and_is_cancelled() -> None:
    async def run() -> None:
        opening = Opening()
        stream = AsyncEventStream(ResponseBuilder("m"), opening)
        reader = asyncio.ensure_future(anext(stream))
        await opening.begun.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await asyncio.sleep(0)
        assert opening.left
        assert [event async for event in stream] == []

    asyncio.run(run())


@pytest.mark.parametrize("fails", [False, True])
def test_a_reader_cancelled_as_the_source_was_opened_closes_it(fails: bool) -> None:
    async def run() -> None:
        source = Source()

        async def opening() -> Source:
            # Comes before the reader goes on, and after this has ended.
            asyncio.get_running_loop().call_soon(reader.cancel)
            if fails:
                raise ValueError
            return source

        reader = asyncio.ensure_future(anext(AsyncEventStream(ResponseBuilder("m"), opening)))
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert source.closed is not fails

    asyncio.run(run())


def test_an_opened_source_is_read_to_its_end_and_closed() -> None:
    async def run() -> None:
        opening = Opening()
        opening.allowed.set()
        stream = AsyncEventStream(ResponseBuilder("m"), opening)
        response = await stream.response()
        assert (response.text, response.finish_reason) == ("word", "stop")

    asyncio.run(run())
