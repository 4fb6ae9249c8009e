"""Every row of the table of architectures has what the tests need to loop over it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import checkpoint_shapes
import checkpoints
import convergio_mlx as cm
from arch.variants import VARIANTS, rows, tiny
from convergio_mlx.platform.native import native


@pytest.mark.parametrize("row", native().model_types())
def test_row_has_a_tiny_config_that_loads(row: str, tmp_path: Path) -> None:
    config = tiny(row)
    assert config["model_type"] == row
    with cm.Engine.load(checkpoints.write(tmp_path / row, config)) as engine:
        assert engine.model_type == row
        assert engine.vocab_size == config["vocab_size"]
        assert engine.context_window == config["max_position_embeddings"]


def test_no_tiny_config_without_a_row() -> None:
    assert sorted(native().model_types()) == rows()
    assert set(checkpoint_shapes.LAYOUTS) <= set(rows())


def test_a_row_without_a_tiny_config_is_told_what_to_do() -> None:
    with pytest.raises(AssertionError) as caught:
        tiny("newmodel")
    assert str(caught.value).split("\n")[0] == (
        "the table has a row 'newmodel' without a tiny config; write newmodel.json beside the "
        "others (docs/add-a-model.md)."
    )


def test_variants_have_names_of_their_own() -> None:
    names = [variant.name for variant in VARIANTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("changes", "window"),
    [
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, 1024),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, 512),
        ({"rope_scaling": {"type": "linear", "factor": 4.0}}, 256),
        ({"rope_scaling": {"type": "yarn", "original_max_position_embeddings": 64}}, 256),
    ],
    ids=["yarn", "dynamic", "linear", "yarn-from-the-ratio"],
)
def test_context_window(changes: dict[str, object], window: int, tmp_path: Path) -> None:
    """What stretches positions beyond max_position_embeddings stretches the context; a linear
    factor is part of max_position_embeddings already, as those who publish such models write it."""
    folder = checkpoints.write(tmp_path / "model", {**tiny("llama"), **changes})
    with cm.Engine.load(folder) as engine:
        assert engine.context_window == window


def test_registry_is_made_of_rows() -> None:
    """The registry's model types are rows."""
    registry = Path(__file__).resolve().parents[2] / "models.json"
    models = json.loads(registry.read_text())["models"]
    assert {model["model_type"] for model in models} <= set(rows())


def test_the_readme_lists_the_rows() -> None:
    """README.md names each model type, in the table's order."""
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    found = re.search(r"of the model types ([^;]+);", readme)
    assert found
    assert re.split(r",\s+|\s+and\s+", found.group(1)) == list(native().model_types())
