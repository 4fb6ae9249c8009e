"""The figures of the documentation are those of the rows that are kept."""

from pathlib import Path

from comparison import store
from comparison.page import figures
from comparison.table import render

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_says_what_the_rows_say() -> None:
    kept = sorted((ROOT / "bench" / "results").glob("*-full.json"))
    rows = store.read(kept[-1])
    assert rows
    assert figures(ROOT / "docs" / "figures.md") == render(rows)
