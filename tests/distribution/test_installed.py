"""The package as pip installed it in this environment."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest

import convergio_mlx as cm
from distribution.builds import ROOT

SYSTEM = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6"}
LOADERS = {"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


@pytest.fixture(scope="module")
def installed() -> Distribution:
    try:
        return distribution("convergio-mlx")
    except PackageNotFoundError:
        pytest.skip("the package runs from a checkout and is not installed")


def test_it_holds_types_model_registry_and_licences_but_not_mlx(installed: Distribution) -> None:
    names = {str(path) for path in installed.files or ()}
    for wanted in ("py.typed", "_native.pyi", "models.json", "guide/model.safetensors"):
        assert f"convergio_mlx/{wanted}" in names
    for licence in ("LICENSE", "licenses/nanobind.txt", "licenses/robin-map.txt"):
        assert any(name.endswith(f".dist-info/licenses/{licence}") for name in names)
    assert len([name for name in names if "/_native." in name and name.endswith(".so")]) == 1
    assert not [name for name in names if "libmlx" in name or name.endswith((".metallib", ".in"))]


def test_its_metadata(installed: Distribution) -> None:
    metadata = installed.metadata
    assert metadata["Version"] == cm.__version__
    assert metadata["License-Expression"] == "MIT AND BSD-3-Clause"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    pins = [need for need in installed.requires or () if re.match(r"mlx\b", need)]
    assert {re.sub(r"\[cpu\]|;.*", "", pin).strip() for pin in pins} == {"mlx==0.32.4"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")
def test_its_extension_finds_libmlx_in_the_package_beside_it(installed: Distribution) -> None:
    import lief

    (extension,) = Path(str(installed.locate_file("convergio_mlx"))).glob("_native*.so")
    binary = lief.ELF.parse(str(extension))
    assert binary is not None
    needed = set(binary.libraries)
    assert "libmlx.so" in needed
    assert needed <= {"libmlx.so"} | SYSTEM | LOADERS
    paths = [
        path
        for entry in binary.dynamic_entries
        if isinstance(entry, lief.ELF.DynamicEntryRunPath | lief.ELF.DynamicEntryRpath)
        for path in entry.paths
    ]
    assert paths == ["$ORIGIN/../mlx/lib"]
    strong = lief.ELF.Symbol.BINDING.GLOBAL  # weak: instances of templates of others' headers
    exported = {one.name for one in binary.exported_symbols if one.binding == strong}
    assert exported == {"PyInit__native"}


@pytest.mark.slow
def test_all_that_is_installed_fits_together(installed: Distribution) -> None:
    command = [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("asked", [False, True])
def test_warnings_end_no_build_but_one_that_asks_for_it(asked: bool, tmp_path: Path) -> None:
    """A compiler that a user has may warn of more than those that the project is tried with."""
    (cmake, ninja) = (shutil.which(name) for name in ("cmake", "ninja"))
    if cmake is None or ninja is None:
        pytest.skip("needs cmake and ninja")
    options = ["-DCONVERGIO_PYTHON=OFF", "-DCONVERGIO_MLX=OFF", f"-DCMAKE_MAKE_PROGRAM={ninja}"]
    options += ["-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"] + ["-DCONVERGIO_WERROR=ON"] * asked
    command = [cmake, "-S", str(ROOT), "-B", str(tmp_path), "-G", "Ninja", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    commands = json.loads((tmp_path / "compile_commands.json").read_text())
    assert len(commands) > 10
    assert {"-Werror" in one["command"].split() for one in commands} == {asked}
    assert "WERROR" not in (ROOT / "pyproject.toml").read_text()
