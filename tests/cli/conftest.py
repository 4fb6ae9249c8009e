"""The models and the ways to run the program that these tests share."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import hub as hub_module
from cli.program import CONTROL, ENVIRONMENT, PROGRAM, SENTENCE, WIDE, Run
from cli.scripted import scripted_model
from cli.terminal import Open, Terminal
from hub import Hub
from store.models import guide


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models that say what their names promise."""
    words = [f"{word} " for word in SENTENCE.split()]
    folder = tmp_path_factory.mktemp("models")
    scripted_model(folder / "words", words, context=256)
    scripted_model(folder / "endless", words, endless=True)
    scripted_model(folder / "three", ["one ", "two ", "three "], endless=True, context=64)
    scripted_model(folder / "control", CONTROL)
    scripted_model(folder / "wide", WIDE)
    scripted_model(folder / "thinker", ["<think>", "so", " then", "</think>", "It is."])
    return folder


@pytest.fixture
def run(models: Path) -> Run:
    """Runs the program without a terminal, among the models."""

    def run_program(
        *arguments: str | bytes,
        stdin: bytes = b"",
        command: list[str] = PROGRAM,
        **environment: str,
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*command, *arguments],
            input=stdin,
            capture_output=True,
            cwd=models,
            env={**ENVIRONMENT, **environment},
            timeout=600,
            check=False,
        )

    return run_program


@pytest.fixture
def hub(request: pytest.FixtureRequest) -> Iterator[Hub]:
    """A hub with the guide in the repository that the test's module names."""
    with hub_module.running() as hub:
        hub.repositories[request.module.REPOSITORY] = guide()
        yield hub


@pytest.fixture
def environment(hub: Hub, tmp_path: Path) -> dict[str, str]:
    """An empty home and the hub, for a program."""
    return {
        "HF_ENDPOINT": hub.url,
        "CONVERGIO_HOME": str(tmp_path / "home"),
        "HF_HOME": str(tmp_path / "hf"),
    }


@pytest.fixture
def terminal(models: Path) -> Iterator[Open]:
    """Runs the program on a terminal of its own, among the models."""
    opened: list[Terminal] = []

    def open_terminal(
        *arguments: str, command: list[str] | None = None, columns: int = 80, **environment: str
    ) -> Terminal:
        opened.append(
            Terminal(
                [*(command or PROGRAM), *arguments],
                models,
                {**ENVIRONMENT, **environment},
                columns,
            )
        )
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.close()
