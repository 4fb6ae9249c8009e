"""The plots of a run."""

from pathlib import Path

from bench.made_rows import row


def test_a_picture_for_each_measure_there_is(tmp_path: Path) -> None:
    from comparison.plots import plot

    ours = row(found=dict(row().found) | {"detail": {"read_bytes_per_second": 1e9}})
    made = plot([ours, row("llama_cpp", "Q4_0", decode_seconds=2.0)], tmp_path / "plots")
    assert [path.name for path in made] == ["decode.png", "first-token.png", "memory.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in made)
