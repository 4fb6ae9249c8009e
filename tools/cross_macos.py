"""Builds the wheel for macOS arm64 on any machine: zig's clang with MLX's own macOS wheel.

What cannot be run here can at least be compiled, linked, packed and looked at.

    python3.12 tools/cross_macos.py build/macos

needs Python 3.12 or newer (the wheel serves them all) with pip; it fetches ziglang, mlx-metal and
what pyproject.toml builds with from the package index.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from foreign import PIP, ROOT, fetch_mlx

TARGET = "aarch64-macos.14.0"
PLATFORM = "macosx_14_0_arm64"
ZIG = "ziglang==0.15.2"


def fetch_zig(out: Path) -> Path:
    """The folder with zig's package, fetched once."""
    zig = out / "zig"
    if not zig.exists():
        subprocess.run([*PIP, "install", "--target", str(zig), ZIG], check=True)
    return zig


def wrapper(path: Path, zig: Path, *command: str) -> Path:
    """A program for cmake, which takes no compiler of several words.

    zig's linker reads no response files, which nanobind lists Python's symbols in (they may stay
    undefined instead, as the interpreter brings them), and makes no bundles (a dylib loads too).
    """
    path.write_text(
        f"""#!{sys.executable}
import os, sys
instead = {{"-bundle": "-shared"}}
arguments = [
    "-Wl,-undefined,dynamic_lookup" if a.startswith("-Wl,@") else instead.get(a, a)
    for a in sys.argv[1:]
]
os.environ["PYTHONPATH"] = {str(zig)!r}
os.execv(sys.executable, [sys.executable, "-m", "ziglang", *{list(command)!r}, *arguments])
"""
    )
    path.chmod(0o755)
    return path


def build(out: Path) -> Path:
    """The path of the wheel."""
    if sys.version_info < (3, 12):
        raise SystemExit(
            f"[cross_macos] this is Python {sys.version_info.major}.{sys.version_info.minor}; run "
            "it with 3.12 or newer, whose stable ABI the wheel is made for."
        )
    out.mkdir(parents=True, exist_ok=True)
    zig = fetch_zig(out)
    settings = {
        "CMAKE_SYSTEM_NAME": "Darwin",
        "CMAKE_OSX_DEPLOYMENT_TARGET": "14.0",
        "CMAKE_SYSTEM_PROCESSOR": "arm64",
        "CMAKE_CXX_COMPILER": wrapper(out / "zig-c++", zig, "c++", "-target", TARGET),
        "CMAKE_C_COMPILER": wrapper(out / "zig-cc", zig, "cc", "-target", TARGET),
        "CMAKE_AR": wrapper(out / "zig-ar", zig, "ar"),
        "CMAKE_RANLIB": wrapper(out / "zig-ranlib", zig, "ranlib"),
        "CMAKE_INSTALL_NAME_TOOL": "/bin/true",
        "CMAKE_BUILD_WITH_INSTALL_RPATH": "ON",
        "CMAKE_OSX_SYSROOT": "",
        "CMAKE_SHARED_LIBRARY_RUNTIME_CXX_FLAG": "-Wl,-rpath,",  # cmake 3.25 asks a Mac's sw_vers
        "CONVERGIO_MLX_ROOT": fetch_mlx("mlx-metal", PLATFORM, out),
    }
    options = [f"--config-settings=cmake.define.{key}={value}" for key, value in settings.items()]
    options += [
        f"--config-settings=build-dir={out / 'build'}",
        "--config-settings=install.strip=false",  # strip knows this machine's format alone
        f"--config-settings=env._PYTHON_HOST_PLATFORM={PLATFORM}",
    ]
    wheels = out / "dist"
    subprocess.run([*PIP, "wheel", "--no-deps", "-w", str(wheels), *options, str(ROOT)], check=True)
    return next(wheels.glob(f"*-{PLATFORM}.whl"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder to build in")
    print(build(parser.parse_args().out.resolve()))


if __name__ == "__main__":
    main()
