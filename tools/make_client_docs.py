"""Writes the tables of docs/clients.md, of what becomes of each call of tests/client_calls at
`convergio-mlx serve` with the real model, which it installs from the package index.

python tools/make_client_docs.py
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
PAGE = ROOT / "docs" / "clients.md"
HEAD = "| call | here | what is held, or what is told |\n|---|---|---|\n"


def marks(client: str) -> tuple[str, str]:
    """What stands before and after a client's table."""
    return f"<!-- {client}: written by tools/make_client_docs.py -->\n", f"<!-- end of {client} -->"


def with_table(page: str, client: str, rows: list[str]) -> str:
    """The page with a client's table."""
    begin, end = marks(client)
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}{HEAD}{''.join(rows)}{end}{after}"


def table(page: str, client: str) -> str:
    """A client's table on the page."""
    begin, end = marks(client)
    return page.partition(begin)[2].partition(end)[0]


def main() -> None:
    """Writes both tables."""
    import anthropic
    import openai

    from client_calls import row, served
    from client_calls.anthropic_messages import CALLS as MESSAGES
    from client_calls.openai_others import CALLS as COMPLETIONS
    from real_model import install

    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as home:
        install(Path(home))
        with served(Path(home)) as address:
            given: Any = {"api_key": "any", "max_retries": 0}
            for calls, client, error in (
                (COMPLETIONS, openai.OpenAI(base_url=f"{address}/v1", **given), openai),
                (MESSAGES, anthropic.Anthropic(base_url=address, **given), anthropic),
            ):
                rows = [row(call, client, error.APIStatusError) for call in calls]
                page = with_table(page, calls.client, rows)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
