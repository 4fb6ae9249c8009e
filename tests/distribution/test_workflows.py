"""What runs elsewhere is at least well-formed, and calls what there is."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import yaml

from distribution.builds import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE))

pytestmark = pytest.mark.skipif(not WORKFLOWS, reason="an sdist has no workflows")


def run(module: str, *arguments: str) -> None:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_workflows_are_what_github_takes() -> None:
    run("check_jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS))


@pytest.mark.slow
def test_pyproject_is_what_its_readers_take() -> None:
    run("validate_pyproject", "pyproject.toml")


def test_steps_call_targets_and_scripts_that_exist() -> None:
    steps = [
        step
        for path in WORKFLOWS
        for job in yaml.safe_load(path.read_text())["jobs"].values()
        for step in job["steps"]
    ]
    scripts = "\n".join(step["run"] for step in steps if "run" in step)
    named = re.findall(r"\b(?:tests|bench|tools)/[\w/.-]+", scripts)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
    called = {
        word for words in re.findall(r"\bmake ([a-z0-9 -]+)", scripts) for word in words.split()
    }
    assert called
    assert called <= TARGETS
    assert ".ci/run" in scripts


def test_every_target_says_what_it_does() -> None:
    described = set(re.findall(r"^([a-z0-9-]+):.*  ## \S", MAKEFILE, re.MULTILINE))
    assert described == TARGETS
