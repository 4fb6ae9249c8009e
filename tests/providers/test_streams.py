"""Streams in the hands of those who misuse them."""

import asyncio
import gc
import threading

import pytest

from convergio_mlx import MlxProvider, SamplingParams
from convergio_mlx.errors import InferenceError, InvalidRequestError

GUIDE = "convergio-guide"
LONG = SamplingParams(temperature=0, max_tokens=300, ignore_eos=True)
READ = (
    "[chat] another thread, task or event loop is reading this answer; give each reader an answer "
    "of its own."
)


def test_a_second_reader_is_refused_and_the_first_reads_on(mlx: MlxProvider) -> None:
    stream = mlx.stream(GUIDE, None, "What are you?", params=LONG)
    counts: list[int] = []
    reader = threading.Thread(target=lambda: counts.append(len(stream.response().text)))
    reader.start()
    refused: list[str] = []
    while reader.is_alive() and not refused:
        try:
            next(stream)
        except InvalidRequestError as error:
            refused.append(str(error))
        except StopIteration:
            break
    reader.join()
    assert refused == [READ]
    assert counts[0] > 100


def test_a_second_task_is_refused_and_the_first_reads_on(mlx: MlxProvider) -> None:
    async def ask() -> str:
        stream = mlx.astream(GUIDE, None, "What are you?", params=LONG)
        reader = asyncio.ensure_future(stream.response())
        await asyncio.sleep(0)
        with pytest.raises(InvalidRequestError) as caught:
            await anext(stream)
        assert str(caught.value) == READ
        return (await reader).text

    assert len(asyncio.run(ask())) > 100


def test_a_stream_left_early_has_no_response(mlx: MlxProvider) -> None:
    with mlx.stream(GUIDE, None, "What are you?", params=LONG) as stream:
        next(stream)
    with pytest.raises(InferenceError) as caught:
        stream.response()
    assert str(caught.value) == (
        "[chat] this answer was closed before its end; read it to the end, or ask again."
    )


def test_a_stream_that_is_dropped_lets_go_of_its_model(mlx: MlxProvider) -> None:
    streams = [mlx.stream(GUIDE, None, "What are you?", params=LONG) for _ in range(3)]
    (guide,) = [model for model in mlx.loaded() if model.name == GUIDE]
    assert guide.uses == 3
    streams.clear()
    gc.collect()
    (guide,) = [model for model in mlx.loaded() if model.name == GUIDE]
    assert guide.uses == 0


def test_a_task_cancelled_while_its_model_loads_keeps_nothing() -> None:
    with MlxProvider() as provider:

        async def ask() -> None:
            stream = provider.astream(GUIDE, None, "hello", params=LONG)
            task = asyncio.ensure_future(stream.response())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.get_running_loop().shutdown_default_executor()

        asyncio.run(ask())
        assert [model.uses for model in provider.loaded()] in ([], [0])
