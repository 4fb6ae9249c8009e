"""A deadline counts from the call on: it holds while a prompt is rendered and tokenized, whatever
other callers have under way. What takes long here is a tokenizer that waits."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import convergio_mlx
from convergio_mlx import (
    AsyncBatch,
    ChatCompletion,
    Completion,
    Engine,
    MlxProvider,
    SamplingParams,
)
from convergio_mlx.errors import DeadlineExceededError, InvalidRequestError
from convergio_mlx.text.tokenizer import Tokenizer

ASK = [{"role": "user", "content": "?"}]
SHORT = SamplingParams(max_tokens=2)


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Engine, threading.Event]]:
    """An engine whose tokenizer waits until it may go on, and what lets it."""
    go_on = threading.Event()
    encode = Tokenizer.encode

    def waiting(self: Tokenizer, *args: Any, **kwargs: Any) -> list[int]:
        go_on.wait(60)
        return encode(self, *args, **kwargs)

    with Engine.load("convergio-guide") as engine:
        monkeypatch.setattr(Tokenizer, "encode", waiting)
        yield engine, go_on
        go_on.set()


@pytest.mark.parametrize(
    "ask",
    [
        lambda engine: engine.generate("a", SHORT, timeout=0.1),
        lambda engine: engine.generate(ASK, SHORT, timeout=0.1),
        lambda engine: engine.generate_n("a", 2, SHORT, timeout=0.1),
        lambda engine: engine.stream(ASK, SHORT, timeout=0.1),
    ],
    ids=["text", "messages", "several answers", "events"],
)
def test_it_holds_while_a_prompt_is_tokenized(
    blocked: tuple[Engine, threading.Event], ask: Callable[[Engine], Any]
) -> None:
    engine, go_on = blocked
    with pytest.raises(DeadlineExceededError) as caught:
        ask(engine)
    assert str(caught.value) == (
        "[engine] the request took longer than its deadline of 0.1 s; allow it more time, or ask "
        "for fewer tokens."
    )
    go_on.set()
    assert engine.generate("a", SHORT, timeout=60).text() is not None


async def gathered(batch: AsyncBatch[Completion]) -> list[Completion]:
    return [one async for one in batch]


def chats(_: Engine) -> list[ChatCompletion]:
    with MlxProvider() as provider:
        return list(provider.chat_many("convergio-guide", None, ["a"], timeout=0.1))


@pytest.mark.parametrize(
    "ask",
    [
        lambda engine: list(engine.generate_many(["a"], SHORT, timeout=0.1)),
        lambda engine: asyncio.run(gathered(engine.agenerate_many(["a"], SHORT, timeout=0.1))),
        chats,
    ],
    ids=["prompts", "asyncio", "chats"],
)
def test_and_so_it_does_for_each_of_many(
    blocked: tuple[Engine, threading.Event], ask: Callable[[Engine], Any]
) -> None:
    (one,) = ask(blocked[0])
    assert not blocked[1].is_set()
    assert isinstance(one.error, DeadlineExceededError)


def test_callers_who_wait_for_others_keep_theirs(
    blocked: tuple[Engine, threading.Event],
) -> None:
    engine, go_on = blocked

    async def ask() -> None:
        others = [asyncio.ensure_future(engine.agenerate("a", SHORT).text()) for _ in range(8)]
        await asyncio.sleep(0)
        for late in (
            engine.agenerate("b", SHORT, timeout=0.1).start(),
            engine.astream(ASK, SHORT, timeout=0.1).start(),
            engine.agenerate_n("b", 1, SHORT, timeout=0.1)[0].start(),
        ):
            with pytest.raises(DeadlineExceededError):
                await late
        assert not any(one.done() for one in others)
        go_on.set()
        assert len(set(await asyncio.gather(*others))) == 1

    asyncio.run(ask())


def test_what_is_wrong_with_a_request_is_told_as_without_one() -> None:
    engine = convergio_mlx.Engine.load("convergio-guide")
    for options in ({}, {"timeout": 60.0}):
        with pytest.raises(InvalidRequestError, match="has the role None"):
            engine.generate([{"content": "a"}], SHORT, **options)  # type: ignore[arg-type]
