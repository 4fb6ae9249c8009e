"""Which models are held: one load for many first uses, room for another, gone when idle."""

import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from convergio_mlx import MlxProvider, SamplingParams
from convergio_mlx.chats import planning
from convergio_mlx.errors import (
    ConvergioError,
    InvalidRequestError,
    ModelNotFoundError,
    OutOfMemoryError,
    OverloadedError,
)
from convergio_mlx.providers.memory_budget import FitMemory
from convergio_mlx.providers.model_pool import Models
from convergio_mlx.store.locate import guide_folder
from convergio_mlx.text.tokenizer import Tokenizer
from own_kernels import needs_own_kernels

BRIEF = SamplingParams(temperature=0, max_tokens=3)


class Machine:
    """Memory for so many models of one byte each, and a loader that takes a while."""

    def __init__(self, room: int = 2) -> None:
        self.room = room
        self.loads: list[str] = []
        self.closed: list[str] = []
        self.fail: list[Exception] = []
        self.seconds = 0.0

    def budget(self) -> int | None:
        return self.room

    def need(self, folder: Path) -> int:
        return 1

    def check(self, name: str, folder: Path) -> None:
        if self.room < 1:
            raise OutOfMemoryError("[test] there is no room; buy some.")

    def load(self, folder: Path) -> Any:
        self.loads.append(folder.name)
        time.sleep(self.seconds)
        if self.fail:
            raise self.fail.pop()
        return Loaded(self, folder.name)


class Loaded:
    """Stands for an engine."""

    def __init__(self, machine: Machine, name: str) -> None:
        self.machine = machine
        self.name = name

    def close(self) -> None:
        self.machine.closed.append(self.name)


@pytest.fixture
def names(tmp_path: Path) -> dict[str, str]:
    """Folders that look like models."""
    for name in "abc":
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    return {name: str(tmp_path / name) for name in "abc"}


def test_many_first_uses_load_once(names: dict[str, str]) -> None:
    machine = Machine()
    machine.seconds = 0.05
    models = Models(machine, machine.load)
    with ThreadPoolExecutor(16) as pool:
        leases = list(pool.map(models.acquire, [names["a"], names["b"]] * 8))
    assert sorted(machine.loads) == ["a", "b"]
    assert len({id(lease.engine) for lease in leases}) == 2
    assert [model.uses for model in models.loaded()] == [8, 8]
    for lease in leases:
        lease.release()
        lease.release()
    assert [model.uses for model in models.loaded()] == [0, 0]


def test_a_load_that_fails_fails_for_each_and_can_be_tried_again(names: dict[str, str]) -> None:
    machine = Machine()
    machine.seconds = 0.02
    machine.fail = [ConvergioError("[test] it failed; try again.") for _ in range(4)]
    models = Models(machine, machine.load)

    def attempt(_: int) -> str:
        try:
            models.acquire(names["a"]).release()
        except ConvergioError:
            return "failed"
        return "loaded"

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(attempt, range(4)))
    assert results == ["failed"] * 4
    assert models.loaded() == []
    assert attempt(0) == "loaded"


def test_the_model_used_longest_ago_makes_room(names: dict[str, str]) -> None:
    machine = Machine(room=2)
    models = Models(machine, machine.load)
    for name in ("a", "b", "a"):
        models.acquire(names[name]).release()
    models.acquire(names["c"]).release()
    assert machine.closed == ["b"]
    assert [Path(model.name).name for model in models.loaded()] == ["a", "c"]


def test_a_model_in_use_does_not_make_room(names: dict[str, str]) -> None:
    machine = Machine(room=1)
    models = Models(machine, machine.load, wait_seconds=0.02)
    lease = models.acquire(names["a"])
    with pytest.raises(OverloadedError):
        models.acquire(names["b"])
    assert machine.loads == ["a"]
    lease.release()
    models.acquire(names["b"]).release()
    assert machine.closed == ["a"]


def test_a_load_waits_for_a_model_in_use_to_make_room(names: dict[str, str]) -> None:
    machine = Machine(room=1)
    models = Models(machine, machine.load, wait_seconds=10)
    lease = models.acquire(names["a"])
    timer = threading.Timer(0.05, lease.release)
    timer.start()
    began = time.monotonic()
    models.acquire(names["b"]).release()
    assert time.monotonic() - began > 0.04
    assert machine.closed == ["a"]
    timer.join()


def test_what_is_idle_makes_room_for_a_load_that_runs_out_of_memory(names: dict[str, str]) -> None:
    machine = Machine(room=3)
    models = Models(machine, machine.load)
    models.acquire(names["a"]).release()
    machine.fail = [OutOfMemoryError("[test] full; free some.")]
    models.acquire(names["b"]).release()
    assert (machine.loads, machine.closed) == (["a", "b", "b"], ["a"])
    models.unload(names["b"])
    machine.fail = [OutOfMemoryError("[test] full; free some.")]
    with pytest.raises(OutOfMemoryError):
        models.acquire(names["c"])


def test_idle_models_are_unloaded(names: dict[str, str]) -> None:
    machine = Machine()
    models = Models(machine, machine.load, idle_seconds=0.05)
    used = models.acquire(names["a"])
    models.acquire(names["b"]).release()
    deadline = time.monotonic() + 60
    while machine.closed != ["b"] and time.monotonic() < deadline:
        time.sleep(0.005)
    assert machine.closed == ["b"]
    time.sleep(0.1)
    assert [Path(model.name).name for model in models.loaded()] == ["a"]
    used.release()
    while len(machine.closed) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert machine.closed == ["b", "a"]
    models.acquire(names["b"]).release()
    assert machine.loads == ["a", "b", "b"]
    models.close()
    assert machine.closed == ["b", "a", "b"]
    assert not [one for one in threading.enumerate() if one.name == "convergio-mlx-idle"]


def test_what_is_unloaded_in_use_is_closed_after_its_last_answer(names: dict[str, str]) -> None:
    machine = Machine()
    models = Models(machine, machine.load)
    lease, other = models.acquire(names["a"]), models.acquire(names["a"])
    assert models.unload(names["a"]) is True
    assert models.unload(names["a"]) is False
    assert models.loaded() == []
    lease.release()
    assert machine.closed == []
    other.release()
    assert machine.closed == ["a"]
    models.acquire(names["a"]).release()
    assert machine.loads == ["a", "a"]


def test_a_look_for_what_is_loaded_loads_nothing(names: dict[str, str]) -> None:
    machine = Machine()
    models = Models(machine, machine.load)
    assert models.acquire_loaded(names["a"]) is None
    models.acquire(names["a"]).release()
    lease = models.acquire_loaded(names["a"])
    assert lease is not None
    lease.release()
    models.unload(names["a"])
    assert models.acquire_loaded(names["a"]) is None
    assert machine.loads == ["a"]


def test_a_provider_holds_two_real_models_and_switches(tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(guide_folder(), other)
    with MlxProvider() as provider:
        for model in ("convergio-guide", str(other), "mlx/convergio-guide"):
            assert provider.chat(model, None, "hello", params=BRIEF).text
        assert [model.name for model in provider.loaded()] == [str(other), "convergio-guide"]
        assert provider.unload(str(other)) is True
        assert [model.name for model in provider.loaded()] == ["convergio-guide"]
        provider.load(str(other))
        assert len(provider.loaded()) == 2
        with pytest.raises(ModelNotFoundError):
            provider.load("no-such-model")
    assert not provider.initialized


def test_a_load_makes_ready_for_constrained_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the caller; what hinders that is told by the first such answer."""
    seen: list[threading.Thread] = []
    done = threading.Event()

    def prepare(_: Tokenizer) -> None:
        seen.append(threading.current_thread())
        done.set()
        raise InvalidRequestError("[structured] cannot be constrained; leave tools out.")

    monkeypatch.setattr(planning, "prepare_constraints", prepare)
    with MlxProvider() as provider:
        provider.load("convergio-guide")
        assert done.wait(60)
        assert provider.chat("convergio-guide", None, "hello", params=BRIEF).text
        assert len(seen) == 1
        assert seen[0] is not threading.current_thread()


def test_a_load_can_leave_constraints_to_the_first_answer_that_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[str] = []
    start = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noted)
    with MlxProvider(prepare_constraints=False) as provider:
        provider.load("convergio-guide")
    assert "convergio-mlx-constraints" not in started


def test_forcing_loads_what_does_not_fit() -> None:
    with MlxProvider(memory_bytes=1) as provider, pytest.raises(OutOfMemoryError):
        provider.load("convergio-guide")
    with MlxProvider(memory_bytes=1, force=True) as provider:
        provider.load("convergio-guide")
        assert provider.usable_window("convergio-guide") == 2048


def test_the_usable_window_is_what_fits() -> None:
    """The embedded model's cache for its 2048 tokens takes about 10 MB in float16."""
    with MlxProvider() as provider:
        assert provider.usable_window("convergio-guide") == 2048
        need = FitMemory().need(guide_folder())
    with MlxProvider(memory_bytes=need - 4_000_000) as provider:
        window = provider.usable_window("convergio-guide")
    assert 200 < window < 2000


def test_the_usable_window_keeps_to_the_memory_limit() -> None:
    """In a process of its own: what other tests' models hold counts within the limit too."""
    code = """
import convergio_mlx as cm
from convergio_mlx.store.locate import locate
from convergio_mlx.providers.memory_budget import FitMemory
need = FitMemory().need(locate("convergio-guide"))
cm.set_memory_limit(need - 4_000_000)
with cm.MlxProvider() as provider:
    conversation = cm.Conversation(provider, "convergio-guide")
    print(conversation.window, conversation.threshold)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    window, threshold = map(int, done.stdout.split())
    assert 200 < window < 2000
    assert threshold == min(window, 2000)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"memory_bytes": 0},
            "[mlx] memory_bytes is 0, which must be a whole number above 0, or None.",
        ),
        (
            {"idle_seconds": -1},
            "[mlx] idle_seconds is -1, which must be a number of seconds from 0 to 1000000000, or "
            "None.",
        ),
        (
            {"wait_seconds": "long"},
            "[mlx] wait_seconds is 'long', which must be a number of seconds from 0 to "
            "1000000000, or None.",
        ),
        *(
            (
                {"draft_models": given},
                f"[mlx] draft_models is of type {type(given).__name__}; give a mapping of models "
                "to the smaller ones that draft for them, or None.",
            )
            for given in (5, "ab", ["a"])
        ),
    ],
)
def test_options_that_are_none_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        MlxProvider(**options)
    assert str(caught.value) == sentence


@needs_own_kernels
def test_a_draft_model_is_loaded_and_counted_with_its_model(tmp_path: Path) -> None:
    model = tmp_path / "whole"
    shutil.copytree(guide_folder(), model)
    with MlxProvider() as plain:
        wanted = plain.chat(str(model), None, "Hello", params=BRIEF).text
        (alone,) = plain.loaded()
    with MlxProvider(draft_models={str(model): "convergio-guide"}) as provider:
        assert provider.chat(str(model), None, "Hello", params=BRIEF).text == wanted
        (both,) = provider.loaded()
        assert both.bytes > alone.bytes
        lease = provider._held().acquire(str(model))
        assert lease.engine.draft_folder == guide_folder().resolve()
        lease.release()
        provider.chat("convergio-guide", None, "Hello", params=BRIEF)
        lease = provider._held().acquire("convergio-guide")
        assert lease.engine.draft_folder is None
        lease.release()


@pytest.mark.parametrize("wrong", [{"nowhere": "convergio-guide"}, {"convergio-guide": "nowhere"}])
def test_draft_models_that_are_not_there_are_named_at_once(wrong: dict[str, str]) -> None:
    provider = MlxProvider(draft_models=wrong)
    with pytest.raises(ModelNotFoundError, match="'nowhere'"):
        provider.init()
