"""Each call on the file system that the store makes fails in turn: that ends in a typed error or in
what was asked for, the store holds nothing half done, and the same asked again is done."""

import errno
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from convergio_mlx import store
from exhaustive import EXHAUSTIVE, either
from hub import Hub
from store.failing import SOURCE, FailingDisk, Outcome
from store.models import MODEL, REPOSITORY, contents, sharded, wanted

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(sys.platform != "linux", reason="calls are interposed as Linux does it"),
]
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES)
SHARD = "model-00002-of-00002.safetensors"


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    path = tmp_path_factory.mktemp("failing") / "failing.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", path, SOURCE, "-ldl"], check=True)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for name, data in wanted(sharded(1000)).items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def disk(hub: Hub, library: Path, tmp_path: Path, source: Path) -> Iterator[FailingDisk]:
    hub.repositories[REPOSITORY] = sharded(1000)
    with FailingDisk(library, tmp_path, source) as disk:
        yield disk


def every_failure(
    disk: FailingDisk, deed: str, prepare: Callable[[], object], *, lasts: bool
) -> Iterator[Outcome]:
    """What came of the deed, for one in seven of its calls, which fail with one error and the next
    with another; with CONVERGIO_EXHAUSTIVE=1 for each call and error."""
    seen: set[str] = set()
    for nth in count(1, either(7, 1)):
        for error in ERRORS if EXHAUSTIVE else [ERRORS[(nth + lasts) % len(ERRORS)]]:
            prepare()
            outcome = disk.do(deed, nth, error, lasts=lasts)
            if not outcome.call:
                print(f"{deed}: below {nth} calls: {', '.join(sorted(seen))}")
                assert nth > 10
                return
            seen.add(outcome.call)
            where = f"{deed}, call {nth} {outcome.call}, {errno.errorcode[error]}"
            assert outcome.is_typed, f"{where}: {outcome.error} {outcome.text}"
            assert outcome.error is None or outcome.text.startswith("["), where
            yield outcome


def check_whole(files: dict[str, bytes]) -> None:
    """Nothing, or the model."""
    found = store.find(MODEL)
    if found is not None:
        assert contents(found.folder) == files
        assert store.verify(MODEL).is_sound


@pytest.mark.parametrize("lasts", [False, True], ids=["one", "all after it"])
def test_download(disk: FailingDisk, hub: Hub, *, lasts: bool) -> None:
    files = wanted(hub.repositories[REPOSITORY])

    def prepare() -> None:
        if store.find(MODEL) is not None:
            store.delete(MODEL)

    for outcome in every_failure(disk, "download", prepare, lasts=lasts):
        check_whole(files)
        assert outcome.error is not None or store.find(MODEL) is not None
        assert contents(store.download(MODEL).folder) == files
        assert store.verify(MODEL).is_sound


@pytest.mark.parametrize("lasts", [False, True], ids=["one", "all after it"])
def test_import(disk: FailingDisk, source: Path, *, lasts: bool) -> None:
    files = contents(source)

    def prepare() -> None:
        if store.find(MODEL) is not None:
            store.delete(MODEL)

    for outcome in every_failure(disk, "import_model", prepare, lasts=lasts):
        check_whole(files)
        assert contents(source) == files
        assert outcome.error is not None or store.find(MODEL) is not None
        if store.find(MODEL) is None:
            store.import_model(source, model=MODEL)
        assert contents(source) == files
        assert store.verify(MODEL).is_sound


@pytest.mark.parametrize("damaged", [SHARD, "receipt.json"])
@pytest.mark.parametrize("lasts", [False, True], ids=["one", "all after it"])
def test_repair(disk: FailingDisk, hub: Hub, folder: Path, damaged: str, *, lasts: bool) -> None:
    files = wanted(hub.repositories[REPOSITORY])
    store.download(MODEL)

    def prepare() -> None:
        (folder / damaged).write_bytes(b"damaged")

    for outcome in every_failure(disk, "repair", prepare, lasts=lasts):
        faults = {one.name for one in store.verify(MODEL).faults}
        assert faults <= {damaged, "receipt.json"}
        assert outcome.error is not None or not faults
        store.repair(MODEL)
        assert contents(folder) == files
        assert store.verify(MODEL).is_sound


@pytest.mark.parametrize("lasts", [False, True], ids=["one", "all after it"])
def test_verify(disk: FailingDisk, folder: Path, *, lasts: bool) -> None:
    store.download(MODEL)
    for _ in every_failure(disk, "verify", lambda: None, lasts=lasts):
        assert store.verify(MODEL).is_sound


@pytest.mark.parametrize("lasts", [False, True], ids=["one", "all after it"])
def test_delete(disk: FailingDisk, hub: Hub, *, lasts: bool) -> None:
    files = wanted(hub.repositories[REPOSITORY])
    for outcome in every_failure(disk, "delete", lambda: store.download(MODEL), lasts=lasts):
        check_whole(files)
        assert outcome.error is not None or store.find(MODEL) is None
        store.download(MODEL)
        store.delete(MODEL)
        assert store.find(MODEL) is None
        assert store.disk_usage().trash == 0
