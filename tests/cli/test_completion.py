"""What a shell offers, asked of the shells themselves."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.program import ENVIRONMENT, PROGRAM, Run
from convergio_mlx.cli import exits


@pytest.fixture
def shell(run: Run, models: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Asks a shell, which finds the program on its path: `shell(name, script)`, its lines."""
    program = tmp_path / "bin" / "convergio-mlx"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m convergio_mlx "$@"\n')
    program.chmod(0o755)

    def ask(name: str, script: str) -> list[str]:
        if shutil.which(name) is None:
            pytest.skip(f"needs {name}")
        completion = tmp_path / f"completion.{name}"
        completion.write_bytes(run("completion", name).stdout)
        path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [name, "-c", script.replace("FILE", str(completion))],
            capture_output=True,
            check=False,
            env={**ENVIRONMENT, "PATH": path, "HOME": str(tmp_path)},
            timeout=600,
            cwd=models,
        )
        assert done.stderr == b""
        return done.stdout.decode().splitlines()

    return ask


CASES = [
    ("ch", {"chat"}),
    ("chat --temp", {"--temperature"}),
    ("--offline com", {"complete", "completion"}),
    ("chat -m convergio-g", {"convergio-guide"}),
    ("-m convergio-g", {"convergio-guide"}),
    ("--model three do", {"doctor"}),
    ("completion ", {"bash", "zsh", "fish"}),
    ("help mo", {"models"}),
    ("--provider ", {"mlx"}),
    ("chat --seed ", set()),
    ("chat ", set()),
    ("models import wor", {"words/"}),
    ("models info qwen3-0", {"qwen3-0.6b"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "offered"), CASES)
def test_bash(shell, typed: str, offered: set[str]) -> None:  # type: ignore[no-untyped-def]
    found = shell(
        "bash",
        f"source FILE; COMP_LINE='convergio-mlx {typed}'; COMP_POINT=${{#COMP_LINE}}; "
        "COMP_TYPE=9; _python_argcomplete convergio-mlx; "
        'printf "%s\\n" "${COMPREPLY[@]}"',
    )
    assert {word.strip() for word in found if word} == offered


@pytest.mark.parametrize(("typed", "offered"), CASES)
def test_fish(shell, typed: str, offered: set[str]) -> None:  # type: ignore[no-untyped-def]
    found = shell("fish", f"source FILE; complete -C 'convergio-mlx {typed}'")
    assert {line.partition("\t")[0] for line in found} >= offered


def test_zsh(shell) -> None:  # type: ignore[no-untyped-def]
    found = shell(
        "zsh", "autoload -U compinit; compinit -D -u; source FILE; print $_comps[convergio-mlx]"
    )
    assert found == ["_python_argcomplete"]


def test_without_argcomplete_it_says_what_to_install(run: Run) -> None:
    hidden = "import sys; sys.modules['argcomplete'] = None"
    code = f"{hidden}; from convergio_mlx.cli import main; main()"
    found = run("completion", "bash", command=[PROGRAM[0], "-c", code])
    assert found.returncode == exits.UNAVAILABLE
    assert found.stdout == b""
    assert b"[completion] argcomplete is not installed; run `pip install argcomplete`." in (
        found.stderr
    )
