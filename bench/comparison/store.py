"""The rows of a run in one JSON file, written after each sample, so that a run can go on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from comparison.row import Row


def read(path: Path) -> list[Row]:
    """The rows of a file, none where there is no such file."""
    if not path.exists():
        return []
    return [Row.of_json(fields) for fields in json.loads(path.read_text())["rows"]]


def write(path: Path, rows: Iterable[Row]) -> None:
    """Writes a file as a whole; an interrupted one leaves the old."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(row.as_json(), sort_keys=True) for row in rows)
    draft = path.with_suffix(".tmp")
    draft.write_text(f'{{"rows": [\n{lines}\n]}}\n')
    os.replace(draft, path)
