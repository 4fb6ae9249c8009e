"""Builds of the C++ tests under sanitizers, kept in build/native from run to run; and the names of
the tests, which are read from the sources so that a test run can be listed without a build.
"""

from __future__ import annotations

import fcntl
import functools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ENVIRONMENT = {
    **os.environ,
    # A reader of small inputs that asks for more than this asks without bound.
    "ASAN_OPTIONS": "max_allocation_size_mb=256:detect_leaks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:abort_on_error=1",
    "TSAN_OPTIONS": f"halt_on_error=1:suppressions={HERE / 'tsan.supp'}",
}


@dataclass(frozen=True)
class Build:
    """One way to build: its sanitizers, and the executables it is asked for."""

    name: str
    sanitizers: str
    unit_tests: tuple[str, ...]
    fuzz_targets: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    needs_mlx: bool = False
    optimization: str = "-O1"

    def __str__(self) -> str:
        return self.name

    @property
    def executables(self) -> tuple[str, ...]:
        return (*self.unit_tests, *(f"fuzz_{name}" for name in self.fuzz_targets), *self.tools)


ADDRESS = Build(
    "address",
    "address,undefined",
    unit_tests=("test_formats", "test_io", "test_engine", "test_cpu"),
    fuzz_targets=("json", "header", "gguf", "index", "config", "spec"),
    tools=("fuzz_canary", "verdict"),
    optimization="-O0",  # half a minute to build instead of one and a half
)
THREAD = Build("thread", "thread", unit_tests=("test_engine", "test_cpu"))
# MLX itself is not instrumented: what our code does to its arrays is seen, what MLX does is not.
MLX = Build(
    "mlx",
    "address,undefined",
    unit_tests=("test_model", "test_engine_mlx", "test_kernels", "test_gpu", "test_gpu_draws"),
    needs_mlx=True,
)
# Without sanitizers, for the test that draws a million times where it can.
FAST = Build(
    "fast",
    "",
    unit_tests=("test_gpu_draws",),
    needs_mlx=True,
    optimization="-O2",
)
BUILDS = (ADDRESS, THREAD, MLX, FAST)
# What counts and computes nothing, and benchmarks that nobody measures with: without sanitizers,
# built in a fraction of the time.
COUNTS = Build(
    "counts",
    "",
    unit_tests=(),
    tools=("count_primitives", "kernel_benches"),
    needs_mlx=True,
    optimization="-O0",
)


@functools.cache
def names_in(executable: str) -> tuple[str, ...]:
    """The names of an executable's TESTs, in the order in which its sources have them."""
    for listing in sorted(HERE.rglob("CMakeLists.txt")):
        declared = rf"convergio_native_test\(\s*{executable}\s([^)]*)\sLIBS"
        if found := re.search(declared, listing.read_text("utf-8")):
            files = [listing.parent / word for word in found[1].split() if word[0] != "$"]
            sources = [file.read_text("utf-8") for file in files]
            return tuple(
                name for text in sources for name in re.findall(r"^TEST\((\w+)\)", text, re.M)
            )
    raise AssertionError(f"no CMakeLists.txt of {HERE} declares {executable}")


def tool(name: str) -> str:
    """Path of a program beside this interpreter or on PATH; skips the test without it."""
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    found = beside or shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}")
    return found


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The finished command, with stdout and stderr together in its stdout."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


@functools.cache
def built(build: Build) -> Path:
    """The folder with the executables of `build`, which one process at a time brings up to date."""
    folder = ROOT / "build" / "native" / build.name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _build(build, folder)
    return folder / "tests" / "native"


def _build(build: Build, folder: Path) -> None:
    configured = run(
        tool("cmake"),
        *("-S", ROOT, "-B", folder, "-G", "Ninja"),
        f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}",
        "-DCMAKE_BUILD_TYPE=Debug",
        f"-DCMAKE_CXX_FLAGS_DEBUG={build.optimization} -g1 -D_GLIBCXX_ASSERTIONS",
        f"-DCMAKE_CXX_COMPILER_LAUNCHER={shutil.which('ccache') or ''}",
        f"-DCONVERGIO_SANITIZE={build.sanitizers}",
        f"-DCONVERGIO_MLX={'ON' if build.needs_mlx else 'OFF'}",
        f"-DPython_EXECUTABLE={sys.executable}",
        "-DCONVERGIO_PYTHON=OFF",
        "-DCONVERGIO_WERROR=ON",
        "-DCONVERGIO_TESTS=ON",
    )
    assert configured.returncode == 0, configured.stdout
    made = run(tool("ninja"), "-C", folder, "-j2", *build.executables)
    assert made.returncode == 0, made.stdout
