"""`hf:owner/name` at the command line, and the offer to download a model that is not here."""

import json
from pathlib import Path

import pytest

from cli.program import Run
from cli.terminal import CTRL_D, Open
from convergio_mlx.cli import exits
from hub import Hub
from store.models import GUIDE, guide

REPOSITORY = "Someone/Some-Model-4bit"
HF = f"hf:{REPOSITORY}"
ID = "someone--some-model-4bit"


def test_info_looks_and_download_installs(
    run: Run, hub: Hub, environment: dict[str, str], tmp_path: Path
) -> None:
    commit = guide().revision
    asked = run("models", "info", HF, **environment)
    assert asked.returncode == exits.OK, asked.stderr
    lines = [line.split(maxsplit=1) for line in asked.stdout.decode().splitlines()]
    assert lines[:5] == [
        ["id", ID],
        ["repository", f"{REPOSITORY} at {commit}"],
        ["download", "2 MB"],
        ["runs", "yes, by its config.json"],
        ["context", "2048 tokens"],
    ]
    assert lines[5] == ["memory", "fits with all 2048 tokens of context"]
    assert not hub.asked_for("/cdn/")

    here = tmp_path / "home" / "models" / "mlx" / ID
    done = run("models", "download", HF, **environment)
    assert done.stdout.decode() == f"{HF} is installed as {ID}: 2 MB in {here}\n"
    listed = run("models", "list", "--installed", **environment).stdout.decode().splitlines()
    assert listed[-1].split() == [ID, "2", "MB", "-", "-", "2048", "from", REPOSITORY]
    told = json.loads(run("models", "info", "--json", HF, **environment).stdout)
    assert (told["id"], told["repository"], told["trust"]["kind"]) == (ID, REPOSITORY, "first use")
    assert told["installed"]["folder"] == str(here)
    assert b"first use" in run("models", "info", ID, **environment).stdout
    assert run("models", "delete", "-y", HF, **environment).returncode == exits.OK
    assert not here.exists()


def test_what_does_not_fit_or_run_is_refused_before_it_comes(
    run: Run, hub: Hub, environment: dict[str, str]
) -> None:
    little = {**environment, "CONVERGIO_MLX_MEMORY_LIMIT": "100000000"}
    refused = run("models", "download", HF, **little)
    assert refused.returncode == exits.MEMORY
    assert f"error: [fit] {HF!r} needs 21" in refused.stderr.decode()
    assert "force the download with --force" in refused.stderr.decode()
    assert not hub.asked_for("/cdn/")
    assert run("models", "download", "--force", HF, **little).returncode == exits.OK

    hub.repositories["o/other"] = guide()
    hub.repositories["o/other"].files["config.json"] = b'{"model_type": "mamba"}'
    refused = run("chat", "--yes", "-m", "hf:o/other", "hello", **environment)
    assert refused.returncode == exits.MODEL
    assert b"'model_type' is the string" in refused.stderr


def test_without_a_terminal_yes_downloads(run: Run, environment: dict[str, str]) -> None:
    refused = run("chat", "-m", HF, "hello", **environment)
    assert refused.returncode == exits.MODEL
    assert refused.stderr.decode() == (
        f"error: [models] {HF!r} is not downloaded yet; `convergio-mlx models download {HF}` does "
        "that, and --yes does it first.\n"
    )
    offline = run("chat", "--yes", "--offline", "-m", HF, "hello", **environment)
    assert f"downloading {HF!r} needs the network" in offline.stderr.decode()
    answered = run("complete", "--yes", "-m", HF, "--max-tokens", "1", "hello", **environment)
    assert answered.returncode == exits.OK
    assert f"{HF} is installed as {ID}." in answered.stderr.decode()


@pytest.mark.parametrize("typed", ["n\r", CTRL_D], ids=["no", "the end"])
def test_a_person_who_says_no_gets_the_command(
    terminal: Open, environment: dict[str, str], hub: Hub, typed: str | bytes
) -> None:
    here = terminal("chat", "-m", HF, "hello", **environment)
    here.expect("is not downloaded yet. Download it (2 MB)? [Y/n] ")
    here.send(typed)
    assert here.finish() == exits.MODEL
    assert f"`convergio-mlx models download {HF}`" in " ".join(here.shown.split())
    assert not hub.asked_for("/cdn/")


def test_of_two_models_the_one_that_does_not_fit_is_named(
    terminal: Open, environment: dict[str, str]
) -> None:
    little = {**environment, "CONVERGIO_MLX_MEMORY_LIMIT": "100000000"}
    here = terminal("chat", "-m", str(GUIDE), "--draft-model", HF, "hello", **little)
    assert here.finish() == exits.MEMORY
    assert f"error: [fit] {HF!r} needs 21" in " ".join(here.shown.split())


def test_a_person_who_says_yes_gets_the_answer(terminal: Open, environment: dict[str, str]) -> None:
    size = sum(path.stat().st_size for path in GUIDE.iterdir())
    assert 1_500_000 < size < 2_500_000
    here = terminal("chat", "-m", HF, "--max-tokens", "3", "hello", **environment)
    here.expect("Download it (2 MB)? [Y/n] ")
    here.send("\r")
    here.expect(f"is installed as {ID}.")
    assert here.finish() == exits.OK
