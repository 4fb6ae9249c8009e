"""Measures how much of the Python and C++ code the tests run.

    python tools/coverage.py build/coverage

needs what the tests need, and gcov (of the compiler in use). It builds the extension and the C++
tests with counters, in a copy of the package beside them, runs all tests, and prints a line for
each language; build/coverage/python and build/coverage/cpp hold the pages.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, **changes: str) -> int:
    """The exit code of a command in the root of the project."""
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=ROOT, env={**os.environ, **changes}, check=False).returncode


def build(tree: Path, package: Path) -> None:
    """Counting builds of extension and C++ tests; the package with that extension in `package`."""
    settings = {
        "CMAKE_BUILD_TYPE": "Debug",
        "CMAKE_CXX_FLAGS_DEBUG": "-O1 --coverage",
        "CMAKE_EXE_LINKER_FLAGS": "--coverage",
        "CMAKE_MODULE_LINKER_FLAGS": "--coverage",
        "CONVERGIO_TESTS": "ON",
        "Python_EXECUTABLE": sys.executable,
        "SKBUILD_SABI_VERSION": "3.12",
    }
    options = [f"-D{key}={value}" for key, value in settings.items()]
    if run("cmake", "-S", ROOT, "-B", tree, "-G", "Ninja", *options):
        raise SystemExit("[coverage] cmake failed, as above.")
    ask = ["ctest", "--test-dir", str(tree), "--show-only=json-v1"]
    listed = subprocess.run(ask, check=True, stdout=subprocess.PIPE)
    tests = [test["name"] for test in json.loads(listed.stdout)["tests"]]
    if run("cmake", "--build", tree, "--target", "_native", *tests):
        raise SystemExit("[coverage] the build failed, as above.")
    skip = shutil.ignore_patterns("_native*.so", "__pycache__")
    shutil.copytree(ROOT / "python", package, ignore=skip, dirs_exist_ok=True)
    inside = package / "convergio_mlx"
    shutil.copy(next(tree.glob("_native*.so")), inside)
    shutil.copy(tree / "_mlx_version.py", inside)
    shutil.copy(ROOT / "models.json", inside)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder to build and report in")
    parser.add_argument("tests", nargs="*", default=["tests"], help="what pytest runs (all)")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    tree, package = out / "tree", out / "package"
    build(tree, package)
    codes = [run("ctest", "--test-dir", tree, "--output-on-failure")]
    settings = out / "coveragerc"
    settings.write_text(
        f"[run]\nsource = {package / 'convergio_mlx'}\nparallel = true\npatch = subprocess\n"
        f"data_file = {out / 'data'}\n[report]\nexclude_also =\n    if TYPE_CHECKING:\n"
    )
    coverage = [sys.executable, "-m", "coverage"]
    rc = f"--rcfile={settings}"
    codes.append(
        run(
            *(*coverage, "run", rc, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(f"--rootdir={ROOT}", *arguments.tests),
            PYTHONPATH=str(package),
        )
    )
    run(*coverage, "combine", "-q", rc)
    run(*coverage, "html", "-q", rc, "-d", out / "python")
    run(*coverage, "report", rc, "--format=total")
    pages = out / "cpp" / "index.html"
    pages.parent.mkdir(exist_ok=True)
    gcovr = [sys.executable, "-m", "gcovr", "--root", ROOT, "--filter", "csrc/", tree]
    often = "--gcov-suspicious-hits-threshold=0"  # inner loops do run ten thousand million times
    lost = (
        "--gcov-ignore-parse-errors=negative_hits.warn_once_per_file"  # threads that count at once
    )
    run(*gcovr, "--print-summary", often, lost, "--exclude-throw-branches", "--html-details", pages)
    raise SystemExit(max(codes))


if __name__ == "__main__":
    main()
