"""Memory that runs out, by a limit: typed errors, and an engine that goes on."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import output
from small_models import ids, make_model

from convergio_mlx import Engine, SamplingParams, memory_use, set_memory_limit
from convergio_mlx.errors import InvalidRequestError, OutOfMemoryError

LONG = 3000
"""Tokens whose KV cache is larger than all else."""
SLACK = 2_000_000
"""Bytes that a chunk's activations and the KV cache of a short answer fit in."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose KV cache is what takes memory."""
    size = {"num_hidden_layers": 16, "max_position_embeddings": 2 * LONG}
    return make_model(tmp_path_factory.mktemp("models") / "roomy", **size)


@pytest.fixture
def roomy(folder: Path) -> Iterator[Engine]:
    gc.collect()  # engines that the tracebacks of earlier tests hold
    with Engine.load(folder) as engine:
        empty_prefix_caches(engine)  # engines of other tests would give it up when memory runs out
        answer(engine, ids(3), 1)  # what is made once is made
        yield engine


@pytest.fixture(autouse=True)
def no_limit_afterwards() -> Iterator[None]:
    yield
    set_memory_limit(None)


def leave(room: int) -> None:
    """Sets the limit to so many bytes more than are held now."""
    use = memory_use()
    set_memory_limit(use.weights + use.active + room)


def empty_prefix_caches(engine: Engine) -> None:
    """By all engines of this process."""
    set_memory_limit(1)
    with pytest.raises(OutOfMemoryError):
        engine.logits(ids(1))
    set_memory_limit(None)


def answer(engine: Engine, prompt: list[int], count: int, **options: Any) -> list[int]:
    params = SamplingParams(max_tokens=count, ignore_eos=True)
    return [t for chunk in engine.generate(prompt, params, **options) for t in chunk.token_ids]


@pytest.mark.slow
def test_a_long_prompt_fails_and_the_next_request_works(roomy: Engine) -> None:
    expected = answer(roomy, ids(40), 20)
    other = roomy.generate(ids(30), SamplingParams(max_tokens=300, ignore_eos=True))
    next(other)
    leave(SLACK)
    for _ in range(3):
        with pytest.raises(OutOfMemoryError) as caught:
            answer(roomy, ids(LONG), 4)
        assert caught.value.code == "out_of_memory"
        assert caught.value.retryable
        assert answer(roomy, ids(40), 20) == expected
    other.text()
    assert other.stats.output_tokens == 300  # what ran beside it went on
    set_memory_limit(None)
    assert len(answer(roomy, ids(LONG), 4)) == 4


def test_an_answer_that_outgrows_memory_gives_what_it_had(folder: Path) -> None:
    params = SamplingParams(max_tokens=LONG, ignore_eos=True)
    with Engine.load(folder, prefix_cache_bytes=0) as engine:
        expected = answer(engine, ids(20), 700)
        empty_prefix_caches(engine)
        leave(SLACK)  # 532 rows fit, twice as many beside them do not
        tokens: list[int] = []
        with pytest.raises(OutOfMemoryError):
            tokens.extend(t for chunk in engine.generate(ids(20), params) for t in chunk.token_ids)
        assert 500 < len(tokens) < 700
        assert tokens == expected[: len(tokens)]
        assert len(answer(engine, ids(20), 50)) == 50


def test_logits_fail_and_then_work(roomy: Engine) -> None:
    leave(500_000)
    with pytest.raises(OutOfMemoryError) as caught:
        roomy.logits(ids(3000))
    begin, end = str(caught.value).split(" bytes more would exceed the limit of ")
    assert begin.startswith("[engine] memory ran out (")
    assert end.endswith(
        "); use a shorter prompt, a smaller max_tokens or a smaller model, or close other programs."
    )
    assert np.asarray(roomy.logits(ids(20))).shape == (20, roomy.vocab_size)


@pytest.mark.slow
def test_prefix_caches_make_room_for_a_request(roomy: Engine) -> None:
    for n in range(3):
        answer(roomy, ids(1000, start=n), 2)
    assert roomy.prefix_cache_stats.sequences == 3
    prompt = ids(2000, start=9)
    leave(SLACK)
    tokens = answer(roomy, prompt, 5)
    assert roomy.prefix_cache_stats.sequences == 1
    set_memory_limit(None)
    with Engine.load(roomy.folder, prefix_cache_bytes=0) as fresh:
        assert tokens == answer(fresh, prompt, 5)


@pytest.mark.slow
def test_prefix_caches_of_another_model_make_room_too(roomy: Engine) -> None:
    with Engine.load(roomy.folder) as other:
        answer(other, ids(LONG), 2)
        leave(SLACK)
        assert len(answer(roomy, ids(1500), 5)) == 5
        assert other.prefix_cache_stats.sequences == 0


@pytest.mark.slow
def test_an_answer_goes_on_where_prefix_caches_make_room(roomy: Engine) -> None:
    """It starts over: its own cache is given up too, and its tokens are run again."""
    expected = answer(roomy, ids(20, start=3), 600)
    empty_prefix_caches(roomy)
    answer(roomy, ids(LONG), 2)
    leave(SLACK)
    assert answer(roomy, ids(20, start=3), 600) == expected
    assert roomy.prefix_cache_stats.sequences == 1


def test_a_model_too_large_for_the_limit_is_not_loaded(folder: Path, roomy: Engine) -> None:
    weights = memory_use().weights
    set_memory_limit(weights + roomy.weight_bytes - 1)
    with pytest.raises(OutOfMemoryError) as caught:
        Engine.load(folder, force=True)
    assert str(caught.value) == (
        f"[engine] the model's weights take {roomy.weight_bytes} bytes, but the memory limit of "
        f"{weights + roomy.weight_bytes - 1} bytes leaves {roomy.weight_bytes - 1}; raise the "
        "limit, close another model, or load a smaller one."
    )
    assert memory_use().weights == weights
    set_memory_limit(None)
    with Engine.load(folder) as engine:
        assert memory_use().weights == weights + engine.weight_bytes
        assert len(answer(engine, ids(5), 5)) == 5


def test_weights_count_once_mapped_or_read(folder: Path) -> None:
    code = """
    import numpy
    with cm.Engine.load(sys.argv[1], force=True) as engine:
        use = cm.memory_use()
        at = use.weights - use.mapped
        assert use.held == use.active + use.mapped
        print(use.mapped == use.weights, use.mapped, at <= use.active < at + 300_000)
        print(*numpy.asarray(engine.logits([1, 2, 3])))
    """
    mapped, read = (
        output(code, folder, environment={"CONVERGIO_MLX_MAP_WEIGHTS": choice}).splitlines()
        for choice in ("1", "0")
    )
    assert mapped[0].split()[0] == "True"
    assert read[0] == "False 0 True"
    assert mapped[0].split()[2] == "True"
    assert mapped[1] == read[1]


@pytest.mark.parametrize("bad", [0, -1, 1.5, "1", True, 1 << 63])
def test_a_limit_that_is_none(bad: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        set_memory_limit(bad)
    assert str(caught.value) == (
        f"[memory] the limit is {bad!r}, which must be a whole number of bytes above 0, or None."
    )


@pytest.mark.slow
def test_the_environment_sets_a_limit(folder: Path) -> None:
    code = """
    try:
        print(cm.memory_use().limit)
        cm.Engine.load(sys.argv[1], force=True)
    except cm.ConvergioError as error:
        print(type(error).__name__, error)
    """
    limit = "CONVERGIO_MLX_MEMORY_LIMIT"
    said = output(code, folder, environment={limit: "1000"}).splitlines()
    assert said[0] == "1000"
    assert said[1].startswith("OutOfMemoryError [engine] the model's weights take ")
    for bad in ("1GB", "0", "-5", ""):
        assert output(code, folder, environment={limit: bad}) == (
            f"InvalidRequestError [engine] {limit} is '{bad}', which must be a whole number of "
            "bytes above 0.\n"
        )


def test_a_model_loads_within_an_address_space_of_its_size(folder: Path) -> None:
    """No file is read into a buffer of the most that it might have."""
    code = (
        "import resource, sys\n"
        "import convergio_mlx as cm\n"
        "resource.setrlimit(resource.RLIMIT_AS, (800 << 20, 800 << 20))\n"
        "with cm.Engine.load(sys.argv[1], force=True) as engine:\n"
        "    print(len(engine.generate('a', temperature=0, max_tokens=3).text()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="asks glibc's malloc")
def test_a_closed_engine_leaves_nothing_with_malloc() -> None:
    code = """
        import ctypes, gc, os
        from pathlib import Path

        def resident():
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")

        engine = cm.Engine.load("convergio-guide", prefix_cache_bytes=1 << 30)
        before = resident()
        for number in range(4):
            prompt = [4 + (number + 7 * i) % 90 for i in range(2000)]
            engine.generate(prompt, max_tokens=2).text()
        held = resident() - before
        engine.close()
        del engine
        gc.collect()
        behind = cm.Engine.load("convergio-guide")  # on the thread that has freed the first one
        left = resident()
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        print(held >> 20, (left - resident()) >> 20)
    """
    held, left = map(int, output(code).split())
    assert held >= 16
    assert left < held / 8
