"""Builds the extension for macOS arm64 on any machine: zig's clang with MLX's own macOS wheel.

What cannot be run here can at least be compiled, linked and looked at.

    python tools/cross_macos.py build/macos

needs Python, cmake, ninja and nanobind; it fetches ziglang and mlx-metal from the package index.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = "aarch64-macos.14.0"
PLATFORM = "macosx_14_0_arm64"
ZIG = "ziglang==0.15.2"


def mlx_version() -> str:
    """The one version that CMakeLists.txt asks for."""
    found = re.search(
        r"set\(CONVERGIO_MLX_VERSION ([\d.]+)\)", (ROOT / "CMakeLists.txt").read_text()
    )
    if found is None:
        raise SystemExit("[cross_macos] CMakeLists.txt sets no CONVERGIO_MLX_VERSION.")
    return found.group(1)


def fetch(out: Path) -> tuple[Path, Path]:
    """The folders of zig's package and of the macOS MLX, fetched once."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    zig = out / "zig"
    if not zig.exists():
        subprocess.run([*pip, "install", "--target", str(zig), ZIG], check=True)
    mlx = out / "wheel" / "mlx"
    if not mlx.exists():
        wheel = f"mlx-metal=={mlx_version()}"
        options = ["--no-deps", "--only-binary=:all:", "--platform", PLATFORM]
        subprocess.run([*pip, "download", *options, "-d", str(out), wheel], check=True)
        with zipfile.ZipFile(next(out.glob("mlx_metal-*.whl"))) as archive:
            archive.extractall(out / "wheel")
    return zig, mlx


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


def build(out: Path, jobs: int) -> Path:
    """The path of the linked extension."""
    out.mkdir(parents=True, exist_ok=True)
    zig, mlx = fetch(out)
    settings = {
        "CMAKE_SYSTEM_NAME": "Darwin",
        "CMAKE_SYSTEM_PROCESSOR": "arm64",
        "CMAKE_CXX_COMPILER": wrapper(out / "zig-c++", zig, "c++", "-target", TARGET),
        "CMAKE_C_COMPILER": wrapper(out / "zig-cc", zig, "cc", "-target", TARGET),
        "CMAKE_AR": wrapper(out / "zig-ar", zig, "ar"),
        "CMAKE_RANLIB": wrapper(out / "zig-ranlib", zig, "ranlib"),
        "CMAKE_INSTALL_NAME_TOOL": "/bin/true",
        "CMAKE_BUILD_WITH_INSTALL_RPATH": "ON",
        "CMAKE_OSX_SYSROOT": "",
        "CONVERGIO_MLX_ROOT": mlx,
        "Python_EXECUTABLE": sys.executable,
    }
    tree = out / "build"
    options = [f"-D{key}={value}" for key, value in settings.items()]
    subprocess.run(["cmake", "-S", str(ROOT), "-B", str(tree), "-G", "Ninja", *options], check=True)
    subprocess.run(
        ["cmake", "--build", str(tree), "--target", "_native", "-j", str(jobs)], check=True
    )
    return next(tree.glob("_native*.so"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the folder to build in")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    print(build(arguments.out.resolve(), arguments.jobs))


if __name__ == "__main__":
    main()
