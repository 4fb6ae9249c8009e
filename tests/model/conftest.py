"""Tiny checkpoints of every variant, written once a session."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "arch"), str(TESTS / "golden")]

import checkpoints  # noqa: E402
from variants import Variant  # noqa: E402


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Variant], Path]:
    """A variant's checkpoint, in float32."""
    root = tmp_path_factory.mktemp("variants")

    def folder(variant: Variant) -> Path:
        path = root / variant.name
        return path if path.exists() else checkpoints.write(path, variant.config)

    return folder
