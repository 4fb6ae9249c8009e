"""`convergio-mlx models import --from …`: the list, an import, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest

import checkpoints
from arch.variants import tiny
from cli.program import Run
from cli.terminal import Open
from convergio_mlx.cli import exits
from convergio_mlx.cli.models import import_
from convergio_mlx.store.elsewhere.taking import _LOOK
from convert import gguf_files
from store.models import GUIDE
from store.other_programs import Ollama


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user with two models of LM Studio's, one of them broken, and one of Ollama's."""
    top = tmp_path / ".lmstudio" / "models"
    shutil.copytree(GUIDE, top / "mlx-community" / "Guide-4bit")
    shutil.copytree(GUIDE, top / "someone" / "A-Model-With-Quite-A-Long-Name-That-Is-Broken")
    (top / "someone" / "A-Model-With-Quite-A-Long-Name-That-Is-Broken" / "tokenizer.json").unlink()
    (top / "someone" / "Lost").mkdir()
    (top / "someone" / "Lost" / "x.gguf").symlink_to("nowhere")
    ollama = Ollama(tmp_path / ".ollama" / "models")
    ollama.pull("registry.ollama.ai/library/cloudy/latest")
    config = {**tiny("llama"), "vocab_size": 64}
    path = gguf_files.write_model(tmp_path / "m.gguf", config, checkpoints.weights(config))
    ollama.pull("registry.ollama.ai/library/tiny/latest", ollama.layer("model", path.read_bytes()))
    return {"HOME": str(tmp_path), "CONVERGIO_HOME": str(tmp_path / "home"), "OLLAMA_MODELS": ""}


def test_the_list_and_an_import(run: Run, environment: dict[str, str], tmp_path: Path) -> None:
    done = run("models", "import", "--from", "lmstudio", **environment)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines[0].split() == ["MODEL", "SIZE", "IMPORT"]
    assert lines[1].split()[:4] == ["mlx-community/Guide-4bit", "2", "MB", "yes;"]
    assert lines[2].endswith("  no: it has no tokenizer.json")
    assert done.stderr.decode().startswith("warning: ")
    found = json.loads(
        run("models", "import", "--from", "lmstudio", "--json", **environment).stdout
    )
    assert [one["importable"] for one in found["models"]] == [True, False]
    assert found["models"][0]["fit"]["verdict"] == "fits"
    assert found["folders"] == [str(tmp_path / ".lmstudio" / "models")]
    done = run("models", "import", "--from", "lmstudio", "mlx-community/Guide-4bit", **environment)
    assert done.stdout.decode().startswith("guide-4bit is installed: ")
    done = run("models", "import", "--from", "ollama", "cloudy", "--id", "x", **environment)
    assert done.returncode == exits.MODEL
    assert "has no weights on this machine" in done.stderr.decode()
    lines = run("models", "import", "--from", "ollama", **environment).stdout.decode().splitlines()
    assert "yes, converted; fits, all" in lines[2]
    done = run("models", "import", "--from", "ollama", "tiny", **environment)
    assert done.stdout.decode().startswith("tiny is installed: ")


def test_the_list_keeps_to_the_terminal(terminal: Open, environment: dict[str, str]) -> None:
    screen = terminal("models", "import", "--from", "lmstudio", columns=80, **environment)
    assert screen.finish() == exits.OK
    assert "A-Model-With-Quite-A-Long-Name" in screen.shown
    lines = [line for line in screen.shown.splitlines() if ".lmstudio" not in line]
    assert max(map(len, lines)) <= 80


def test_what_is_missing(run: Run, environment: dict[str, str]) -> None:
    for arguments in ([], ["--id", "x"], ["--from", "ollama", "--id", "x"]):
        done = run("models", "import", *arguments, **environment)
        assert done.returncode == exits.USAGE
        assert b"the following arguments are required: SOURCE" in done.stderr
    assert run("models", "import", "--from", "x", **environment).returncode == exits.USAGE
    assert (
        b"has no models here"
        in run("models", "import", "--from", "huggingface", **environment).stdout
    )


def test_the_choices_are_the_programs() -> None:
    assert tuple(_LOOK) == import_.PROGRAMS
