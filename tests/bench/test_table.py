"""The table that a run prints."""

import pytest

from bench.made_rows import JOB, row
from comparison.row import UnlikeRowsError
from comparison.table import render


def test_medians_and_ratios() -> None:
    rows = [
        row(number=0, decode_seconds=0.5),
        row("llama_cpp", "Q4_0", number=0, decode_seconds=2.0),
        row(number=1, decode_seconds=0.4),
        row("llama_cpp", "Q4_0", number=1, decode_seconds=1.0),
        row(number=2, decode_seconds=0.25),
        row("llama_cpp", "Q4_0", number=2, decode_seconds=1.0),
    ]
    lines = render(rows).splitlines()
    assert lines[:5] == [
        "### thin-16: 16 tokens, then 11; after a warm-up",
        "",
        "| | ours affine-64 (4.5 b) | llama_cpp Q4_0 (4.5 b) | ours / llama_cpp Q4_0 |",
        "|---|---:|---:|---:|",
        "| decode, tokens/s | 25.00 (20.00–40.00) | 10.00 (5.00–10.00) | 2.50 × |",
    ]
    assert (
        "| second turn's first token, ms | 125.0 (125.0–125.0) | 125.0 (125.0–125.0) | 1.00 × |"
        in lines
    )
    assert not any(line.startswith("| process to first token") for line in lines)


def test_less_time_is_better() -> None:
    slow = dict(row().found) | {"load_seconds": 0.006}
    lines = render([row(), row("llama_cpp", "Q4_0", found=slow)]).splitlines()
    assert "| load, ms | 2.0 | 6.0 | 3.00 × |" in lines


def test_a_fresh_process_has_its_start_told() -> None:
    text = render([row(job=JOB | {"warm_up": False})])
    assert "no warm-up" in text
    assert "| process to first token, ms | 800.0 |" in text


def test_other_bytes_a_weight_have_no_ratio() -> None:
    lines = render([row(), row("llama_cpp", "Q4_1", 5.0)]).splitlines()
    assert lines[4] == "| decode, tokens/s | 10.00 | 10.00 |  |"


def test_rows_of_unlike_runs_make_no_table() -> None:
    with pytest.raises(UnlikeRowsError, match="differ in threads, 2 and 4"):
        render([row(), row("llama_cpp", "Q4_0", job=JOB | {"threads": 4})])
    with pytest.raises(UnlikeRowsError, match="differ in commit"):
        render([row(), row(number=1, commit="another")])
