"""Help, versions, documentation, and how little is imported for them."""

import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import convergio_mlx
from cli.program import ENVIRONMENT, PROGRAM, Run
from convergio_mlx.cli import exits
from convergio_mlx.cli.app import make_parser
from convergio_mlx.cli.help_pages import PAGES, page
from convergio_mlx.cli.parser import Parser

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_bare_command_is_its_help(run: Run) -> None:
    bare, asked, short = run(), run("--help"), run("-h")
    assert (bare.returncode, bare.stderr) == (0, b"")
    assert bare.stdout == asked.stdout == short.stdout
    assert b"answer a question, or hold a conversation" in bare.stdout


def test_version(run: Run) -> None:
    found = run("--version")
    assert re.fullmatch(
        rf"convergio-mlx {re.escape(convergio_mlx.__version__)} \(mlx \d+\.\d+\.\d+\)\n",
        found.stdout.decode(),
    )


def test_version_without_the_native_module(run: Run) -> None:
    code = (
        "import sys; sys.modules['convergio_mlx._mlx_version'] = None;"
        "from convergio_mlx.cli import main; main()"
    )
    found = run("--version", command=[PROGRAM[0], "-c", code])
    assert found.stdout.decode() == (
        f"convergio-mlx {convergio_mlx.__version__} (without its native module)\n"
    )


def commands(parser: Parser) -> Iterator[Parser]:
    yield parser
    for command in parser.commands.values():
        yield from commands(command)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_help_fits(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for parser in commands(make_parser()):
        lines = parser.format_help().splitlines()[1:]
        assert max(map(len, lines)) <= min(columns, 80), parser.prog


def test_pages(run: Run) -> None:
    for name in PAGES:
        found = run("help", name)
        assert (found.returncode, found.stderr) == (0, b"")
        text = found.stdout.decode()
        assert text == page(name)
        assert max(map(len, text.splitlines())) <= 79


def test_help_of_commands(run: Run) -> None:
    assert run("help", "chat").stdout == run("chat", "--help").stdout
    bare = run("help").stdout
    assert bare.startswith(run("--help").stdout)
    assert bare.endswith(b"`convergio-mlx help SUBJECT` explains: local, models, setup.\n")


def test_help_on_what_there_is_not(run: Run) -> None:
    found = run("help", "frogs")
    assert found.returncode == exits.USAGE
    assert found.stderr.decode().startswith(
        "error: [cli] there is no help page 'frogs'; available: local, models, setup, chat,"
    )


def test_the_documentation_is_what_the_program_says() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "make_cli_docs.py"))
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == tool["page"](), (
        "docs/cli.md is out of date; run tools/make_cli_docs.py"
    )


def test_help_and_errors_import_nothing_heavy(models: Path) -> None:
    code = (
        "import sys\n"
        "from convergio_mlx.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    for arguments in (["chat", "--help"], ["chat", "--foo"], []):
        found = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            cwd=models,
            env=ENVIRONMENT,
            check=True,
        )
        names = found.stdout.decode().splitlines()[-1]
        for heavy in ("mlx", "numpy", "jinja2", "tokenizers", "rich", "typer", "asyncio"):
            assert f"'{heavy}'" not in names


def test_an_answer_imports_no_rich_and_no_network(models: Path) -> None:
    code = (
        "import sys\n"
        "from convergio_mlx.cli import main\n"
        "main()\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, "chat", "x", "-m", "words"],
        capture_output=True,
        cwd=models,
        env=ENVIRONMENT,
        check=True,
    )
    names = found.stdout.decode().splitlines()[-1]
    for needless in (
        "jinja2",
        "numpy",
        "rich",
        "typer",
        "huggingface_hub",
        "transformers",
        "readline",
    ):
        assert f"'{needless}'" not in names


def test_pages_name_commands_and_options_that_exist() -> None:
    parser = make_parser()
    for name in PAGES:
        for line in re.findall(r"convergio-mlx ([a-z][a-z -]*[a-z])", page(name)):
            parser = make_parser()
            for word in line.split():
                if not parser.commands:
                    break
                assert word in parser.commands, line
                parser = parser.commands[word]
