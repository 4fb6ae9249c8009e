"""A model of the package index, fetched with the package manager that is here, from an index on
loopback. What is in the wheel is converted by a stand-in, except where a test says otherwise."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import package_index as index_module
from convergio_mlx import store
from convergio_mlx.errors import (
    AuthError,
    ConvergioError,
    InvalidRequestError,
    ModelCorruptError,
    ModelNotFoundError,
    NetworkError,
    NetworkSettingsError,
    OfflineError,
    StorageError,
)
from convergio_mlx.platform.home import models_folder
from convergio_mlx.registry import Package, load_registry
from convergio_mlx.store import package_index, packaged
from convergio_mlx.store.folders import Folder
from convergio_mlx.store.made import made_files
from convergio_mlx.store.progress import Reporter
from convergio_mlx.store.receipt import ReceiptFile
from convergio_mlx.store.wheel import check_wheel, take_out
from package_index import Index
from store.models import GUIDE, contents

NAME, VERSION, FILE = "tiny-model", "1.0", "tiny_model/tiny.gguf"
WHEEL = "tiny_model-1.0-py3-none-any.whl"
PACKED = b"GGUF" + bytes(range(256)) * 800
ID = "tiny"


@pytest.fixture
def index(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index with one package, and a registry that has it."""
    with index_module.running() as index:
        for name, value in index.environment().items():
            monkeypatch.setenv(name, value)
        made = index.add(NAME, VERSION, {FILE: PACKED, "tiny_model/__init__.py": b"1 / 0"})
        register(home, hashlib.sha256(made).hexdigest(), len(made))
        monkeypatch.setattr(packaged, "_converted_files", stand_in)
        yield index


def register(home: Path, sha256: str, size: int = 1000, version: str = VERSION) -> None:
    package = {"name": NAME, "version": version, "file": FILE, "sha256": sha256}
    home.mkdir(exist_ok=True)
    entry = {"id": ID, "package": package, "download_bytes": size}
    (home / "models.json").write_text(json.dumps({"schema": 1, "models": [entry]}))


def stand_in(gguf: Path, folder: Folder, report: Reporter) -> tuple[ReceiptFile, ...]:
    """The embedded model, in place of what the file would be converted to."""
    assert gguf.read_bytes() == PACKED
    report.begin("converting", len(PACKED))
    report.advance(len(PACKED))

    def write(create: Callable[[str], int]) -> None:
        for path in GUIDE.iterdir():
            with os.fdopen(create(path.name), "wb") as file:
                file.write(path.read_bytes())

    return made_files(folder, write, report)


def nothing_is_left() -> bool:
    return store.partial_bytes(ID) == 0 and not (models_folder() / ".partial" / ID).exists()


def test_it_is_installed_verified_repaired_and_deleted_as_any_model(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("raise SystemExit('this is not pip')")
    for name in ("PIP_REQUIRE_VIRTUALENV", "PIP_REQUIRE_HASHES", "PIP_QUIET"):
        monkeypatch.setenv(name, "1")  # which are for installing
    monkeypatch.chdir(tmp_path)
    stages = []
    found = store.download(ID, on_progress=lambda progress: stages.append(progress.stage))
    assert list(dict.fromkeys(stages)) == ["downloading", "verifying", "unpacking", "converting"]
    assert contents(found.folder) == {path.name: path.read_bytes() for path in GUIDE.iterdir()}
    receipt = found.receipt
    assert receipt is not None
    assert (receipt.source, receipt.repository, receipt.revision) == ("package", None, None)
    assert receipt.package == load_registry().require(ID).package
    assert receipt.is_of(load_registry().require(ID))
    assert nothing_is_left()
    assert NAME.replace("-", "_") not in sys.modules  # nothing of the package runs
    assert store.trust(ID).kind == "pinned"
    assert store.verify(ID).is_sound

    with pytest.raises(InvalidRequestError, match="so there is nothing newer; download it without"):
        store.download(ID, newest=True)
    asked = len(index.requests)
    assert store.download(ID) == found  # without a question to the index
    assert store.repair(ID) == ()
    assert len(index.requests) == asked

    config = found.folder / "config.json"
    good = config.read_bytes()
    config.write_bytes(good[:-1] + b" ")
    (found.folder / "model-extra.safetensors").write_bytes(b"x")
    assert {(one.name, one.state) for one in store.repair(ID)} == {
        ("config.json", "changed"),
        ("model-extra.safetensors", "unexpected"),
    }
    assert config.read_bytes() == good
    assert (found.folder / "model-extra.safetensors.unexpected").exists()
    assert store.verify(ID).is_sound

    (found.folder / "receipt.json").write_bytes(b"{}")
    config.unlink()
    assert [one.name for one in store.repair(ID)] == ["receipt.json", "config.json"]
    assert store.verify(ID).is_sound
    store.delete(ID)
    assert store.find(ID) is None


def test_the_growing_file_is_told_while_it_comes_and_a_host_may_stop_it(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = index.add(NAME, VERSION, {FILE: os.urandom(400_000)})
    register(Path(os.environ["CONVERGIO_HOME"]), hashlib.sha256(made).hexdigest(), len(made))
    index.pace = 200_000
    told: list[tuple[int, int]] = []

    class StopError(Exception):
        pass

    def on_progress(progress: store.Progress) -> None:
        told.append((progress.done_bytes, progress.total_bytes))
        if progress.done_bytes > 100_000:
            raise StopError

    with pytest.raises(StopError):
        store.download(ID, on_progress=on_progress)
    assert all(total == len(made) for _, total in told)
    assert 100_000 < told[-1][0] < len(made)
    assert nothing_is_left()


def test_another_wheel_than_the_registrys_is_refused(index: Index, home: Path) -> None:
    register(home, "0" * 64)
    found = hashlib.sha256(index.wheels[WHEEL]).hexdigest()
    with pytest.raises(ModelCorruptError) as raised:
        store.download(ID)
    assert str(raised.value) == (
        f"[store] the wheel of {NAME} {VERSION} that the package index sends has SHA-256 {found} "
        f"where the registry says {'0' * 64}; it is thrown away, so check the index that your "
        "package manager is set to use, and try again."
    )
    assert nothing_is_left()


@pytest.mark.slow
def test_a_wheel_that_is_not_what_the_index_says_is_refused(index: Index) -> None:
    index.hashes[WHEEL] = "1" * 64
    with pytest.raises(ModelCorruptError, match="has another hash than the index or the registry"):
        store.download(ID)


@pytest.mark.parametrize(
    ("files", "record", "why"),
    [
        ({"tiny_model/other.gguf": b"x"}, b"", f"it does not list {FILE!r}"),
        ({FILE: PACKED}, f"{FILE},sha256={'A' * 43},{len(PACKED)}".encode(), "where it lists 0000"),
        ({FILE: PACKED}, f"{FILE},sha256={'A' * 43},9".encode(), "has more than the 9 bytes"),
        ({FILE: PACKED}, f"{FILE},,".encode(), "it does not list"),
        ({FILE: PACKED}, b'"', "it does not list"),
        ({}, f"{FILE},sha256={'A' * 43},9".encode(), "There is no item named"),
    ],
    ids=["no file", "another hash", "longer", "no hash", "no list", "listed alone"],
)
def test_a_wheel_whose_file_is_not_as_it_lists_is_refused(
    tmp_path: Path, files: dict[str, bytes], record: bytes, why: str
) -> None:
    made = index_module.wheel(NAME, VERSION, files, record=record)
    (tmp_path / WHEEL).write_bytes(made)
    package = Package(NAME, VERSION, FILE, hashlib.sha256(made).hexdigest())
    report = Reporter(ID, None)
    check_wheel(package, tmp_path / WHEEL, report)
    with pytest.raises(ModelCorruptError) as raised:
        take_out(package, tmp_path / WHEEL, tmp_path / "file", report)
    assert why in str(raised.value)


def no_pip_nor_uv(monkeypatch: pytest.MonkeyPatch, index: Index) -> None:
    monkeypatch.setattr(package_index, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "/nowhere")


def stopped(monkeypatch: pytest.MonkeyPatch, index: Index) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://ada:secret@127.0.0.1:9/simple")


def offline(monkeypatch: pytest.MonkeyPatch, index: Index) -> None:
    monkeypatch.setenv("CONVERGIO_OFFLINE", "1")


def answering(status: int) -> Callable[[pytest.MonkeyPatch, Index], None]:
    return lambda _, index: setattr(index, "status", status)


def without_the_package(monkeypatch: pytest.MonkeyPatch, index: Index) -> None:
    index.wheels.clear()


def without_the_version(monkeypatch: pytest.MonkeyPatch, index: Index) -> None:
    index.wheels.clear()
    index.add(NAME, "0.9", {FILE: PACKED})


def full(monkeypatch: pytest.MonkeyPatch, index: Index) -> None:
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


SLOW = pytest.mark.slow  # a pip each


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (no_pip_nor_uv, NetworkSettingsError, "neither pip in this Python"),
        (stopped, NetworkError, "the package index cannot be reached (http://"),
        pytest.param(answering(401), AuthError, "refuses tiny-model 1.0 with status", marks=SLOW),
        pytest.param(answering(403), AuthError, "1.0 with status 403; check the cred", marks=SLOW),
        pytest.param(answering(503), NetworkError, "too many 503 error responses", marks=SLOW),
        pytest.param(
            without_the_package, ModelNotFoundError, "has no tiny-model 1.0; check", marks=SLOW
        ),
        (without_the_version, ModelNotFoundError, "has no tiny-model 1.0 but 0.9; check the"),
        (offline, OfflineError, "downloading 'tiny' needs the network, which CONVERGIO_OFFLINE=1"),
        (full, StorageError, "tiny-model 1.0 needs"),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_what_goes_wrong_is_said_in_words(
    index: Index,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[pytest.MonkeyPatch, Index], None],
    error: type[ConvergioError],
    words: str,
) -> None:
    spoil(monkeypatch, index)
    with pytest.raises(error) as raised:
        store.download(ID)
    text = str(raised.value)
    assert type(raised.value) is error
    assert text.startswith(("[store] ", "[offline] "))
    assert text.endswith(".")
    assert words in text
    assert "secret" not in text
    assert nothing_is_left()


@pytest.mark.slow
def test_a_wheel_larger_than_it_can_be_is_given_up(
    index: Index, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_index, "_SLACK", 0)
    index.add(NAME, VERSION, {FILE: os.urandom(300_000)})
    register(home, "0" * 64, size=10_000)
    index.pace = 100_000
    with pytest.raises(NetworkError, match="sends more than 20000 bytes where about 10000"):
        store.download(ID)
    assert nothing_is_left()


def test_a_drip_is_given_up(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_index, "SLOW_SECONDS", 0.3)
    monkeypatch.setattr(package_index, "SLOWEST", 10_000_000)
    index.pace = 1000
    with pytest.raises(NetworkError, match="sent fewer than 10000000 bytes per second"):
        store.download(ID)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not here")
def test_uv_does_where_pip_is_not(
    index: Index, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_index, "find_spec", lambda _: None)
    store.download(ID)
    assert store.verify(ID).is_sound
    store.delete(ID)
    register(home, "0" * 64)
    with pytest.raises(ModelCorruptError, match="another hash than the index or the registry"):
        store.download(ID)
    register(home, "0" * 64, version="3")
    with pytest.raises(ModelNotFoundError, match=r"has no tiny-model 3; check the index that uv"):
        store.download(ID)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    with pytest.raises(NetworkError, match=r"cannot be reached \(Failed to fetch"):
        store.download(ID)


@pytest.mark.slow
def test_a_pin_is_the_hash_of_the_wheel(index: Index, home: Path) -> None:
    made = index.wheels[WHEEL]
    register(home, "0" * 64, size=5)
    pin = store.pin(load_registry().require(ID))
    assert pin.package is not None
    assert (pin.package.sha256, pin.download_bytes) == (
        hashlib.sha256(made).hexdigest(),
        len(made),
    )
    assert str(pin) == "the wheel of tiny-model 1.0"
