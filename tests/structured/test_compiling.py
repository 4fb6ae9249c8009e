"""Grammars are compiled beside everything else: within a request's deadline, and no caller holds up
another. What takes long here is a tokenizer that waits, which compiling a grammar calls."""

import asyncio
import ctypes
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from random_models import Speaker

from convergio_mlx import Engine, SamplingParams
from convergio_mlx.errors import DeadlineExceededError
from convergio_mlx.structured.grammars import Grammars
from convergio_mlx.text.tokenizer import Tokenizer

ASK = [{"role": "user", "content": "?"}]
FORCED: dict[str, Any] = {"type": "choice", "choice": ["abc"]}
FREE: dict[str, Any] = {"type": "regex", "regex": "[a-c]{3}"}


class Slow:
    """An encoder that waits until it may go on."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.texts: list[str] = []

    def wrap(self, encode: Callable[[str], list[int]]) -> Callable[[str], list[int]]:
        def waiting(text: str) -> list[int]:
            if text != "a":  # which is asked while the vocabulary is read
                self.texts.append(text)
                self.entered.set()
                self.go_on.wait(60)
            return encode(text)

        return waiting


@pytest.fixture
def slow(speaker: Speaker, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Engine, Slow]]:
    """An engine whose forced texts take until they may go on."""
    blocking = Slow()
    encoder = Tokenizer.encoder
    with monkeypatch.context() as patched:
        patched.setattr(Tokenizer, "encoder", lambda self: blocking.wrap(encoder(self)))
        with Engine.load(speaker("hermes").folder) as engine:
            engine.prepare_constraints()
            yield engine, blocking
    blocking.go_on.set()


def test_the_deadline_holds_while_a_form_is_compiled(slow: tuple[Engine, Slow]) -> None:
    engine, _ = slow
    with pytest.raises(DeadlineExceededError):
        engine.stream(ASK, response_format=FORCED, timeout=0.2)


def test_a_form_compiled_meanwhile_is_there_for_the_next(slow: tuple[Engine, Slow]) -> None:
    engine, blocking = slow
    with pytest.raises(DeadlineExceededError):
        engine.stream(ASK, response_format=FORCED, timeout=0.2)
    assert blocking.entered.is_set()
    blocking.go_on.set()
    assert engine.stream(ASK, response_format=FORCED).response().text == "abc"


def test_other_requests_and_other_models_go_on(slow: tuple[Engine, Slow], speaker: Speaker) -> None:
    engine, blocking = slow
    params = SamplingParams(max_tokens=3, ignore_eos=True)

    async def run() -> None:
        waiting = [
            asyncio.ensure_future(engine.astream(ASK, response_format=FORCED).response())
            for _ in range(6)
        ]
        while not blocking.entered.is_set():
            await asyncio.sleep(0.01)
        assert await engine.agenerate(ASK, params).text()
        other = speaker("llama3").astream(ASK, response_format=FREE)
        assert len((await other.response()).text) == 3
        assert not any(one.done() for one in waiting)
        blocking.go_on.set()
        assert {(await one).text for one in waiting} == {"abc"}

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_task_that_is_cancelled_while_a_form_is_compiled_leaves(
    slow: tuple[Engine, Slow],
) -> None:
    engine, blocking = slow

    async def run() -> None:
        task = asyncio.ensure_future(engine.astream(ASK, response_format=FORCED).response())
        while not blocking.entered.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_form_that_nobody_waits_for_is_not_compiled() -> None:
    """Two of a vocabulary's are compiled at once, and the others wait."""
    blocking = Slow()
    letters = blocking.wrap(lambda text: ["ab".index(letter) for letter in text])
    grammars = Grammars([b"a", b"b"], (), letters)
    begun = [grammars.constraint(f'start: "{text}"', vocab_size=2) for text in ("ab", "ba")]
    while len(blocking.texts) < 2:
        blocking.entered.wait(0.01)
    dropped = grammars.constraint('start: "aa"', vocab_size=2)
    last = grammars.constraint('start: "bb"', vocab_size=2)
    del dropped
    blocking.go_on.set()
    assert all(one.wait(60) for one in [*begun, last])
    assert {*blocking.texts} == {"ab", "ba", "bb"}


@pytest.mark.slow
def test_masks_are_computed_while_another_thread_holds_the_gil(speaker: Speaker) -> None:
    """`PyDLL` calls without letting the GIL go."""
    engine = speaker("hermes")
    form = {"type": "regex", "regex": "[a-c]{900}"}
    params = SamplingParams(max_tokens=800, temperature=1.0, seed=1)
    engine.stream(ASK, params, response_format=form).response()
    prepared = engine.stream(ASK, params, response_format=form)
    ctypes.PyDLL(None).usleep(3_000_000)
    first = next(iter(prepared))
    assert len(first.text) > 100  # type: ignore[union-attr]
