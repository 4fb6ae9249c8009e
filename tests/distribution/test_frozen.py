"""A program that PyInstaller froze answers without Python, this package or its sources: the
embedded model, a model of another folder, whose template a process of its own renders, and JSON."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import convergio_mlx as cm
from distribution.builds import ROOT, takes_minutes

pytest.importorskip("PyInstaller")

PROGRAM = """
import json
import sys

import convergio_mlx as cm

QUESTION = "Which model fits in 8 GB of memory?"
SETTINGS = {"max_tokens": 40, "temperature": 0.0}
SCHEMA = {
    "type": "object",
    "properties": {"fits": {"type": "boolean"}, "gigabytes": {"enum": [1, 2, 4, 8]}},
    "required": ["fits", "gigabytes"],
    "additionalProperties": False,
}
print(cm.chat("convergio-guide", QUESTION, **SETTINGS).text)
with cm.Engine.load(sys.argv[1]) as engine:
    chat = [{"role": "user", "content": QUESTION}]
    print(engine.generate(chat, cm.SamplingParams(**SETTINGS)).text())
print(json.loads(cm.chat(
    "convergio-guide", QUESTION, max_tokens=200, temperature=0.0,
    response_format={"type": "json_schema", "json_schema": {"name": "it", "schema": SCHEMA}},
).text))
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("host") / "host.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that did not come with the package."""
    return shutil.copytree(
        Path(cm.__file__).parent / "guide", tmp_path_factory.mktemp("models") / "another"
    )


@pytest.fixture(scope="module")
def wanted(program: Path, model: Path) -> str:
    """What the program prints when Python runs it."""
    done = subprocess.run(
        [sys.executable, program, model],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd="/",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 3
    return done.stdout


@takes_minutes
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("form", ["--onedir", "--onefile"])
def test_a_frozen_program_answers(
    form: str, program: Path, model: Path, wanted: str, tmp_path: Path
) -> None:
    options = ["--log-level", "WARN", "--distpath", tmp_path / "dist", "--workpath", tmp_path / "w"]
    command = [sys.executable, "-m", "PyInstaller", form, *options, "--specpath", tmp_path, program]
    built = subprocess.run(
        command, capture_output=True, text=True, timeout=1800, check=False, cwd=tmp_path
    )
    assert built.returncode == 0, built.stderr[-4000:]
    moved = (tmp_path / "dist").rename(tmp_path / "elsewhere")
    executable = moved / "host" / "host" if form == "--onedir" else moved / "host"
    empty = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [executable, model],
        env=empty,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd="/",
    )
    assert (done.returncode, done.stdout) == (0, wanted), done.stderr
    held = [path for path in moved.rglob("*") if path.is_file()]
    if form == "--onedir":
        assert not [path for path in held if path.suffix in {".h", ".cmake", ".py"}]
    assert sum(path.stat().st_size for path in held if not path.is_symlink()) < 400e6


def test_the_recipe_is_the_one_that_is_told() -> None:
    """One word beside the program's name: the package brings the rest."""
    assert "\npyinstaller app.py\n" in (ROOT / "docs" / "mac.md").read_text()
    assert os.path.exists(Path(cm.__file__).parent / "pyinstaller" / "hook-convergio_mlx.py")
