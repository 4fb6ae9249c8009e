"""Runs each C++ test, and the fuzz targets over their corpus, built with sanitizers.

Needs cmake, ninja and a C++ compiler with its sanitizer libraries (g++ has them).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from building import ADDRESS, BUILDS, Build, built, names_in, run

CORPUS = Path(__file__).parent / "fuzz" / "corpus"
EXECUTABLES = [(build, name) for build in BUILDS for name in build.unit_tests]
UNIT_TESTS = [(*pair, name) for pair in EXECUTABLES for name in names_in(pair[1])]
FUZZ_TARGETS = [(build, name) for build in BUILDS for name in build.fuzz_targets]
CANARIES = {
    "overrun": "AddressSanitizer: heap-buffer-overflow",
    "overflow": "runtime error: signed integer overflow",
    "leap": "size == 0 is false",
    "hoard": "AddressSanitizer: requested allocation size",
    "hang": "an input took too long",
}

pytestmark = [pytest.mark.native, pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.mark.parametrize(("build", "executable"), EXECUTABLES, ids=str)
def test_the_tests_listed_here_are_those_that_were_built(build: Build, executable: str) -> None:
    listed = run(built(build) / executable, "--list").stdout.split()
    assert sorted(listed) == sorted(names_in(executable))


@pytest.mark.parametrize(("build", "executable", "name"), UNIT_TESTS, ids=str)
def test_native(build: Build, executable: str, name: str) -> None:
    done = run(built(build) / executable, "--only", name)
    assert done.returncode == 0, done.stdout
    assert done.stdout == f"ok   {name}\n1 passed, 0 failed\n"


@pytest.mark.parametrize(("build", "name"), FUZZ_TARGETS, ids=str)
def test_corpus_and_its_mutations_are_survived(build: Build, name: str, tmp_path: Path) -> None:
    target = built(build) / f"fuzz_{name}"
    limits = ("-runs=20000", "-max_total_time=6", "-timeout=60")
    done = run(target, *limits, CORPUS / name, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    files = len(list((CORPUS / name).iterdir()))
    assert done.stdout.startswith(f"{files} files and "), done.stdout


@pytest.mark.parametrize("word", CANARIES)
def test_a_bad_target_is_stopped_and_its_input_kept(word: str, tmp_path: Path) -> None:
    (tmp_path / "input").write_text(word)
    done = run(built(ADDRESS) / "fuzz_canary", "-timeout=1", tmp_path / "input", cwd=tmp_path)
    assert done.returncode != 0
    assert CANARIES[word] in done.stdout
    assert (tmp_path / "crash-input").read_text() == word
