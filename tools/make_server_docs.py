"""Writes the table of fields in docs/server.md from the description of the interfaces.

python tools/make_server_docs.py
"""

from __future__ import annotations

from pathlib import Path

from convergio_mlx.server.request_schemas import PASSED, Schema, requests

PAGE = Path(__file__).resolve().parents[1] / "docs" / "server.md"
BEGIN = "<!-- fields: written by tools/make_server_docs.py -->\n"
END = "<!-- end of fields -->"


def table() -> str:
    """A row a path."""
    lines = ["| path | read | one value alone | passed over |", "|---|---|---|---|"]
    for path, schema in requests().items():
        kinds: dict[str, list[str]] = {"read": [], "one": [], "passed": []}
        for name, field in sorted(schema["properties"].items()):
            told = f"**`{name}`**" if name in schema["required"] else f"`{name}`"
            kinds[_kind(field)].append(told + _values(field))
        lines.append(f"| `{path}` | {' | '.join(', '.join(kind) for kind in kinds.values())} |")
    return "\n".join(lines) + "\n"


def _kind(field: Schema) -> str:
    if field is PASSED:
        return "passed"
    return "one" if "Any other" in field.get("description", "") else "read"


def _values(field: Schema) -> str:
    if _kind(field) != "one":
        return ""
    values = [value for value in field["enum"] if value is not None]
    names = {True: "true", False: "false"}
    told = [names.get(value, str(value)) if value != "" else '""' for value in map(_plain, values)]
    return f" {', '.join(told)}" if told else " (leave out)"


def _plain(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def with_table(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
