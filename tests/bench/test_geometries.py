"""Checkpoints of the true geometry of published models: the engine takes what is fabricated."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import geometries
from arch.variants import tiny
from convergio_mlx.platform.native import native
from fabricate import entries

CONFIGS = Path(os.environ.get("CONVERGIO_TEST_DATA", "-")) / "configs"
FOUND = sorted(path.stem for path in CONFIGS.glob("*.json"))
WITH_STATES = (
    *("granitemoehybrid", "kimi_linear", "lfm2", "lfm2_moe", "nemotron_h", "qwen3_5", "qwen3_next"),
)


def check(config: dict[str, Any]) -> None:
    native().check_fit(json.dumps(config).encode(), list(entries(config)))


@pytest.mark.parametrize("name", FOUND)
def test_what_is_fabricated_of_a_published_model_fits_it(name: str) -> None:
    """Cut to layers of all kinds, which is what takes least time."""
    config = json.loads((CONFIGS / f"{name}.json").read_text())
    if not geometries.runnable({name: config}):
        pytest.skip("this version does not run it")
    layers = min(geometries.text_of(config)["num_hidden_layers"], 8)
    check(geometries.cut(config, layers))


@pytest.mark.parametrize("name", WITH_STATES)
def test_a_model_with_states_is_cut_in_layers(name: str) -> None:
    config = tiny(name)
    for layers in range(3, config["num_hidden_layers"] + 1):
        check(geometries.cut(config, layers))


def test_a_model_with_states_is_measured(tmp_path: Path) -> None:
    config = tiny("granitemoehybrid") | {"vocab_size": 512}
    row = geometries.run("tiny", config, tmp_path, most=1 << 30, tokens=4)
    heads, head_dim, state = 8, 16, 12
    channels = heads * head_dim + 2 * state
    numbers = 3 * channels + heads * head_dim * state
    assert row["state_mb"] == 3 * 4 * numbers / 1e6  # of three layers
    assert row["tokens"] == 4
    assert row["layers"] == "4"
    assert not any(tmp_path.iterdir())
    line = " | ".join(text.format(**row) for _, text in geometries.COLUMNS)
    assert line.startswith("tiny | 4 | ")
