"""Writes the table of what each framework's tests found in docs/coming-from.md, of the reports that
`make integrations` leaves in build/integrations.

python tools/make_integration_docs.py
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "coming-from.md"
BEGIN = "<!-- tests: written by tools/make_integration_docs.py -->\n"
END = "<!-- end of tests -->"
HEAD = "| package | passed | not passed | not asked, and why |\n|---|---|---|---|\n"


def table(reports: list[Path]) -> str:
    """A row a package."""
    return HEAD + "".join(row(path) for path in sorted(reports))


def row(path: Path) -> str:
    """Of a report of pytest's."""
    passed, failed = 0, []
    reasons: Counter[str] = Counter()
    for case in ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag: child for child in case}
        if "failure" in kinds or "error" in kinds:
            failed.append(f"`{case.get('name')}`")
        elif "skipped" in kinds:
            reasons[_reason(kinds["skipped"])] += 1
        else:
            passed += 1
    why = "; ".join(f"{count}: {reason}" for reason, count in reasons.most_common())
    return f"| `{path.stem}` | {passed} | {', '.join(failed) or '0'} | {why} |\n"


def _reason(skipped: ElementTree.Element) -> str:
    """On one line, without bars that a table would take for its own."""
    said = (skipped.get("message") or skipped.text or "").split("\n")[0]
    return " ".join(said.replace("|", "/").split())


def with_table(page: str, reports: list[Path]) -> str:
    """The page with the table as the reports have it."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table(reports)}{END}{after}"


if __name__ == "__main__":
    found = [*(ROOT / "build" / "integrations").glob("*-convergio-mlx.xml")]
    if not found:
        sys.exit("[tools] build/integrations has no report; run `make integrations` first.")
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
