"""The table that a run prints."""

import pytest

from bench.made_rows import JOB, row
from comparison.geometry import GEOMETRIES, kv_numbers, weights_read
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
    assert lines[1:6] == [
        "",
        "### thin-16, short: 16 tokens, then 11; after a warm-up",
        "",
        "| | ours affine-64 (4.5 b) | llama_cpp Q4_0 (4.5 b) | ours / llama_cpp Q4_0 |",
        "|---|---:|---:|---:|",
    ]
    assert lines[6] == "| decode, tokens/s | 25.00 (20.00–40.00) | 10.00 (5.00–10.00) | 2.50 × |"
    second = (
        "| second turn's first token, ms | 125.0 (125.0–125.0) | 125.0 (125.0–125.0) | 1.00 × |"
    )
    assert second in lines
    assert not any(line.startswith("| process to first token") for line in lines)


def test_the_table_says_where_it_was_measured() -> None:
    assert render([row()]).splitlines()[0] == (
        "Example 9000, 2 cores, Linux x86_64; 2 threads, on cpu; commit 0123456789ab, mlx 0.32.4; "
        "2026-11-25. Medians (lowest–highest) of fresh processes that took turns; b: bits a "
        "weight; ratios above 1: ours is better."
    )


def test_decode_beside_what_memory_allows() -> None:
    ours = row(found=dict(row().found) | {"detail": {"read_bytes_per_second": 1e9}})
    other = row("llama_cpp", "Q4_0", decode_seconds=2.0)
    step = weights_read(GEOMETRIES["thin-16"]) * 4.5 / 8 + 2 * kv_numbers(GEOMETRIES["thin-16"], 21)
    shares = [f"{100 * speed * step / 1e9:.0f}" for speed in (10, 5)]
    assert f"| decode, % of what 1.0 GB/s allow | {shares[0]} | {shares[1]} |  |" in render(
        [ours, other]
    )


def test_memory_beyond_the_file_and_the_keys_and_values() -> None:
    kv = 2 * kv_numbers(GEOMETRIES["thin-16"], 16 + 11 + 4)
    assert f"| peak beyond file and KV, MB | {100 - kv / 1e6:.0f} |" in render([row()])


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
    assert lines[6] == "| decode, tokens/s | 10.00 | 10.00 |  |"


def test_rows_of_unlike_runs_make_no_table() -> None:
    with pytest.raises(UnlikeRowsError, match="differ in threads, 2 and 4"):
        render([row(), row("llama_cpp", "Q4_0", job=JOB | {"threads": 4})])
    with pytest.raises(UnlikeRowsError, match="differ in commit"):
        render([row(), row(number=1, commit="another")])
