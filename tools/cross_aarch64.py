"""Builds the kernels and their C++ tests for Linux on 64-bit Arm, and runs them on any machine.

    python tools/cross_aarch64.py build/aarch64

needs cmake, ninja, and Debian's g++-aarch64-linux-gnu and qemu-user; it fetches MLX's wheel from
the package index. The emulated processor has every extension that qemu knows (`-cpu max`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
from pathlib import Path

from foreign import ROOT, fetch_mlx

TRIPLE = "aarch64-linux-gnu"
PLATFORM = "manylinux_2_35_aarch64"
SYSROOT = Path("/usr") / TRIPLE  # where Debian's cross compiler keeps the other machine's libraries
TEST = "test_kernels"


def build(out: Path, jobs: int) -> Path:
    """The path of the linked test program."""
    out.mkdir(parents=True, exist_ok=True)
    settings = {
        "CMAKE_SYSTEM_NAME": "Linux",
        "CMAKE_SYSTEM_PROCESSOR": "aarch64",
        "CMAKE_CXX_COMPILER": f"{TRIPLE}-g++",
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_BUILD_RPATH": SYSROOT / "lib",  # of libstdc++, which libmlx.so asks for too
        "CONVERGIO_MLX_ROOT": fetch_mlx("mlx-cpu", PLATFORM, out),
        "CONVERGIO_PYTHON": "OFF",
        "CONVERGIO_TESTS": "ON",
    }
    tree = out / "build"
    options = [f"-D{key}={value}" for key, value in settings.items()]
    subprocess.run(["cmake", "-S", ROOT, "-B", tree, "-G", "Ninja", *options], check=True)
    subprocess.run(["cmake", "--build", tree, "--target", TEST, "-j", str(jobs)], check=True)
    return tree / "tests" / "native" / TEST


def environment(out: Path) -> dict[str, str]:
    """What the emulated program runs in: MLX compiles chains of operations by the `g++` that it
    finds, which has to be the other machine's, and keeps them in the temporary folder, where those
    of this machine may lie."""
    programs, temporary = out / "bin", out / "tmp"
    programs.mkdir(exist_ok=True)
    temporary.mkdir(exist_ok=True)
    compiler = programs / "g++"
    compiler.write_text(f'#!/bin/sh\nexec {TRIPLE}-g++ "$@"\n')
    compiler.chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "TMPDIR": str(temporary)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder to build in")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cpu", default="max", help="qemu's name of the processor (max)")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    program = build(out, arguments.jobs)
    emulated = ["qemu-aarch64", "-cpu", arguments.cpu, "-L", str(SYSROOT), str(program)]
    raise SystemExit(subprocess.run(emulated, env=environment(out), check=False).returncode)


if __name__ == "__main__":
    main()
