"""What is told while measurements go on."""

from __future__ import annotations

import sys


def tell(text: str) -> None:
    """Says it at once, on stderr: a run that is cut short leaves what it measured."""
    print(text, file=sys.stderr, flush=True)
