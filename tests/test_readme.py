"""The README: its table is models.json's, its commands and its pictures are as they must be."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_the_table_of_models_is_current() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "make_readme_table.py"))
    assert tool["with_table"](TEXT) == TEXT, (
        "the README's table is out of date; run tools/make_readme_table.py"
    )


def test_the_two_commands_come_first() -> None:
    commands = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert [command.count("\n") for command in commands[:2]] == [1, 1]
    assert "pip install ." in commands[0]
    assert " -m pytest" in commands[1]


def test_embedding_takes_ten_lines() -> None:
    assert len(PROGRAMS[0].splitlines()) <= 10


@pytest.mark.parametrize("name", ["setup", "chat"])
def test_its_pictures_need_nothing_from_elsewhere(name: str) -> None:
    svg = (ROOT / "docs" / "pictures" / f"{name}.svg").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s\"'<)]+", svg)) <= {
        "http://www.w3.org/2000/svg",
        "https://www.textualize.io",
    }
    assert f"convergio-mlx&#160;{name}" in svg or f"convergio-mlx {name}" in svg
