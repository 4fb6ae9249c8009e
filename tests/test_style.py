"""What a machine can say about style: linters, formats, types, and the generated stub."""

import difflib
import subprocess
import sys
from pathlib import Path

import pytest

import convergio_mlx

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.lint


def run(module: str, *arguments: str) -> None:
    command = [sys.executable, "-m", module]
    if module == "clang-format":  # the package holds a program
        command = [str(Path(sys.executable).parent / module)]
    done = subprocess.run(
        [*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    run("ruff", "check", ".")


def test_python_is_formatted() -> None:
    run("ruff", "format", "--check", ".")


@pytest.mark.slow
def test_mypy_strict_finds_nothing() -> None:
    run("mypy")


def test_cpp_is_formatted() -> None:
    files = [
        str(path)
        for folder in ("csrc", "tests/native", "bench")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".h", ".cpp"}
    ]
    run("clang-format", "--dry-run", "-Werror", *files)


def test_the_stub_of_the_native_module_is_current(tmp_path: Path) -> None:
    stub = tmp_path / "_native.pyi"
    run("nanobind.stubgen", "-q", "-m", "convergio_mlx._native", "-o", str(stub))
    kept = ROOT / "python" / "convergio_mlx" / "_native.pyi"
    changes = difflib.unified_diff(
        kept.read_text().splitlines(), stub.read_text().splitlines(), "kept", "made", lineterm=""
    )
    if text := "\n".join(changes):
        pytest.fail(f"run `make stubs`:\n{text}")


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(convergio_mlx.__file__).parent / "py.typed").is_file()
