"""The macOS arm64 wheel, cross-built: Metal-only branches compile, all of it links, and what comes
out is what a Mac can load."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import abi3info
import pytest

from distribution.builds import ROOT, extract, members, takes_minutes

sys.path.append(str(ROOT / "tools"))
from foreign import fetch_mlx

if TYPE_CHECKING:
    import lief

MLX_FOR = ("macosx_14_0_arm64", "macosx_15_0_arm64", "macosx_26_0_arm64")
"""Of each, MLX has a wheel of its own."""
ALLOWED = {"@rpath/libmlx.dylib", "/usr/lib/libSystem.B.dylib", "/usr/lib/libc++.1.dylib"}

pytestmark = [takes_minutes, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def wheel(macos_folder: Path) -> Path:
    return next((macos_folder / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def extension(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> lief.MachO.Binary:
    return macho(extract(wheel, "_native.abi3.so", tmp_path_factory.mktemp("extension")))


def macho(path: Path) -> lief.MachO.Binary:
    """The one binary of a file."""
    import lief

    found = lief.MachO.parse(str(path))
    assert found is not None
    assert len(found) == 1
    binary = found.at(0)
    assert binary is not None
    return binary


def libraries(platform: str, macos_folder: Path) -> Path:
    """The folder with libmlx that pip installs on that macOS."""
    out = macos_folder / platform
    out.mkdir(exist_ok=True)
    return fetch_mlx("mlx-metal", platform, out) / "lib"


def test_its_name_is_for_macos_14_and_python_3_12(wheel: Path) -> None:
    assert wheel.name.endswith("-cp312-abi3-macosx_14_0_arm64.whl")


def test_its_extension_is_for_arm64_and_macos_14(extension: lief.MachO.Binary) -> None:
    import lief

    assert extension.header.cpu_type == lief.MachO.Header.CPU_TYPE.ARM64
    version = extension.build_version
    assert version is not None
    assert version.platform == lief.MachO.BuildVersion.PLATFORMS.MACOS
    assert version.minos == [14, 0, 0]


def test_it_needs_libmlx_by_a_relative_path_and_the_system_alone(
    extension: lief.MachO.Binary,
) -> None:
    import lief

    load = lief.MachO.LoadCommand.TYPE.LOAD_DYLIB
    needed = {library.name for library in extension.libraries if library.command == load}
    assert "@rpath/libmlx.dylib" in needed
    assert needed <= ALLOWED
    assert [rpath.path for rpath in extension.rpaths] == ["@loader_path/../mlx/lib"]


@pytest.mark.parametrize("platform", MLX_FOR)
def test_every_symbol_it_wants_is_somewhere(
    platform: str, extension: lief.MachO.Binary, macos_folder: Path
) -> None:
    """In the libmlx that pip installs on that macOS, in Python's stable ABI as of 3.12, or in
    libSystem, as zig's own list has it. (zig links libc++ in, so that its symbols are defined or
    the link fails.)"""
    import lief

    undefined = lief.MachO.Symbol.CATEGORY.UNDEFINED
    wanted = {str(symbol.name) for symbol in extension.symbols if symbol.category == undefined}
    mlx = macho(libraries(platform, macos_folder) / "libmlx.dylib")
    of_mlx = wanted & {str(symbol.name) for symbol in mlx.exported_symbols}
    python = {
        f"_{symbol.name}"
        for table in (abi3info.FUNCTIONS, abi3info.DATAS)
        for symbol, entry in table.items()
        if entry.added.major == 3 and entry.added.minor <= 12
    }
    zig = macos_folder / "zig" / "ziglang" / "lib" / "libc" / "darwin" / "libSystem.tbd"
    system = set(re.findall(r"[\w$.]+", zig.read_text()))
    assert len(of_mlx) > 50
    assert wanted - of_mlx - python - system == set()
    assert {name for name in wanted if name.startswith(("_Py", "__Py"))} <= python


@pytest.mark.parametrize("platform", MLX_FOR)
def test_what_a_frozen_program_has_to_take_along(platform: str, macos_folder: Path) -> None:
    """libmlx, the Metal kernels beside it, and no library of MLX's own that lies elsewhere."""
    lib = libraries(platform, macos_folder)
    libmlx = macho(lib / "libmlx.dylib")  # held: lief's iterators do not hold their binary
    needed = {library.name for library in libmlx.libraries}
    own = {name.removeprefix("@rpath/") for name in needed if name.startswith("@rpath/")}
    assert own | {"mlx.metallib"} <= {path.name for path in lib.iterdir()}


def test_it_holds_the_files_of_the_linux_wheel(wheel: Path, linux_wheel: Path) -> None:
    """The extension's name is one of the stable ABI, so even that is the same."""
    assert members(wheel) == members(linux_wheel)
