"""Records what a person sees from an empty home to a chat with a downloaded model: docs/session.md,
and the pictures in docs/pictures.

    python tools/record_session.py [--to FOLDER]

Everything happens on a real terminal of 80 columns (tests/cli/terminal.py), against a hub on
loopback (tests/hub.py) that has one model: the embedded one, under another id.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import hub as hub_module  # noqa: E402
from cli.terminal import CTRL_D, Terminal  # noqa: E402
from convergio_mlx.registry.checks import REQUIRED_SIZES  # noqa: E402
from store.models import GUIDE, guide  # noqa: E402

ID, REPOSITORY = "demo-guide", "demo/Guide-4bit"
COLUMNS, LINES = 80, 24
PROMPT = "\n> "
QUESTION = "Which model fits in 8 GB of memory?"
PACE = 500_000
"""Bytes a second that the hub sends, so that there is progress to see."""
_COLOURS = {"brown": "yellow", "default": "default"}
"""What pyte calls otherwise than rich."""

_KEPT = ("PATH", "LANG", "PYTHONPATH", "LD_LIBRARY_PATH")
_FONTS = "ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace"

ABOUT = """\
# A session

This page is recorded by `tools/record_session.py`, on a terminal of 80 columns. The hub is on
loopback and has one model, the embedded one under the id demo-guide, which
`~/.convergio/models.json` adds to the registry. With the network the models of the registry
download in the same way.
"""


@dataclass(frozen=True)
class Step:
    """What is waited for, and what is typed then."""

    until: str
    keys: str | bytes = b""
    snapshot: str = ""
    """A name, where the screen is to be kept as it is now, before the keys."""


class Demo:
    """A person's empty home, and a hub."""

    def __init__(self, home: Path, url: str, more: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.screens: dict[str, pyte.Screen] = {}
        self._environment = {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            "HOME": str(home),
            "TERM": "xterm",
            "HF_ENDPOINT": url,
            "NO_PROXY": "127.0.0.1,localhost",
            **(more or {}),
        }

    def run(self, arguments: Sequence[str], *steps: Step) -> str:
        """Runs the program and does the steps; all that was to be seen, as text."""
        command = [sys.executable, "-m", "convergio_mlx", *arguments]
        terminal = Terminal(command, self.home, self._environment, COLUMNS)
        try:
            for step in steps:
                terminal.expect(step.until)
                if step.snapshot:
                    self.screens[step.snapshot] = seen(terminal.raw, LINES)
                terminal.send(step.keys)
            code = terminal.finish()
        finally:
            terminal.close()
        if code != 0:
            raise SystemExit(f"{arguments} ended with {code}:\n{terminal.shown}")
        shown = "\n".join(lines_of(seen(terminal.raw, 2000)))
        return f"$ convergio-mlx {' '.join(map(quoted, arguments))}\n{shown}\n"


def quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word


def seen(raw: str, lines: int) -> pyte.Screen:
    """The screen of a terminal that got these bytes."""
    screen = pyte.Screen(COLUMNS, lines)
    pyte.Stream(screen).feed(raw)
    return screen


def lines_of(screen: pyte.Screen) -> list[str]:
    lines = [line.rstrip() for line in screen.display]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def picture(screen: pyte.Screen, title: str) -> str:
    """An SVG of a screen."""
    lines = []
    for number, line in enumerate(lines_of(screen)):
        cells = [screen.buffer[number][column] for column in range(len(line))]
        text = Text()
        for style, run in itertools.groupby(cells, style_of):
            text.append("".join(cell.data for cell in run), style)
        lines.append(text)
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text("\n").join(lines), no_wrap=True)
    svg = console.export_svg(title=title, unique_id=title.replace(" ", "-"))
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # nothing from elsewhere
    return svg.replace("Fira Code, monospace", _FONTS)


def style_of(cell: pyte.screens.Char) -> Style:
    return Style(color=_COLOURS.get(cell.fg, cell.fg), bold=cell.bold)


@contextmanager
def empty_home() -> Iterator[Path]:
    """A home whose path is the same each time, since lines break by its length."""
    home = Path(tempfile.gettempdir()) / "ada"
    shutil.rmtree(home, ignore_errors=True)  # left by a recording that was killed
    home.mkdir()
    try:
        yield home
    finally:
        shutil.rmtree(home)


@contextmanager
def demo() -> Iterator[Demo]:
    """A home with one model more in its registry, and a hub that has it."""
    with empty_home() as home, hub_module.running() as hub:
        hub.repositories[REPOSITORY] = guide()
        hub.pace = PACE
        registry = home / ".convergio" / "models.json"
        registry.parent.mkdir()
        registry.write_text(json.dumps({"schema": 1, "models": [entry()]}, indent=2) + "\n")
        yield Demo(home, hub.url)


def entry() -> dict[str, object]:
    config = json.loads((GUIDE / "config.json").read_text())
    return {
        "id": ID,
        "repository": REPOSITORY,
        "display_name": "Guide, for a demonstration",
        "model_type": config["model_type"],
        "download_bytes": sum(path.stat().st_size for path in GUIDE.iterdir()),
        "memory_gb": 1,
        "context_window": config["max_position_embeddings"],
        "config": {name: config[name] for name in REQUIRED_SIZES},
        "use_case": "Questions about convergio-mlx",
    }


def with_menus(demo: Demo) -> str:
    return demo.run(
        ["setup"],
        Step(PROMPT, "1\r"),
        Step(PROMPT, f"{ID}\r", "setup"),
        Step(PROMPT, "1\r"),
        Step(" left", snapshot="download"),
        Step("every file verified."),
        Step(PROMPT, "2\r"),
        Step(PROMPT, "1\r"),
        Step(PROMPT, f"{QUESTION}\r"),
        Step(PROMPT, "/exit\r"),
        Step(PROMPT, CTRL_D),
    )


def chat(demo: Demo) -> str:
    return demo.run(
        ["chat"],
        Step(PROMPT, f"{QUESTION}\r"),
        Step(PROMPT, "How do I download a model?\r"),
        Step(PROMPT, "/stats\r"),
        Step(PROMPT, "/exit\r", "chat"),
    )


def with_commands(demo: Demo) -> list[str]:
    return [
        demo.run(["models", "recommend"]),
        demo.run(["models", "info", ID]),
        demo.run(["models", "download", ID]),
        demo.run(["models", "list", "--installed"]),
        demo.run(["models", "verify", ID]),
        demo.run(["chat", "-m", ID, QUESTION]),
        demo.run(["models", "delete", "--yes", ID]),
    ]


def block(text: str) -> str:
    return f"```text\n{text}```\n"


def record(to: Path) -> None:
    (to / "pictures").mkdir(parents=True, exist_ok=True)
    with demo() as menus:
        by_menus = with_menus(menus)
        talk = chat(menus)
        progress = next(
            line for line in reversed(lines_of(menus.screens["download"])) if line.startswith(ID)
        )
        for name in ("setup", "chat"):
            svg = picture(menus.screens[name], f"convergio-mlx {name}")
            (to / "pictures" / f"{name}.svg").write_text(svg, encoding="utf-8")
    with demo() as commands:
        by_commands = with_commands(commands)
    parts = [
        ABOUT,
        "## With menus\n",
        block(by_menus),
        "While it downloads, the last line shows how far it is:\n",
        block(f"{progress}\n"),
        "The model is the default now:\n",
        block(talk),
        "## With single commands\n\nThe same from an empty home, each step a command.\n",
        *map(block, by_commands),
    ]
    (to / "session.md").write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Records docs/session.md and its pictures.")
    parser.add_argument("--to", type=Path, default=ROOT / "docs", metavar="FOLDER")
    record(parser.parse_args().to)
