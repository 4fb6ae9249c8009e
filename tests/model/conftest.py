"""Tiny checkpoints of every variant, written once a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import checkpoints
from arch.variants import Variant


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Variant], Path]:
    """A variant's checkpoint, in float32."""
    root = tmp_path_factory.mktemp("variants")

    def folder(variant: Variant) -> Path:
        path = root / variant.name
        return path if path.exists() else checkpoints.write(path, variant.config)

    return folder
