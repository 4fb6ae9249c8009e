"""The documentation is true: its pages build without a warning, its map names the folders that
there are, and its examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import convergio_mlx as cm

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MAP = (DOCS / "map.md").read_text()
NOT_NAMED = {"__pycache__"}


def blocks(*languages: str) -> list[object]:
    """The fenced blocks of all pages in these languages, with names for pytest."""
    return [
        pytest.param(match.group(2), id=f"{page.stem}-{number}")
        for page in PAGES
        for number, match in enumerate(BLOCK.finditer(page.read_text()), 1)
        if match.group(1) in languages
    ]


def folders(parent: str) -> set[str]:
    """The folders below `parent` that hold sources."""
    return {
        f"{parent}/{path.name}"
        for path in (ROOT / parent).iterdir()
        if path.is_dir() and path.name not in NOT_NAMED
    }


@pytest.mark.slow
def test_the_pages_build_without_a_warning_and_list_all_public_names(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "api" / "index.html").read_text()
    described = set(re.findall(r'id="convergio_mlx\.(\w+)"', page))
    assert set(cm.__all__) - {"__version__"} <= described


def test_the_index_lists_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w/.-]+\.md)\)", (DOCS / "README.md").read_text()))
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert linked == pages - {"README.md"}


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links {target}"


def test_the_map_names_what_there_is() -> None:
    """Every folder that it names exists, and it names every folder of csrc and of the package."""
    named = set(
        re.findall(r"`((?:csrc|python|tests|bench|tools|training|integrations|docs)[\w/]*)`", MAP)
    )
    assert [name for name in named if not (ROOT / name).is_dir()] == []
    package = {f"python/{folder}" for folder in ("convergio_mlx",)} | folders(
        "python/convergio_mlx"
    )
    assert (
        folders("csrc") | package | {"tests", "bench", "tools", "training", "integrations", "docs"}
    ) - named == set()


def test_the_map_names_files_that_exist() -> None:
    names = set(re.findall(r"\b[\w/.-]+\.(?:h|cpp|py|json|md)\b", MAP))
    known = {
        str(path.relative_to(ROOT))
        for folder in ("csrc", "python", "docs", "tests")
        for path in (ROOT / folder).rglob("*.*")
    } | {path.name for path in ROOT.iterdir()}
    lost = [name for name in names if not any(f"/{path}".endswith(f"/{name}") for path in known)]
    assert lost == []


def test_the_map_is_one_page() -> None:
    assert len(MAP.splitlines()) <= 110


@pytest.mark.slow
@pytest.mark.parametrize("code", blocks("python"))
def test_python_examples_run(code: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("text", blocks("cpp", "diff"))
def test_fragments_are_in_the_sources(text: str) -> None:
    """What a page shows of the code is what the code says."""
    sources = [ROOT / "csrc/arch/families.cpp", ROOT / "tests/checkpoint_shapes.py"]
    sources += [ROOT / "tests/expert_layouts.py"]
    sources += [ROOT / "tests/arch/variants.py", *(ROOT / "csrc").rglob("*.h")]
    code = "\n".join(path.read_text() for path in sources)
    for line in text.splitlines():
        assert line.removeprefix("+").strip() in code


@pytest.mark.parametrize("text", blocks("console", "sh"))
def test_commands_name_what_exists(text: str) -> None:
    """Scripts, targets of make, subcommands of the program: those that a page types exist."""
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    program = (DOCS / "cli.md").read_text()
    for script in re.findall(r"(?<!/)\b(?:tools|bench|tests)/[\w/.-]+", text):
        assert (ROOT / script).exists(), script
    for target in re.findall(r"^(?:\$ )?make ([a-z0-9-]+)", text, re.MULTILINE):
        assert target in targets, target
    for command in re.findall(r"\bconvergio-mlx ([a-z]+)", text):
        assert f"## convergio-mlx {command}\n" in program, command
