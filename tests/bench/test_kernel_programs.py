"""The benchmarks of kernels build, and say what they take."""

from __future__ import annotations

from pathlib import Path

import pytest
from building import COUNTS, built, run

SOURCES = Path(__file__).resolve().parents[2] / "bench" / "kernels"

pytestmark = [pytest.mark.native, pytest.mark.slow, pytest.mark.timeout(3600)]


def programs() -> Path:
    """The folder that they are built into."""
    return built(COUNTS).parents[1] / "bench" / "kernels"


def test_each_source_is_a_program() -> None:
    sources = {source.stem for source in SOURCES.glob("*.cpp")}
    assert sources == {
        made.name.removeprefix("bench_") for made in programs().glob("bench_*") if made.is_file()
    }


@pytest.mark.parametrize("name", ["decode", "passes"])
def test_it_says_what_it_takes(name: str) -> None:
    done = run(programs() / f"bench_{name}")
    assert done.returncode == 1
    assert done.stdout.startswith(f"{name} FOLDER")
