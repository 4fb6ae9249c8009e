"""Each allocation of the native code fails in turn: the process lives, the error is typed, and the
next answer is the right one.

The program without_memory.py runs with failing_malloc.cpp preloaded; what a thread of the engine
asks `operator new` for is served from its reserve (csrc/engine/reserve.h). A run of the suite takes
samples; CONVERGIO_EXHAUSTIVE=1 goes through the first 2,000 allocations of each scenario (an hour).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from exhaustive import either

HERE = Path(__file__).resolve().parent
SCENARIOS = (
    "chat", "sampled", "asynchronous", "logits", "held", "overlapped", "formed", "called",
    "copied", "drafted", "recurrent", "load", "asked",
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("g++") is None,
    reason="needs glibc's malloc and g++",
)


@pytest.fixture(scope="module")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("faults") / "failing_malloc.so"
    source = HERE / "failing_malloc.cpp"
    command = ["g++", "-std=c++20", "-O1", "-shared", "-fPIC", "-o", str(library), str(source)]
    subprocess.run(command, check=True)
    return library


def wrong(library: Path, scenario: str, numbers: range) -> list[str]:
    """The allocations whose failure did not end as it should, with what happened."""
    program = [sys.executable, str(HERE / "without_memory.py"), scenario, "0"]
    done = subprocess.run(
        [*program, *map(str, numbers)],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    ended = [line for line in lines if "number" in line]
    found = [
        str(line)
        for line in ended
        if line["outcome"] not in ("the answer", "out_of_memory") or line["after"] != "the answer"
    ]
    if done.returncode != 0 or len(ended) != len(numbers):
        found.append(f"{lines[-1:]} ended it with {done.returncode}: {done.stderr[-2000:]}")
    return found


def test_some_allocations_fail(preloaded: Path) -> None:
    assert wrong(preloaded, "asked", range(1, 700, 53)) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_of_the_first_two_thousand_allocations_fails(preloaded: Path, scenario: str) -> None:
    assert wrong(preloaded, scenario, range(1, 2001, either(11, 1))) == []
