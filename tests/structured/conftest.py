"""A random model of each tool-call format, made once."""

import sys
from functools import cache
from pathlib import Path

import pytest

from convergio_mlx import Engine

sys.path.insert(0, str(Path(__file__).parent))
from random_models import BY_NAME, Speaker, make_folder


@pytest.fixture(scope="session")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Speaker:
    """A function (tool-call format, reasons=False) -> a random model that writes calls so."""

    @cache
    def load(tool_format: str, reasons: bool = False) -> Engine:
        folder = tmp_path_factory.mktemp(tool_format) / "model"
        return Engine.load(make_folder(folder, BY_NAME[tool_format], reasons))

    return load


@pytest.fixture(scope="session")
def engine(speaker: Speaker) -> Engine:
    return speaker("hermes")
