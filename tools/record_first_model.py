"""Records a person's first minutes with a real model, from an empty home: docs/first-model.md.

    python tools/record_first_model.py [--to FOLDER]

Everything happens on a real terminal of 80 columns, with the package index that pip is set to use
here: it needs the network, and 93 MB of it each time.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests")]

from record_session import PROMPT, Demo, Step, block, empty_home, lines_of  # noqa: E402

ID = "smollm2-135m"
QUESTION = "What is the capital of France?"
OFFER = "[Y/n] "
_KEPT = re.compile(r"(PIP|UV|SSL|REQUESTS)_|(HTTPS?|NO|ALL)_PROXY$", re.IGNORECASE)
"""What a package manager reads of the environment."""

ABOUT = f"""\
# A first real model

This page is recorded by `tools/record_first_model.py`, on a terminal of 80 columns, from an empty
home. {ID} (SmolLM2-135M-Instruct, Apache-2.0) comes from PyPI. It is a real language model
and a very small one: it answers fluently, and is often wrong.
"""


@contextmanager
def demo() -> Iterator[Demo]:
    """An empty home, without a hub, and with the user's package index."""
    with empty_home() as home:
        more = {name: value for name, value in os.environ.items() if _KEPT.match(name)}
        yield Demo(home, "http://127.0.0.1:9", more)


def one_command(demo: Demo) -> str:
    return demo.run(
        ["chat", "-m", ID, QUESTION],
        Step(OFFER, "\r"),
        Step(" MB of 93 MB", snapshot="download"),
    )


def conversation(demo: Demo) -> str:
    return demo.run(
        ["chat", "-m", ID],
        Step(PROMPT, "Write one sentence about the sea.\r"),
        Step(PROMPT, "Say it in other words.\r"),
        Step(PROMPT, "/stats\r"),
        Step(PROMPT, "/exit\r"),
    )


def with_menus(demo: Demo) -> str:
    return demo.run(
        ["setup"],
        Step(PROMPT, "4\r"),
        Step("Ctrl-D leaves."),
        Step(PROMPT, f"{QUESTION}\r"),
        Step(PROMPT, "/exit\r"),
        Step("the default model? [y/N]"),
        Step("> ", "y\r"),
        Step("is the default model."),
        Step("> ", "\r"),
    )


def record(to: Path) -> None:
    with demo() as first:
        answer = one_command(first)
        lines = lines_of(first.screens["download"])
        progress = next(line for line in reversed(lines) if line.startswith(ID))
        talk = conversation(first)
        known = first.run(["models", "info", ID])
        sound = first.run(["models", "verify", ID])
    with demo() as second:
        menus = with_menus(second)
    parts = [
        ABOUT,
        "## One command\n\nIt asks before it downloads; `--yes` answers that beforehand.\n",
        block(answer),
        "While it downloads, the last line shows how far it is:\n",
        block(f"{progress}\n"),
        "From then on it is here, and no command uses the network:\n",
        block(talk),
        block(known),
        block(sound),
        "## With menus\n\nThe same from an empty home.\n",
        block(menus),
    ]
    (to / "first-model.md").write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Records docs/first-model.md.")
    parser.add_argument("--to", type=Path, default=ROOT / "docs", metavar="FOLDER")
    record(parser.parse_args().to)
