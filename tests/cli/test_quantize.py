"""`convergio-mlx models quantize` and the formats that `models info` shows."""

import json
from pathlib import Path

import pytest

from cli.program import Run
from convergio_mlx.cli import exits
from convergio_mlx.cli.models import quantize
from convergio_mlx.convert.recipes import RECIPES
from convergio_mlx.platform.native import native
from store.test_quantize import floats


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return floats(tmp_path / "My-Model-bf16")


def test_from_floats_to_an_installed_model(run: Run, source: Path, tmp_path: Path) -> None:
    home = {"CONVERGIO_HOME": str(tmp_path / "home")}
    text = tmp_path / "text.txt"
    text.write_text("The weather is fine today, and the model is small. " * 8)
    done = run("models", "quantize", str(source), "--measure", str(text), **home)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    here = tmp_path / "home" / "models" / "mlx" / "my-model-4bit"
    assert lines[0].startswith("my-model-4bit is installed: ")
    assert lines[0].endswith(f" in {here}")
    assert lines[1].startswith("affine, 4 bits, groups of 64: ")
    assert lines[1].endswith(" bits per weight")
    assert lines[2].startswith("perplexity of ")
    assert " before, " in lines[2]

    shown = run("models", "info", "my-model-4bit", **home).stdout.decode().splitlines()
    assert shown[-2].split()[:2] == ["tensors", "15"]
    assert "affine, 4 bits, groups of 64" in shown[-2]
    assert shown[-1].split()[:2] == ["5", "bfloat16"]
    assert any("quantized (affine, 4 bits, groups of 64)" in line for line in shown)


def test_json_and_a_folder_of_its_own(run: Run, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    done = run(
        *("models", "quantize", str(source), "--output", str(out), "--recipe", "mixed_3_6"),
        *("--group-size", "32", "--json"),
    )
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["id"], made["folder"], made["how"]) == (
        *(None, str(out)),
        "mixed_3_6, groups of 32",
    )
    assert made["perplexity"] is None
    info = json.loads(run("models", "info", str(out), "--json").stdout)
    kinds = {one["kind"] for one in info["formats"]}
    assert kinds == {"affine, 3 bits, groups of 32", "affine, 6 bits, groups of 32", "bfloat16"}
    plain = run("models", "info", str(out)).stdout.decode()
    assert plain.startswith("folder ")


def test_what_is_wrong_is_said_before_any_work(run: Run, source: Path, tmp_path: Path) -> None:
    done = run("models", "quantize", str(source), "--measure", str(tmp_path / "nothing"))
    assert done.returncode == exits.USAGE
    assert done.stderr.decode().startswith("error: [quantize] the text ")
    done = run("models", "quantize", str(source), "--bits", "7")
    assert done.returncode == exits.USAGE
    assert "[quantize] bits is 7" in done.stderr.decode()
    done = run("models", "quantize", "convergio-guide")
    assert "is quantized already" in done.stderr.decode()


def test_the_choices_are_those_that_there_are() -> None:
    assert list(quantize._MODES) == [row[0] for row in native().quantization_formats()]
    assert list(quantize._RECIPES) == list(RECIPES)


@pytest.mark.parametrize("model", ["/nowhere/at/all", "no-such-model"])
def test_info_of_what_is_not_there(run: Run, model: str) -> None:
    assert run("models", "info", model).returncode == exits.MODEL
