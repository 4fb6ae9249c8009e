"""A GPU fails while several answers are being computed: whoever waits first is told, and what the
others have queued is worth nothing. All start over, and no answer changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from programs import output

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not sys.platform.startswith("linux") or shutil.which("g++") is None,
        reason="needs glibc's LD_PRELOAD and g++",
    ),
]

HEAD = """
import ctypes, json
device = ctypes.CDLL(None)
def begin(engine, number, prompt=40):
    params = cm.SamplingParams(
        max_tokens=400, ignore_eos=True, temperature=0.8, top_k=40, seed=number
    )
    return engine.generate(list(range(5 + number, 5 + prompt + number)), params)
def read(answer):
    return [token for chunk in answer for token in chunk.token_ids]
"""
TOGETHER = """
with cm.Engine.load(sys.argv[1]) as engine:
    wanted = [read(begin(engine, number)) for number in range(3)]
    answers = [begin(engine, number) for number in range(3)]
    found = [next(iter(one)).token_ids for one in answers]
    device.device_fail(2, 1)
    found = [first + tuple(read(one)) for first, one in zip(found, answers)]
    print(json.dumps([device.device_failed(), wanted, found]))
"""
AGAIN = """
with cm.Engine.load(sys.argv[1]) as engine:
    wanted = read(begin(engine, 1))
    device.device_fail(0, 2)
    try:
        read(begin(engine, 1))
    except cm.InferenceError as error:
        said = str(error)
    print(json.dumps([device.device_failed(), said, wanted, read(begin(engine, 1))]))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of a program with the failing device, in which MLX's operations compute."""
    spec = find_spec("mlx")
    assert spec is not None
    assert spec.submodule_search_locations
    mlx = Path(next(iter(spec.submodule_search_locations)))
    library = tmp_path_factory.mktemp("device") / "failing_device.so"
    command = ["g++", "-std=c++20", "-O1", "-shared", "-fPIC", f"-I{mlx / 'include'}"]
    command += [str(Path(__file__).parent / "failing_device.cpp"), f"-L{mlx / 'lib'}", "-lmlx"]
    subprocess.run([*command, f"-Wl,-rpath,{mlx / 'lib'}", "-o", str(library)], check=True)
    return {**os.environ, "LD_PRELOAD": str(library), "CONVERGIO_MLX_ISA": "off"}


def test_all_answers_start_over_and_are_what_they_would_have_been(
    folder: Path, environment: dict[str, str]
) -> None:
    failed, wanted, found = json.loads(output(HEAD + TOGETHER, folder, environment=environment))
    assert failed == 1
    assert found == wanted


def test_a_request_that_fails_at_once_again_ends_and_the_next_one_works(
    folder: Path, environment: dict[str, str]
) -> None:
    failed, said, wanted, found = json.loads(output(HEAD + AGAIN, folder, environment=environment))
    assert failed == 2
    assert said == (
        "[engine] MLX failed: [METAL] Command buffer execution failed: a test made it fail.; the "
        "next request starts afresh."
    )
    assert found == wanted
