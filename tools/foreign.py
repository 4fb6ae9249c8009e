"""What the cross builds share: the one MLX version, and its wheels for other platforms."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


def mlx_version() -> str:
    """The one version that CMakeLists.txt asks for."""
    found = re.search(
        r"set\(CONVERGIO_MLX_VERSION ([\d.]+)\)", (ROOT / "CMakeLists.txt").read_text()
    )
    if found is None:
        raise SystemExit("[foreign] CMakeLists.txt sets no CONVERGIO_MLX_VERSION.")
    return found.group(1)


def fetch_mlx(package: str, platform: str, out: Path) -> Path:
    """The folder `mlx` of a wheel of another platform, downloaded and unpacked once.

    Args:
        package: mlx-metal or mlx-cpu, which hold headers and library.
        platform: the wheel's platform tag.
        out: a folder of the caller's, which exists.
    """
    unpacked = out / "wheel"
    if not unpacked.exists():
        options = ["--no-deps", "--only-binary=:all:", "--platform", platform]
        wheel = f"{package}=={mlx_version()}"
        subprocess.run([*PIP, "download", *options, "-d", str(out), wheel], check=True)
        with zipfile.ZipFile(next(out.glob(f"{package.replace('-', '_')}-*.whl"))) as archive:
            archive.extractall(unpacked)
    return unpacked / "mlx"
