"""What a benchmark asks the native module for."""

from pathlib import Path

import pytest

from convergio_mlx import Engine
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.platform.native import native
from engine.small_models import make_model


def test_memory_is_read_at_a_plausible_speed() -> None:
    assert 1e8 < native().read_bandwidth(1 << 22, 0.01) < 1e13


@pytest.mark.parametrize(
    ("count", "seconds", "sentence"),
    [
        (
            1000,
            1.0,
            "[engine] 1000 bytes in 1.000000 s cannot be measured; give at least 65536 bytes and "
            "above 0 s.",
        ),
        (
            1 << 20,
            0.0,
            "[engine] 1048576 bytes in 0.000000 s cannot be measured; give at least 65536 bytes "
            "and above 0 s.",
        ),
    ],
)
def test_what_cannot_be_measured(count: int, seconds: float, sentence: str) -> None:
    with pytest.raises(InvalidRequestError) as error:
        native().read_bandwidth(count, seconds)
    assert str(error.value) == sentence


def test_a_head_of_its_own_leaves_the_embedding_unread(tmp_path: Path) -> None:
    tied = Engine.load(make_model(tmp_path / "tied"))
    assert tied.step_weight_bytes == tied.weight_bytes
    untied = Engine.load(make_model(tmp_path / "untied", tie_word_embeddings=False))
    row = 64 * 4
    table = untied.vocab_size * row
    assert untied.weight_bytes == tied.weight_bytes + table
    assert untied.step_weight_bytes == untied.weight_bytes - table + row


def test_primitives_grow_with_the_layers(tmp_path: Path) -> None:
    counts = []
    for layers in (1, 2, 3):
        folder = make_model(tmp_path / str(layers), num_hidden_layers=layers)
        counts.append(native().load(str(folder).encode()).step_primitives())
    a_layer = counts[1] - counts[0]
    assert counts[2] - counts[1] == a_layer
    assert 5 <= a_layer <= 60
    assert counts[0] > a_layer
