"""The table that a run prints."""

from pathlib import Path
from typing import Any

import pytest

from bench.made_rows import JOB, row
from comparison.geometry import GEOMETRIES, kv_kept, kv_read, weights_read
from comparison.page import BEGIN, END, figures, insert
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
    assert lines[1:7] == [
        "",
        "### Ours, times as good",
        "",
        "| | than llama_cpp Q4_0 (4.5 b) |",
        "|---|---:|",
        "| thin-16, short: decode, tokens/s | 2.50 × |",
    ]
    del lines[1 : lines.index("### thin-16, short: 16 tokens, then 11; after a warm-up") - 1]
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


def test_the_table_says_that_the_machine_was_busy() -> None:
    rows = [row(number=n, found=dict(row().found) | {"others_share": n / 4}) for n in range(3)]
    assert render(rows).splitlines()[2] == (
        "While samples were taken, other processes took 25 % of the cores in the median, and from "
        "0 to 50 %."
    )


def test_decode_beside_what_memory_allows() -> None:
    ours = row(found=dict(row().found) | {"detail": {"read_bytes_per_second": 1e9}})
    other = row("llama_cpp", "Q4_0", decode_seconds=2.0)
    thin = GEOMETRIES["thin-16"]
    step = weights_read(thin).dense * 4.5 / 8 + 2 * kv_read(thin, 21)
    shares = [f"{100 * speed * step / 1e9:.0f}" for speed in (10, 5)]
    assert f"| decode, % of what 1.0 GB/s allow | {shares[0]} | {shares[1]} |  |" in render(
        [ours, other]
    )


def test_the_share_of_what_memory_allows_counts_active_experts_in_their_own_bits() -> None:
    bits: dict[str, Any] = {"bits": 8.5, "expert_bits_per_weight": 4.25}
    found = dict(row().found) | {"detail": {"read_bytes_per_second": 1e10}}
    rows = [
        row(form="mxfp4-q8", geometry="gpt-oss-20b-8", found=found, **bits),
        row("llama_cpp", "MXFP4", geometry="gpt-oss-20b-8", decode_seconds=2.0, **bits),
    ]
    oss = GEOMETRIES["gpt-oss-20b-8"]
    dense, experts = weights_read(oss)
    step = (dense * 8.5 + experts * 4.25) / 8 + 2 * kv_read(oss, 21)
    shares = [f"{100 * speed * step / 1e10:.0f}" for speed in (10, 5)]
    text = render(rows)
    assert f"| decode, % of what 10.0 GB/s allow | {shares[0]} | {shares[1]} |  |" in text
    assert "| | ours mxfp4-q8 (4.25/8.5 b) | llama_cpp MXFP4 (4.25/8.5 b) |" in text
    assert "| gpt-oss-20b-8, short: decode, tokens/s | 2.00 × |" in text


def test_memory_beyond_the_file_and_the_keys_and_values() -> None:
    kv = 2 * kv_kept(GEOMETRIES["thin-16"], 16 + 11 + 4)
    assert f"| peak beyond file and KV, MB | {100 - kv / 1e6:.0f} |" in render([row()])


def test_less_time_is_better() -> None:
    slow = dict(row().found) | {"load_seconds": 0.006}
    lines = render([row(), row("llama_cpp", "Q4_0", found=slow)]).splitlines()
    assert "| load, tokenizer included, ms | 2.0 | 6.0 | 3.00 × |" in lines


def test_a_fresh_process_has_its_start_told() -> None:
    text = render([row(job=JOB | {"warm_up": False})])
    assert "no warm-up" in text
    assert "| process to first token, ms | 800.0 |" in text


def test_other_bytes_a_weight_have_no_ratio() -> None:
    lines = render([row(), row("llama_cpp", "Q4_1", 5.0)]).splitlines()
    assert "| decode, tokens/s | 10.00 | 10.00 |  |" in lines
    assert "×" not in "".join(lines)


def test_rows_of_unlike_runs_make_no_table() -> None:
    with pytest.raises(UnlikeRowsError, match="differ in threads, 2 and 4"):
        render([row(), row("llama_cpp", "Q4_0", job=JOB | {"threads": 4})])
    with pytest.raises(UnlikeRowsError, match="differ in commit"):
        render([row(), row(number=1, commit="another")])


def test_a_page_holds_the_table(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    table = render([row(), row("llama_cpp", "Q4_0")])
    insert(page, table)
    insert(page, table)
    assert figures(page) == table
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("\n\nafter\n")


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing here\n")
    with pytest.raises(ValueError, match=r"^\[bench\] .*page\.md has no place for figures; add"):
        insert(page, "table")
    assert page.read_text() == "nothing here\n"
