"""The kernels for 64-bit Arm under qemu: each against MLX's own ops, on every instruction set."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from distribution.builds import ROOT, takes_minutes

pytestmark = [takes_minutes, pytest.mark.timeout(3600)]


@pytest.mark.skipif(platform.machine() == "aarch64", reason="this machine is one: tests/native")
@pytest.mark.skipif(
    not (shutil.which("aarch64-linux-gnu-g++") and shutil.which("qemu-aarch64")),
    reason="needs Debian's g++-aarch64-linux-gnu and qemu-user",
)
def test_the_kernel_tests_pass(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "cross_aarch64.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert re.search(r"^\d{2,} passed, 0 failed$", done.stdout, re.MULTILINE)
