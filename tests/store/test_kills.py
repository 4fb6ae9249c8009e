"""Whenever downloads are killed, and however many there are: what is installed is whole."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from convergio_mlx import store
from convergio_mlx.engine.engine import Engine
from convergio_mlx.errors import ModelNotInstalledError
from convergio_mlx.store.locate import locate
from hub import Hub, Repository
from store.downloaders import Downloaders
from store.models import GUIDE, MODEL, REPOSITORY, contents, guide, sharded, wanted

pytestmark = pytest.mark.slow


KILLS = 50
PACE = 8e6
"""Bytes a second, so that most of a download's time is transfer."""


def lean() -> Repository:
    """Two shards, and little else to ask for."""
    repository = sharded(400_000)
    for name in ("tokenizer_config.json", "generation_config.json", "chat_template.jinja"):
        del repository.files[name]
    return repository


@pytest.fixture
def downloaders(hub: Hub) -> Iterator[Downloaders]:
    with Downloaders() as downloaders:
        yield downloaders


def check_nothing_is_there() -> None:
    """Nothing that looks like a model, to the store or to the engine."""
    assert store.installed() == []
    with pytest.raises(ModelNotInstalledError):
        locate(MODEL)


def seeded() -> random.Random:
    """Other moments each time; pytest shows the seed where the test fails."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)


def await_requests(hub: Hub, known: int) -> None:
    """Until the hub is asked more than so often: then a download is under way."""
    until = time.monotonic() + 30
    while len(hub.requests) <= known and time.monotonic() < until:
        time.sleep(0.002)


def seconds_of_a_download(hub: Hub, downloaders: Downloaders) -> float:
    """From its first request to its end; it differs with what else the machine does."""
    downloaders.start()
    await_requests(hub, 0)
    begin = time.monotonic()
    assert downloaders.wait() == [0]
    store.delete(MODEL)
    return time.monotonic() - begin


def test_killed_at_fifty_random_moments(hub: Hub, folder: Path, downloaders: Downloaders) -> None:
    """Each kill hits a process that is downloading; whole downloads in between are begun anew."""
    moments = seeded()
    hub.repositories[REPOSITORY] = lean()
    files = wanted(hub.repositories[REPOSITORY])
    hub.pace = PACE
    longest = seconds_of_a_download(hub, downloaders)
    kills = whole = 0
    while kills < KILLS:
        asked = len(hub.requests)
        (pid,) = downloaders.start()
        await_requests(hub, asked)
        time.sleep(moments.uniform(0, 0.7 * longest))
        downloaders.kill(pid)
        (code,) = downloaders.wait()
        assert code in (0, -9)
        kills += code == -9
        if folder.exists():
            whole += 1
            assert contents(folder) == files
            assert store.verify(MODEL).is_sound
            store.delete(MODEL)
        else:
            check_nothing_is_there()
    hub.pace = None
    downloaders.start()
    assert downloaders.wait() == [0]
    assert contents(folder) == files
    assert store.verify(MODEL).is_sound
    assert not list(folder.parent.glob(".partial/*"))
    resumed = len([one for one in hub.asked_for("/cdn/") if one.range])
    print(f"{kills} kills, {whole} whole downloads in between, {resumed} files resumed")
    assert resumed >= 5


def test_killed_at_every_step_on_the_file_system(
    hub: Hub, folder: Path, downloaders: Downloaders
) -> None:
    """Each file that is opened, each rename, each folder that is made: killed just before, one
    download after the other; then the next one ends whole."""
    hub.repositories[REPOSITORY] = guide()
    files = guide().files
    event, code = 0, -9
    while code == -9:
        event += 1
        downloaders.start(event=event)
        (code,) = downloaders.wait()
        if not folder.exists():
            assert code == -9
            check_nothing_is_there()
            if event % 3 == 0:  # the next one goes on from what this one left
                continue
            store.download(MODEL)
        assert contents(folder) == files
        assert store.verify(MODEL).is_sound
        store.delete(MODEL)
    assert event > 20
    store.download(MODEL)
    with Engine.load(MODEL) as engine:
        assert engine.generate([{"role": "user", "content": "Hello!"}]).text()


def test_a_repair_killed_at_every_step(hub: Hub, folder: Path, downloaders: Downloaders) -> None:
    """Until it is mended the one file is the fault, and nothing else ever."""
    hub.repositories[REPOSITORY] = guide()
    store.download(MODEL)
    event, code = 0, -9
    while code == -9:
        event += 1
        (folder / "tokenizer.json").write_bytes(b"{}")
        downloaders.start(event=event, deed="repair")
        (code,) = downloaders.wait()
        assert {one.name for one in store.verify(MODEL).faults} <= {"tokenizer.json"}
        store.repair(MODEL)
        assert contents(folder) == guide().files
    assert (code, event > 8) == (0, True)


def test_an_import_killed_at_every_step(home: Path, folder: Path, downloaders: Downloaders) -> None:
    event, code = 0, -9
    while code == -9:
        event += 1
        downloaders.start(event=event, deed="import_model")
        (code,) = downloaders.wait()
        if folder.exists():
            assert contents(folder) == guide().files
            assert store.verify(MODEL).is_sound
            store.delete(MODEL)
        else:
            check_nothing_is_there()
    assert (code, event > 15) == (0, True)
    assert contents(GUIDE) == guide().files


def test_a_deletion_killed_at_every_step(
    home: Path, folder: Path, downloaders: Downloaders
) -> None:
    """The model is whole or gone, and what is left of it goes with the next."""
    event, code = 0, -9
    while code == -9:
        event += 1
        if not folder.exists():
            store.import_model(GUIDE, model=MODEL)
        downloaders.start(event=event, deed="delete")
        (code,) = downloaders.wait()
        if folder.exists():
            assert store.verify(MODEL).is_sound
    assert (code, event > 4) == (0, True)
    assert store.disk_usage().trash == 0


@pytest.mark.parametrize("count", [2, 4])
def test_several_processes_at_once(
    hub: Hub, folder: Path, downloaders: Downloaders, count: int
) -> None:
    """One downloads each file, once; the others wait and find it."""
    hub.repositories[REPOSITORY] = lean()
    hub.pace = PACE
    downloaders.start(count)
    assert downloaders.wait() == [0] * count
    assert contents(folder) == wanted(hub.repositories[REPOSITORY])
    paths = [one.path for one in hub.requests if "/resolve/" in one.path or "/cdn/" in one.path]
    assert len(paths) == len(set(paths)) == len(contents(folder)) + 2
    assert store.verify(MODEL).is_sound


@pytest.mark.parametrize("count", [2, 4])
def test_several_processes_of_which_some_are_killed(
    hub: Hub, folder: Path, downloaders: Downloaders, count: int
) -> None:
    moments = seeded()
    hub.repositories[REPOSITORY] = lean()
    hub.pace = PACE
    longest = seconds_of_a_download(hub, downloaders)
    for _ in range(4):
        asked = len(hub.requests)
        pids = downloaders.start(count)
        await_requests(hub, asked)
        for pid in moments.sample(pids, count - 1):
            time.sleep(moments.uniform(0, longest / count))
            downloaders.kill(pid)
        codes = downloaders.wait()
        assert codes.count(0) >= 1
        assert set(codes) <= {0, -9}
        assert contents(folder) == wanted(hub.repositories[REPOSITORY])
        assert store.verify(MODEL).is_sound
        store.delete(MODEL)
