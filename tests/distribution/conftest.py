"""The builds, once a session: the sdist, the Linux wheel made of it, the macOS wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from distribution.builds import ROOT, new_python, run

NOT_HERE = ("No matching distribution", "Could not find a version")


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of this tree."""
    folder = tmp_path_factory.mktemp("sdist")
    build = f"from scikit_build_core.build import build_sdist; build_sdist({str(folder)!r})"
    run(sys.executable, "-c", build, cwd=ROOT)
    return next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="session")
def linux_wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the stable ABI, built of the sdist by pip as a stranger would."""
    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux")
    folder = tmp_path_factory.mktemp("linux")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    run(new_python(), "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder / "dist", source)
    return next((folder / "dist").glob("*.whl"))


@pytest.fixture(scope="session")
def macos_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the macOS wheel is cross-built: dist/ and MLX's own wheel, in wheel/mlx."""
    given = os.environ.get("CONVERGIO_CROSS_FOLDER")  # keeps zig and MLX from run to run
    out = Path(given) if given else tmp_path_factory.mktemp("macos")
    command = [new_python(), str(ROOT / "tools" / "cross_macos.py"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 and any(words in done.stderr for words in NOT_HERE):
        pytest.skip("the package index has no ziglang or mlx-metal for this machine")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out
