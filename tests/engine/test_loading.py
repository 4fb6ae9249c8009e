"""Finding and loading models: what is not there or not sound, and what is let go of again."""

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
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
from convergio_mlx.platform.native import native

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


def test_a_stale_index_beside_sound_weights_does_not_count(own_folder: Path) -> None:
    index = own_folder / "model.safetensors.index.json"
    for text in (json.dumps({"weight_map": {"gone": "model-00001-of-00002.safetensors"}}), "{", ""):
        index.write_text(text)
        assert native().weight_files(os.fsencode(own_folder)) == ["model.safetensors"]
        with Engine.load(own_folder) as engine:
            assert engine.generate(ids(3), SHORT).text() is not None


def test_shards_of_any_name_that_the_index_gives(own_folder: Path) -> None:
    (own_folder / "model.safetensors").rename(own_folder / "part one")
    (own_folder / "consolidated.safetensors").write_bytes(b"not looked at")
    index = own_folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": "part one", "only this": "part one"}}))
    assert native().weight_files(os.fsencode(own_folder)) == ["part one"]
    with Engine.load(own_folder) as engine:
        assert engine.generate(ids(3), SHORT).text() is not None


def test_the_same_choice_among_a_repository_s_names() -> None:
    choose = native().choose_weight_files
    names = {"config.json", "a.safetensors", "model-1.safetensors"}
    index = json.dumps({"weight_map": {"x": "a.safetensors"}}).encode()
    assert choose(names, index, "it") == ["a.safetensors"]
    assert choose(names, None, "it") == ["model-1.safetensors"]
    with pytest.raises(ModelNotFoundError, match=r"^\[safetensors\] it holds no model.safetensors"):
        choose(set(), None, "it")


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "model.safetensors.index.json"]
)
def test_the_core_opens_no_pipes_and_no_devices(own_folder: Path, name: str) -> None:
    file = own_folder / name
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        file.unlink(missing_ok=True)
        if name.endswith("index.json"):  # which is all that names the weights
            (own_folder / "model.safetensors").unlink(missing_ok=True)
        make(file)
        with pytest.raises(LoadError) as caught:
            native().load(os.fsencode(own_folder))
        assert str(caught.value) == (
            f"[file] {file} is not a regular file; give the path of a file."
        )


CUT_OFF = """
import faulthandler, os, sys
from pathlib import Path
import convergio_mlx as cm
faulthandler.enable()
folder = Path(sys.argv[1])
file = folder / "model.safetensors"

def cut(accepted):
    calls.append(1)
    if len(calls) == 3:
        os.truncate(file, file.stat().st_size // 2)
    return b"\\xff" * (engine.vocab_size // 32 * 4)

calls = []
engine = cm.Engine.load(folder, prefix_cache_bytes=1 << 20)
"""
ANSWER = (
    CUT_OFF
    + """
for prompt in ([5, 6, 7], [5, 6, 7, 8]):
    try:
        engine.generate(prompt, max_tokens=9, ignore_eos=True, constraint=cut).text()
    except cm.errors.ModelCorruptError as error:
        print(error)
try:
    engine.logits([5, 6])
except cm.errors.ModelCorruptError as error:
    print(error)
print(engine.model_type)
"""
)
ELSEWHERE = (
    CUT_OFF
    + """
import mmap
scrap = folder / "scrap"
scrap.write_bytes(bytes(1 << 20))
with scrap.open("rb") as opened:
    mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
os.truncate(scrap, 0)
print("before", flush=True)
mapped[1 << 19]
print("after")
"""
)


def run_script(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_weights_cut_off_amid_an_answer_end_that_answer_and_not_the_process(
    own_folder: Path,
) -> None:
    done = run_script(ANSWER, own_folder)
    assert done.returncode == 0, done.stderr
    begin = f"[mmap] {own_folder / 'model.safetensors'} was cut off, or its disk failed,"
    sentence = f"{begin} while it was in use; repair the model and load it again."
    assert done.stdout.splitlines() == [sentence, sentence, sentence, "llama"]


def test_weights_cut_off_between_answers_are_noticed_before_the_next(own_folder: Path) -> None:
    file = own_folder / "model.safetensors"
    size = file.stat().st_size
    with Engine.load(own_folder) as engine:
        engine.generate(ids(3), SHORT).text()
        os.truncate(file, size // 2)
        for call in (lambda: engine.generate(ids(3), SHORT).text(), lambda: engine.logits(ids(3))):
            with pytest.raises(ModelCorruptError) as caught:
                call()
            assert str(caught.value) == (
                f"[mmap] {file} was cut off to {size // 2} of its {size} bytes while it was in "
                "use; repair the model and load it again."
            )


@pytest.mark.parametrize("guard", ["0", "1"])
def test_other_bus_errors_go_to_the_handler_that_was_there(own_folder: Path, guard: str) -> None:
    done = run_script(ELSEWHERE, own_folder, CONVERGIO_MLX_MAPPING_GUARD=guard)
    assert done.returncode == -signal.SIGBUS
    assert done.stdout == "before\n"
    assert "Fatal Python error: Bus error" in done.stderr


def test_the_signal_is_left_alone_where_the_environment_says_so(own_folder: Path) -> None:
    done = run_script(ANSWER, own_folder, CONVERGIO_MLX_MAPPING_GUARD="0")
    assert done.returncode == -signal.SIGBUS


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def mapped_models() -> int:
    with Path("/proc/self/maps").open() as maps:
        return sum("model.safetensors" in line for line in maps)


@pytest.mark.slow
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
    mapped = mapped_models()
    for number in range(150):
        once(number)
    gc.collect()
    native().load(os.fsencode(folder))  # behind it, nothing that was let go of is left to be freed
    assert resident_bytes() - before < 8 << 20
    assert native().memory()[0] <= active + 4096
    assert len(os.listdir("/proc/self/fd")) == files
    assert mapped_models() <= mapped + 4
