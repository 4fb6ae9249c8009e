"""The engine with the built-in model, loaded once; training/ on the path for the judge."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "python" / "convergio_mlx" / "guide"
sys.path.insert(0, str(ROOT / "training"))


@pytest.fixture(scope="session")
def engine() -> Any:
    """convergio-guide in the project's engine."""
    import convergio_mlx as cm

    return cm.Engine.load("convergio-guide")


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """The model's tokenizer."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(FOLDER / "tokenizer.json"))


@pytest.fixture(scope="session")
def greedy(engine: Any) -> Callable[..., tuple[str, list[int]]]:
    """A function (prompt, tools, limit) -> text and token ids of the greedy answer."""
    import convergio_mlx as cm

    def run(prompt: Any, tools: Any = None, limit: int = 220) -> tuple[str, list[int]]:
        options = cm.SamplingParams(temperature=0, max_tokens=limit)
        chunks = list(engine.generate(prompt, options, tools=tools))
        return "".join(c.text for c in chunks), [t for c in chunks for t in c.token_ids]

    return run
