"""A frozen program renders chat templates by starting itself again. Frozen here is a script under a
name of its own, as nothing but a program that is really frozen has another `sys.executable`;
tests/distribution/test_frozen.py freezes one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from convergio_mlx.text import frozen

HEAD = """
import os
import sys

sys.frozen, sys.executable = {frozen!r}, {executable!r}
import convergio_mlx as cm
{call}
from convergio_mlx.errors import TokenizerError
from convergio_mlx.text import template_process
from convergio_mlx.text.chat_template import ChatTemplate
try:
    print(ChatTemplate("{{{{ messages[0].content }}}}!").render([
        {{"role": "user", "content": "Hi"}}
    ]))
    print(template_process._idle[0]._process.args == [{program!r}, sys.argv[0]])
except TokenizerError as error:
    print(str(error).split(" (")[0])
"""


def program(folder: Path, *, kind: object, call: str, executable: str | None = None) -> Path:
    """An executable file that runs the script above as if it were the program."""
    path = folder / "program"
    script = HEAD.format(
        frozen=kind, executable=executable or str(path), program=str(path), call=call
    ).replace("sys.argv[0]]", "'--convergio-mlx-render-templates']")
    (folder / "script.py").write_text(script)
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {folder / "script.py"} "$@"\n')
    path.chmod(0o755)
    return path


def output(path: Path, **environment: str) -> list[str]:
    done = subprocess.run(
        [path], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_a_frozen_program_starts_itself_again(tmp_path: Path) -> None:
    path = program(tmp_path, kind=True, call="cm.freeze_support()")
    assert output(path) == ["Hi!", "True"]


def test_py2app_says_in_the_environment_which_program_it_is(tmp_path: Path) -> None:
    path = program(
        tmp_path, kind="macosx_app", call="cm.freeze_support()", executable=sys.executable
    )
    assert output(path, EXECUTABLEPATH=str(path)) == ["Hi!", "True"]


def test_one_that_does_not_say_so_cannot(tmp_path: Path) -> None:
    path = program(tmp_path, kind=True, call="")
    assert output(path) == [
        "[chat_template] no process can be started to render the model's template"
    ]


def test_another_interpreter_may_be_named(tmp_path: Path) -> None:
    path = program(tmp_path, kind=True, call="cm.freeze_support()")
    assert output(path, CONVERGIO_MLX_PYTHON=sys.executable) == ["Hi!", "False"]


def test_outside_of_frozen_programs_it_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["program", "--convergio-mlx-render-templates"])
    frozen.freeze_support()
    assert frozen.command() is None
