"""A random model of each notation, made once."""

import sys
from functools import cache
from pathlib import Path

import pytest

from convergio_mlx import Engine

sys.path.insert(0, str(Path(__file__).parent))
from random_models import BY_NAME, Speaker, make_folder


@pytest.fixture(scope="session")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Speaker:
    """A function (notation, reasons=False) -> a random model that writes calls so."""

    @cache
    def load(notation: str, reasons: bool = False) -> Engine:
        folder = tmp_path_factory.mktemp(notation) / "model"
        return Engine.load(make_folder(folder, BY_NAME[notation], reasons))

    return load


@pytest.fixture(scope="session")
def engine(speaker: Speaker) -> Engine:
    return speaker("hermes")
