"""Makes a manylinux container ready to build a wheel in: what pyproject.toml builds with, and MLX's
wheel for this processor, unpacked in /tmp/mlx. cibuildwheel runs it (pyproject.toml)."""

from __future__ import annotations

import platform
import subprocess
import tomllib
from pathlib import Path

from foreign import PIP, ROOT, fetch_mlx

MLX = Path("/tmp/mlx")


def build_requirements() -> list[str]:
    """What pyproject.toml builds with, beside MLX."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [need for need in project["build-system"]["requires"] if not need.startswith("mlx")]


if __name__ == "__main__":
    subprocess.run([*PIP, "install", "cmake", "ninja", *build_requirements()], check=True)
    MLX.mkdir(exist_ok=True)
    fetch_mlx("mlx-cpu", f"manylinux_2_35_{platform.machine()}", MLX)
