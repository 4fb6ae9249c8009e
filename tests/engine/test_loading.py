"""Finding and loading models: what is not there or not sound, and what is let go of again."""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_models import ids, make_model

from convergio_mlx import Engine, SamplingParams
from convergio_mlx.errors import (
    ConvergioError,
    LoadError,
    ModelCorruptError,
    ModelNotFoundError,
    TokenizerError,
    UnsupportedModelError,
)
from convergio_mlx.native import native

SHORT = SamplingParams(max_tokens=2)


@pytest.fixture
def no_privileges() -> Iterator[None]:
    """Root may read everything, so the test steps down for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONVERGIO_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "models" / "mlx"


@pytest.mark.parametrize("model", [None, 7, b"x", "", "  ", ["a"]])
def test_a_model_that_is_no_name(model: Any) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        Engine.load(model)
    assert str(caught.value) == (
        f"[models] {model!r} names no model; give 'convergio-guide', the id of a downloaded "
        "model, or a model's folder."
    )


@pytest.mark.parametrize(
    "model", ["nope", "mlx/nope", "../nope", "a/b/c", "x" * 5000, "a\0b", "~nobody/x"]
)
def test_a_model_that_is_not_here(model: str | Path, home: Path) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        Engine.load(model)
    assert str(caught.value).startswith("[models] ")
    assert str(caught.value).endswith(" folder.")
    assert len(str(caught.value)) < 1000


def test_a_downloaded_model_is_found_by_its_id(home: Path) -> None:
    make_model(home / "tiny-4bit")
    for name in ("tiny-4bit", "mlx/tiny-4bit", str(home / "tiny-4bit"), home / "tiny-4bit"):
        with Engine.load(name) as engine:
            assert engine.folder == home / "tiny-4bit"


def test_a_folder_whose_name_is_not_utf8(folder: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9 \xff")
    shutil.copytree(folder, odd)
    with Engine.load(odd) as engine:
        assert engine.generate(ids(3), SHORT).text() is not None


def test_a_folder_without_a_config(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        Engine.load(tmp_path)
    assert str(caught.value) == (
        f"[models] the folder {str(tmp_path)!r} has no config.json; give the folder that holds "
        "config.json, tokenizer.json and the safetensors files."
    )


@pytest.mark.usefixtures("no_privileges")
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "."])
def test_no_permission_to_read(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    os.seteuid(os.getuid())
    folder = make_model(tmp_path_factory.mktemp("locked") / "model")
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)
    locked = folder / name
    locked.chmod(0)
    if os.geteuid() == 0:
        os.seteuid(65534)
    with pytest.raises(LoadError) as caught, Engine.load(folder) as engine:
        engine.generate(ids(3), SHORT)
    os.seteuid(os.getuid())
    locked.chmod(0o755)
    assert "ermission denied" in str(caught.value)
    assert str(caught.value).startswith("[")
    assert str(caught.value).endswith(".")


DAMAGED = [
    ("config.json", None, ModelNotFoundError),
    ("config.json", b"", ModelCorruptError),
    ("config.json", b"\xff\xfe", ModelCorruptError),
    ("config.json", b"[]", ModelCorruptError),
    ("config.json", b'{"model_type": "llama"}', ModelCorruptError),
    ("config.json", b'{"model_type": "unknown"}', UnsupportedModelError),
    ("config.json", "folder", ConvergioError),
    ("model.safetensors", None, ModelNotFoundError),
    ("model.safetensors", b"", ModelCorruptError),
    ("model.safetensors", b"\0" * 100, ModelCorruptError),
    ("model.safetensors", b"\xff" * 100, ModelCorruptError),
    ("model.safetensors", "half", ModelCorruptError),
    ("model.safetensors", "folder", ConvergioError),
    ("tokenizer.json", None, TokenizerError),
    ("tokenizer.json", b"{}", TokenizerError),
    ("tokenizer.json", "folder", TokenizerError),
    ("tokenizer_config.json", b"[]", TokenizerError),
    ("generation_config.json", b"{", TokenizerError),
    ("generation_config.json", b'{"temperature": "hot"}', ConvergioError),
]


@pytest.mark.parametrize(("name", "content", "error"), DAMAGED, ids=str)
def test_damaged_files(
    own_folder: Path, name: str, content: bytes | str | None, error: type[ConvergioError]
) -> None:
    file = own_folder / name
    whole = file.read_bytes() if file.exists() else b""
    file.unlink(missing_ok=True)
    if content == "folder":
        file.mkdir()
    elif content == "half":
        file.write_bytes(whole[: len(whole) // 2])
    elif isinstance(content, bytes):
        file.write_bytes(content)
    with pytest.raises(error) as caught, Engine.load(own_folder) as engine:
        engine.generate(ids(3), SHORT)
    assert str(caught.value).startswith("[")
    assert str(caught.value).endswith(".")
    assert "; " in str(caught.value) or ", which must be " in str(caught.value)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_loading_and_answering_again_and_again_keeps_nothing(folder: Path) -> None:
    def once(number: int) -> None:
        with Engine.load(folder) as engine:
            engine.generate(ids(50, start=number), SamplingParams(max_tokens=5)).text()
            engine.generate(ids(50), SamplingParams(max_tokens=200)).cancel()
            engine.logits(ids(20))

    for number in range(20):
        once(number)
    gc.collect()
    active, before, files = native().memory()[0], resident_bytes(), len(os.listdir("/proc/self/fd"))
    for number in range(150):
        once(number)
    gc.collect()
    native().load(os.fsencode(folder))  # behind it, nothing that was let go of is left to be freed
    assert resident_bytes() - before < 8 << 20
    assert native().memory()[0] <= active + 4096
    assert len(os.listdir("/proc/self/fd")) == files
    with Path("/proc/self/maps").open() as maps:
        assert sum("model.safetensors" in line for line in maps) <= 4
