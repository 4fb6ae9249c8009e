"""Requests whose KV caches do not all fit: they wait in order, and none waits for good. They run
in a process of their own, where nothing else takes or frees memory."""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from small_models import ids, make_model

from convergio_mlx import Engine, SamplingParams, memory_use, set_memory_limit
from convergio_mlx.chats.request import PRIORITIES
from convergio_mlx.errors import OutOfMemoryError

OWN = "CONVERGIO_TEST_OWN_PROCESS"
in_own_process = pytest.mark.skipif(OWN not in os.environ, reason="is run by another test")
ROOM = 4_000_000
"""Bytes beside what is held: two of the answers below fit, a third does not."""
LONG = SamplingParams(max_tokens=500, ignore_eos=True, temperature=1.0, seed=4)
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose KV cache takes 2048 bytes a token."""
    size = {"num_hidden_layers": 16, "max_position_embeddings": 8000}
    return make_model(tmp_path_factory.mktemp("models") / "roomy", **size)


@pytest.fixture
def roomy(folder: Path) -> Iterator[Engine]:
    gc.collect()
    with Engine.load(folder, prefix_cache_bytes=0) as engine:
        engine.generate(ids(3), max_tokens=1).text()  # what is made once is made
        yield engine
    set_memory_limit(None)


def leave(room: int) -> None:
    use = memory_use()
    set_memory_limit(use.weights + use.active + room)


def wait_for(engine: Engine, waiting: int, running: int) -> int:
    """Until so many wait and run; the bytes that those reserve."""
    while True:
        stats = engine.queue_stats
        if (stats.waiting, stats.running) == (waiting, running):
            return stats.reserved_bytes


@in_own_process
def test_what_has_no_room_waits(roomy: Engine) -> None:
    alone = roomy.generate(ids(200), LONG).text()
    leave(ROOM)
    answers = [roomy.generate(ids(200), LONG) for _ in range(7)]
    most = 0
    while (stats := roomy.queue_stats).waiting:
        most = max(most, stats.running)
        assert stats.reserved_bytes <= ROOM + MEGABYTE // 2
    assert [one.text() for one in answers] == [alone] * 7
    assert most == 2
    assert wait_for(roomy, 0, 0) == 0


@in_own_process
def test_an_answer_without_max_tokens_reserves_what_it_has(roomy: Engine) -> None:
    """As many tokens as the window has would keep all others away."""
    answers = [roomy.generate(ids(200), ignore_eos=True) for _ in range(3)]
    reserved = wait_for(roomy, 0, 3)
    assert 3 * 2048 * (200 + 512) <= reserved < 3 * 2048 * 4000
    for one in answers:
        one.cancel()
        one.text()


@in_own_process
def test_one_that_never_fits_is_refused_or_runs_alone(roomy: Engine) -> None:
    use = memory_use()
    set_memory_limit(use.weights + 10 * MEGABYTE)
    with pytest.raises(OutOfMemoryError) as caught:
        roomy.generate(ids(6000), max_tokens=1)
    assert str(caught.value) == (
        "[engine] the KV cache of a prompt of 6000 tokens takes 12290048 bytes, and the memory "
        "limit leaves 10000000; shorten the prompt, raise the limit, or use a smaller model."
    )
    set_memory_limit(None)
    leave(ROOM)
    short = roomy.generate(ids(200), LONG)
    ends = list(range(4, 200))
    whole = roomy.generate(ids(100), max_tokens=7000, temperature=1.0, seed=1, stop_token_ids=ends)
    assert whole.text() is not None  # it might have taken all, and ended before
    short.text()


@pytest.mark.slow
@in_own_process
def test_random_priorities_in_little_room_all_end_as_alone(roomy: Engine) -> None:
    def params(number: int) -> SamplingParams:
        return SamplingParams(
            max_tokens=20 + number * 37 % 300, ignore_eos=True, temperature=1.0, seed=number
        )

    count = 24
    alone = [roomy.generate(ids(40, start=n), params(n)).text() for n in range(count)]
    leave(ROOM)
    dice = random.Random(1)
    priorities = [dice.choice(PRIORITIES) for _ in range(count)]

    def ask(number: int) -> str:
        how = priorities[number]
        return roomy.generate(ids(40, start=number), params(number), priority=how).text()

    with ThreadPoolExecutor(count) as pool:
        assert list(pool.map(ask, range(count))) == alone


@pytest.mark.skipif(OWN in os.environ, reason="runs the others")
@pytest.mark.parametrize(
    ("which", "count"), [("not slow", 3), pytest.param("slow", 1, marks=pytest.mark.slow)]
)
def test_those_above_in_a_process_of_their_own(which: str, count: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", which, __file__],
        env=os.environ | {OWN: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{count} passed" in done.stdout, done.stdout + done.stderr
