"""The macOS arm64 extension compiles and links, Metal-only branches included."""

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = ("@rpath/libmlx.dylib", "/usr/lib/libSystem.B.dylib", "/usr/lib/libc++.1.dylib")

pytestmark = pytest.mark.skipif(
    os.environ.get("CONVERGIO_TEST_CROSS") != "1",
    reason="takes minutes and fetches 100 MB; CONVERGIO_TEST_CROSS=1 runs it",
)


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = Path(os.environ.get("CONVERGIO_CROSS_FOLDER") or tmp_path_factory.mktemp("macos"))
    command = [sys.executable, str(ROOT / "tools" / "cross_macos.py"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 and re.search("No matching distribution|Could not find", done.stderr):
        pytest.skip("the package index has no ziglang or mlx-metal for this machine")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return Path(done.stdout.splitlines()[-1]).read_bytes()


def load_commands(binary: bytes) -> list[tuple[int, bytes]]:
    count = struct.unpack_from("<I", binary, 16)[0]
    at, commands = 32, []
    for _ in range(count):
        kind, size = struct.unpack_from("<II", binary, at)
        commands.append((kind, binary[at : at + size]))
        at += size
    return commands


def text_of(command: bytes) -> str:
    offset = struct.unpack_from("<I", command, 8)[0]
    return command[offset:].split(b"\0")[0].decode()


@pytest.mark.timeout(1500)
def test_it_is_a_macho_file_for_arm64_and_macos_14(extension: bytes) -> None:
    magic, cpu = struct.unpack_from("<II", extension, 0)
    assert (magic, cpu) == (0xFEEDFACF, 0x0100000C)
    build_version = next(c for kind, c in load_commands(extension) if kind == 0x32)
    platform, minimum = struct.unpack_from("<II", build_version, 8)
    assert (platform, minimum >> 16) == (1, 14)


def test_it_needs_libmlx_by_a_relative_path_and_the_system_alone(extension: bytes) -> None:
    commands = load_commands(extension)
    needed = [text_of(c) for kind, c in commands if kind == 0xC]
    assert "@rpath/libmlx.dylib" in needed
    assert set(needed) <= set(ALLOWED)
    rpaths = [text_of(c) for kind, c in commands if kind == 0x8000001C]
    assert rpaths == ["@loader_path/../mlx/lib"]
