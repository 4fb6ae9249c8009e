"""A page of documentation that holds the table of kept rows."""

from __future__ import annotations

import re
from pathlib import Path

BEGIN, END = "<!-- figures: bench/compare.py writes from here -->", "<!-- to here -->"
_BETWEEN = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)


def figures(page: Path) -> str:
    """What is between the marks.

    Raises:
        ValueError: there are none.
    """
    found = _BETWEEN.search(page.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(
            f"[bench] {page} has no place for figures; add the lines {BEGIN} and {END}."
        )
    return found.group().removeprefix(BEGIN).removesuffix(END).strip() + "\n"


def insert(page: Path, table: str) -> None:
    """Puts a table between the marks."""
    figures(page)
    text = page.read_text(encoding="utf-8")
    block = f"{BEGIN}\n\n{table.strip()}\n\n{END}"
    page.write_text(_BETWEEN.sub(lambda _: block, text), encoding="utf-8")
