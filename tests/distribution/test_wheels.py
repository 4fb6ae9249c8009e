"""The Linux wheel that people install, from the sdist to the first answer."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from distribution.builds import ROOT, members, new_python, run, takes_minutes

pytestmark = [takes_minutes, pytest.mark.timeout(3600)]


def test_one_wheel_serves_python_3_12_and_newer(linux_wheel: Path) -> None:
    assert re.search(r"-cp312-abi3-linux_\w+\.whl$", linux_wheel.name)
    run(sys.executable, "-m", "abi3audit", "--strict", linux_wheel)


def test_an_index_would_take_it(linux_wheel: Path, sdist: Path) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", linux_wheel, sdist)


def test_repair_leaves_libmlx_where_it_is(linux_wheel: Path, tmp_path: Path) -> None:
    """As cibuildwheel does it: a manylinux tag, the same files, nothing copied in."""
    options = ("--exclude", "libmlx.so", "-w", tmp_path)
    run(sys.executable, "-m", "auditwheel", "repair", *options, linux_wheel)
    (repaired,) = tmp_path.glob("*.whl")
    assert re.search(r"-cp312-abi3-manylinux_2_\d+_\w+\.whl$", repaired.name)
    assert members(repaired) == members(linux_wheel)


def test_it_is_small(linux_wheel: Path) -> None:
    assert linux_wheel.stat().st_size < 6e6


def test_in_an_empty_environment_it_answers(linux_wheel: Path, tmp_path: Path) -> None:
    """The chat of the README's first command, with nothing but pip and what pip brings."""
    found = re.search(r'convergio-mlx chat "([^"]+)"', (ROOT / "README.md").read_text())
    assert found
    run(new_python(), "-m", "venv", tmp_path / "fresh")
    programs = tmp_path / "fresh" / "bin"
    run(programs / "pip", "install", "-q", linux_wheel)
    run(programs / "pip", "check")
    answer = run(programs / "convergio-mlx", "chat", found.group(1), cwd=tmp_path)
    assert re.search(r"[A-Z].*\.", answer), answer


def test_its_bill_of_materials(linux_wheel: Path, tmp_path: Path) -> None:
    """Names what pip installs with it, each with its version, and what the extension contains."""
    (tmp_path / linux_wheel.name).symlink_to(linux_wheel)
    tool = ROOT / "tools" / "bill_of_materials.py"
    run(sys.executable, tool, "--python", new_python(), tmp_path)
    bill = json.loads((tmp_path / "sbom.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    components = {component["name"]: component for component in bill["components"]}
    assert {"convergio-mlx", "mlx", "mlx-cpu", "tokenizers", "jinja2"} <= {
        name.lower() for name in components
    }
    assert all(component["version"] for component in components.values())
    ours = components["convergio-mlx"]
    assert {part["name"] for part in ours["components"]} == {"nanobind", "robin-map"}
