"""The recorded session can be recorded again: each of its steps still happens."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


ROOT = Path(__file__).parents[2]


def commands(text: str) -> list[str]:
    return re.findall(r"^\$ (.+)$", text, re.MULTILINE)


def test_the_session_is_recorded_again(tmp_path: Path) -> None:
    tool = ROOT / "tools" / "record_session.py"
    subprocess.run([sys.executable, str(tool), "--to", str(tmp_path)], check=True, timeout=600)
    kept = (ROOT / "docs" / "session.md").read_text(encoding="utf-8")
    made = (tmp_path / "session.md").read_text(encoding="utf-8")
    assert commands(made) == commands(kept)
    for said in (
        "demo-guide is installed: ",
        "every file verified.",
        "demo-guide is the default model.",
        "Which model fits in 8 GB of memory?",
        "files are unchanged",
        "demo-guide is deleted: ",
    ):
        assert said in made
        assert said in kept
    for name in ("setup", "chat"):
        assert (tmp_path / "pictures" / f"{name}.svg").read_text().startswith("<svg ")
