"""The source distribution holds what the repository does, but for what serves its hosting."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from distribution.builds import ROOT

pytestmark = pytest.mark.slow  # it is built

LEFT_OUT = (".ci/", ".github/", ".gitignore")


def test_it_holds_every_file_of_the_repository(sdist: Path) -> None:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("needs a git checkout")
    kept = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}
    with tarfile.open(sdist) as archive:
        held = {member.name.split("/", 1)[1] for member in archive.getmembers() if member.isfile()}
    assert held == {name for name in kept if not name.startswith(LEFT_OUT)} | {"PKG-INFO"}


def test_it_is_small(sdist: Path) -> None:
    assert sdist.stat().st_size < 12e6  # 8 in November 2026; an index takes 100
