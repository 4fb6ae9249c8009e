"""What the doctor finds, and what it ends with."""

import getpass
import json
import math
import platform
import shutil
from pathlib import Path

import pytest

from cli.program import PROGRAM, Run
from convergio_mlx.cli import exits
from convergio_mlx.cli.doctor import checks, report
from convergio_mlx.platform.hardware.detect import detect
from convergio_mlx.platform.machine import Availability
from convergio_mlx.store.receipt import NAME, Receipt, ReceiptFile, now


def findings(found) -> dict[str, list[dict[str, str]]]:  # type: ignore[no-untyped-def]
    by_subject: dict[str, list[dict[str, str]]] = {}
    for one in json.loads(found.stdout):
        by_subject.setdefault(one["subject"], []).append(one)
    return by_subject


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def install(home: Path, models: Path, name: str) -> Path:
    folder = home / "models" / "mlx" / name
    shutil.copytree(models / "words", folder)
    files = [ReceiptFile(path.name, path.stat().st_size, "0" * 64) for path in folder.iterdir()]
    receipt = Receipt(name, "folder", None, None, now(), tuple(files))
    (folder / "receipt.json").write_bytes(receipt.text())
    return folder


def test_a_sound_machine(run: Run, home: Path) -> None:
    found = run("doctor", CONVERGIO_HOME=str(home))
    assert (found.returncode, found.stderr) == (0, b"")
    lines = found.stdout.decode().splitlines()
    assert all(line[:6] in {"ok    ", "note  ", "      "} for line in lines)
    assert any(line.startswith("ok    MLX            0.") for line in lines)
    assert "ok    answers        convergio-guide answered with 8 tokens" in lines
    assert not home.exists()


def test_json(run: Run, home: Path, models: Path) -> None:
    install(home, models, "sound")
    found = findings(run("doctor", "--json", "--offline", CONVERGIO_HOME=str(home)))
    assert found["model"][0]["text"].startswith("sound, ")
    assert found["network"][0]["text"] == "not used: offline mode"
    assert set(found["memory"][0]) == {"subject", "state", "text", "remedy"}


def test_what_is_wrong_with_the_store(run: Run, home: Path, models: Path) -> None:
    (install(home, models, "cut") / "model.safetensors").write_bytes(b"x")
    (install(home, models, "gone") / "tokenizer.json").unlink()
    (install(home, models, "torn") / NAME).write_text("{")
    shutil.copytree(models / "words", home / "models" / "mlx" / "byhand")
    result = run("doctor", "--json", CONVERGIO_HOME=str(home))
    assert result.returncode == exits.FAILURE
    said = {
        one["text"].partition(":")[0]: (one["state"], one["remedy"])
        for one in findings(result)["model"]
    }
    assert said == {
        name: ("failure", f"convergio-mlx models repair {name}") for name in ("cut", "gone", "torn")
    } | {"byhand": ("warning", None)}


def test_a_default_model_that_is_not_here(run: Run, home: Path) -> None:
    home.mkdir()
    (home / "config.json").write_text('{"default_model": "llama-3.2-1b", "offline": 3}')
    result = run("doctor", "--json", CONVERGIO_HOME=str(home))
    assert result.returncode == exits.FAILURE
    found = findings(result)
    assert found["default model"][0]["remedy"] == "convergio-mlx models download llama-3.2-1b"
    assert found["configuration"][0]["state"] == "warning"


def test_a_machine_where_mlx_cannot_run(run: Run, home: Path) -> None:
    code = (
        "import sys; sys.modules['convergio_mlx._native'] = None;"
        "from convergio_mlx.cli import main; main()"
    )
    result = run("doctor", "--json", command=[PROGRAM[0], "-c", code], CONVERGIO_HOME=str(home))
    assert result.returncode == exits.UNAVAILABLE
    found = findings(result)
    assert found["MLX"][0]["state"] == "failure"
    assert found["disk"][0]["state"] in {"ok", "warning"}


def test_kernels_that_are_left_alone_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Native:
        def __init__(self, said: str) -> None:
            self.gpu_kernels = lambda: said

    def of(backend: str, said: str) -> list[checks.Finding]:
        monkeypatch.setattr(checks, "native", lambda: Native(said))
        found = checks._gpu(detect(), Availability(True, backend, ()))
        return [one for one in found if one.subject == "GPU kernels"]

    drawn = "tokens are drawn by MLX's operations, not by our kernels:"
    monkeypatch.delenv("CONVERGIO_MLX_GPU_KERNELS", raising=False)
    assert of("metal", "used") == of("cpu", "MLX computes on a CPU") == []
    (failed,) = of("metal", "error:\n no such name")
    assert (failed.state, failed.text) == ("warning", f"{drawn} error: no such name")
    assert failed.remedy == "convergio-mlx doctor --report makes a file to attach to an issue"
    monkeypatch.setenv("CONVERGIO_MLX_GPU_KERNELS", "0")
    (asked,) = of("metal", "CONVERGIO_MLX_GPU_KERNELS is 0")
    assert (asked.state, asked.text) == ("ok", f"{drawn} CONVERGIO_MLX_GPU_KERNELS is 0")
    assert asked.remedy == "unset CONVERGIO_MLX_GPU_KERNELS to have them tried"


def test_a_report_has_what_a_machine_does_and_nothing_of_its_owner(
    run: Run, home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    found = run("doctor", "--report", str(path), CONVERGIO_HOME=str(home))
    assert (found.returncode, found.stderr) == (0, b"")
    text = path.read_text()
    said = json.loads(text)
    assert said["versions"]["backend"] in {"cpu", "metal", "cuda"}
    assert said["numbers"]["finite"]
    assert said["numbers"]["apart_from_our_kernels"] < 0.02 * said["numbers"]["largest"]
    assert said["numbers"]["apart_from_operations_of_mlx"] < 0.02 * said["numbers"]["largest"]
    assert said["mapping"]["weights"] > 0
    if said["versions"]["backend"] == "cpu":
        assert said["gpu_kernels"] == "MLX computes on a CPU"
    assert said["speed"]["greedy_tokens_per_second"] > 0
    assert not [name for name, part in said.items() if "failed" in part]
    for personal in (str(Path.home()), str(tmp_path), platform.node(), getpass.getuser()):
        assert len(personal) < 5 or personal not in text


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_a_report_of_numbers_that_are_none_is_json(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, odd: float
) -> None:
    for name in ("_mapping", "_speed"):
        monkeypatch.setattr(report, name, dict)
    monkeypatch.setattr(report, "_logits", lambda environment: [1.0, 3.0 if environment else odd])
    path = tmp_path / "report.json"
    report.write(path)
    said = json.loads(path.read_text(), parse_constant=pytest.fail)
    apart = {f"apart_from_{name}": None for name in ("our_kernels", "operations_of_mlx")}
    assert said["numbers"] == {"finite": False, "largest": None, "likeliest": [0], **apart}


def test_a_report_that_cannot_be_written(run: Run, home: Path, tmp_path: Path) -> None:
    path = tmp_path / "no" / "report.json"
    found = run("doctor", "--report", str(path), CONVERGIO_HOME=str(home))
    assert found.returncode != 0
    assert b"name another file." in found.stderr
