"""`convergio-mlx models …` against a hub on loopback: what is written where, and exit codes."""

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hub as hub_module
from cli.program import ENVIRONMENT, PROGRAM, Run
from cli.terminal import CTRL_C, Open
from convergio_mlx.cli import exits
from convergio_mlx.cli.progress import duration
from convergio_mlx.registry import document
from hub import Fault, Hub
from store.models import GUIDE, MODEL, REPOSITORY, guide

Models = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hub_module.running() as hub:
        hub.repositories[REPOSITORY] = guide()
        yield hub


@pytest.fixture
def environment(hub: Hub, tmp_path: Path) -> dict[str, str]:
    return {
        "HF_ENDPOINT": hub.url,
        "CONVERGIO_HOME": str(tmp_path / "home"),
        "HF_HOME": str(tmp_path / "hf"),
    }


@pytest.fixture
def command(run: Run, environment: dict[str, str]) -> Models:
    """Runs `convergio-mlx models …`."""

    def run_models(*arguments: str, stdin: bytes = b"", **more: str) -> object:
        return run("models", *arguments, stdin=stdin, **{**environment, **more})

    return run_models  # type: ignore[return-value]


def folder(environment: dict[str, str]) -> Path:
    return Path(environment["CONVERGIO_HOME"]) / "models" / "mlx" / MODEL


def test_from_nothing_to_deleted(
    command: Models, run: Run, hub: Hub, environment: dict[str, str]
) -> None:
    here = folder(environment)
    listed = command("list").stdout.decode().splitlines()
    assert listed[0].split() == ["MODEL", "STATE", "DOWNLOAD", "MEMORY", "CONTEXT", "USE"]
    assert listed[1].split() == [
        MODEL,
        "-",
        *["800", "MB", "4", "GB", "131072", "Fast,", "lightweight"],
    ]
    assert max(map(len, listed)) <= 80

    missing = run("chat", "x", "-m", MODEL, **environment)
    assert missing.returncode == exits.MODEL
    assert missing.stderr.decode() == (
        f"error: [models] {MODEL!r} is not downloaded yet; `convergio-mlx models download {MODEL}` "
        "does that (0.8 GB).\n"
    )

    done = command("download", f"mlx/{MODEL}")
    assert done.stdout.decode() == f"{MODEL} is installed: 2 MB in {here}\n"
    assert done.stderr.decode().splitlines() == [
        f"{MODEL}: asking the hub what there is",
        f"{MODEL}: downloading 2 MB",
    ]
    assert run("chat", "hello", "-m", f"mlx/{MODEL}", **environment).returncode == exits.OK
    assert command("path", MODEL).stdout.decode() == f"{here}\n"

    weights = here / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    found = command("verify")
    assert found.returncode == exits.MODEL
    assert found.stdout.decode() == (
        f"{MODEL}: model.safetensors has other bytes than were published\n"
        f"`convergio-mlx models repair {MODEL}` mends that.\n"
    )
    hub.requests.clear()
    mended = command("repair", MODEL)
    assert mended.stdout.decode() == (
        f"{MODEL}: mended model.safetensors, which has other bytes than were published\n"
    )
    assert {one.path.rpartition("/")[2] for one in hub.asked_for("/resolve/")} == {
        "model.safetensors"
    }
    assert command("verify", MODEL).stdout.decode() == (
        f"{MODEL}: all {len(guide().files) + 1} files are as published\n"
    )

    refused = command("delete", MODEL)
    assert refused.returncode == exits.USAGE
    assert refused.stderr.decode() == (
        f"error: [cli] deleting {MODEL!r} (2 MB) wants a yes, and there is no terminal to ask at; "
        "give --yes.\n"
    )
    gone = command("delete", "--yes", MODEL)
    assert gone.stdout.decode() == f"{MODEL} is deleted: 2 MB are free\n"
    assert not here.exists()
    assert command("verify").stdout == b"No model is installed.\n"


def test_json(command: Models, environment: dict[str, str]) -> None:
    def of(*arguments: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(command(*arguments, "--json").stdout)
        return found

    installed = of("download", MODEL)
    assert (installed["id"], installed["folder"]) == (MODEL, str(folder(environment)))
    assert (installed["repository"], installed["source"]) == (REPOSITORY, "hub")
    (first, *_) = of("list")["models"]  # type: ignore[misc]
    assert first["installed"] == installed
    assert first["repository"] == REPOSITORY
    assert [one["id"] for one in of("list", "--installed")["models"]] == [MODEL]  # type: ignore[attr-defined]
    assert of("info", MODEL)["installed"] == installed
    assert of("path", MODEL) == {"id": MODEL, "folder": str(folder(environment))}
    verified = of("verify", MODEL)
    assert verified["sound"] is True
    assert {one["state"] for one in verified["files"]} == {"ok"}  # type: ignore[attr-defined]
    assert of("repair", MODEL) == {"id": MODEL, "mended": []}
    assert int(of("delete", "-y", MODEL)["freed_bytes"]) > 1_800_000  # type: ignore[call-overload]


def test_imports_have_no_entry_and_are_listed(command: Models) -> None:
    done = command("import", str(GUIDE), "--id", "mine")
    assert done.stdout.startswith(b"mine is installed: 2 MB in ")
    last = command("list").stdout.decode().splitlines()[-1]
    assert last.split() == ["mine", "2", "MB", "-", "-", "-", "imported"]
    told = command("info", "mine").stdout.decode()
    assert re.search(r"^from +a folder, \d{4}-\d\d-\d\dT", told, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "more", "code", "sentence"),
    [
        (["download", "nothing"], {}, exits.MODEL, "[registry] there is no model 'nothing'; "),
        (["info", "\x1b[2J"], {}, exits.MODEL, "[store] '\\x1b[2J' is no model's id; "),
        (["verify", MODEL], {}, exits.MODEL, f"[store] {MODEL!r} is not installed; "),
        (["delete", "-y", MODEL], {}, exits.MODEL, f"[store] {MODEL!r} is not installed; "),
        (["import", "/nowhere"], {}, exits.MODEL, "[store] there is no folder '/nowhere'; "),
        (
            ["download", MODEL, "--offline"],
            {},
            exits.NETWORK,
            f"[offline] downloading {MODEL!r} needs the network, which offline mode forbids; ",
        ),
        (
            ["download", MODEL],
            {"CONVERGIO_OFFLINE": "1"},
            exits.NETWORK,
            f"[offline] downloading {MODEL!r} needs the network, which CONVERGIO_OFFLINE=1 ",
        ),
        (
            ["download", MODEL],
            {"CONVERGIO_HOME": "/proc/nothing"},
            exits.STORAGE,
            "[store] cannot make '/proc/nothing/models/mlx/.locks' (",
        ),
        (["pin"], {}, exits.USAGE, "[registry] 'models.json' cannot be read (No such file "),
    ],
)
def test_what_cannot_be_done(
    command: Models, arguments: list[str], more: dict[str, str], code: int, sentence: str
) -> None:
    found = command(*arguments, **more)
    assert found.stderr.decode().startswith(f"error: {sentence}")
    assert found.stderr.count(b"\n") == 1
    assert (found.stdout, found.returncode) == (b"", code)


def test_a_token_that_is_refused(command: Models) -> None:
    found = command("download", MODEL, HF_TOKEN="wrong")
    assert found.stderr.decode().splitlines()[-1] == (
        f"error: [store] the hub does not take the token for {REPOSITORY!r}; set HF_TOKEN to one "
        "that may read it."
    )
    assert found.returncode == exits.NETWORK


def test_a_broken_override_is_a_warning_without_control_characters(
    command: Models, environment: dict[str, str]
) -> None:
    home = Path(environment["CONVERGIO_HOME"])
    home.mkdir()
    entry = {"id": MODEL, "use_case": "\x1b]0;owned\x07"}
    (home / "models.json").write_text(json.dumps({"schema": 1, "models": [entry]}))
    found = command("list")
    assert found.returncode == exits.OK
    assert found.stderr.startswith(b"warning: [registry] entry 1 of ")
    assert b"\x1b" not in found.stderr + found.stdout
    assert b"\\x1b]0;owned\\x07" in found.stderr


def test_what_a_hub_writes_into_its_headers_is_not_shown(command: Models, hub: Hub) -> None:
    hub.faults = [Fault("/api/models/", headers={"X-HF-Warning": "topic; \x9b31mowned"})]
    found = command("download", MODEL)
    assert found.returncode == exits.OK
    assert b"owned" not in found.stderr + found.stdout


def test_pin(command: Models, hub: Hub, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    kept = (root / "models.json").read_text(encoding="utf-8")
    assert document.text(json.loads(kept)) == kept, "pin would change more than it should"
    file = tmp_path / "models.json"
    file.write_text(kept, encoding="utf-8")
    done = command("pin", MODEL, "--file", str(file))
    revision = hub.repositories[REPOSITORY].revision
    assert done.stdout.decode() == f"{MODEL}: {len(guide().files)} files at {revision}\n"
    pinned = json.loads(file.read_text(encoding="utf-8"))["models"]
    assert pinned[0]["revision"] == revision
    assert pinned[1:] == json.loads(kept)["models"][1:]
    receipt = json.loads(command("download", MODEL, "--json").stdout)
    files = json.loads((Path(receipt["folder"]) / "receipt.json").read_bytes())["files"]
    assert pinned[0]["sha256"] == {one["name"]: one["sha256"] for one in files}


def test_ctrl_c_keeps_what_has_come_and_says_how_to_go_on(
    terminal: Open, hub: Hub, environment: dict[str, str]
) -> None:
    hub.pace = 300_000
    shown = terminal("models", "download", MODEL, **environment)
    shown.expect("1 MB of 2 MB")
    shown.send(CTRL_C)
    shown.expect("Stopped at 1 MB of 2 MB; `convergio-mlx models download llama-3.2-1b`")
    assert shown.finish() == exits.INTERRUPTED
    assert "Traceback" not in shown.raw
    hub.pace = None
    again = terminal("models", "download", MODEL, **environment)
    again.expect(f"{MODEL} is installed: 2 MB")
    assert again.finish() == exits.OK
    assert [one for one in hub.asked_for("/cdn/") if one.range]


def test_ctrl_c_without_a_terminal(hub: Hub, environment: dict[str, str]) -> None:
    hub.pace = 300_000
    with subprocess.Popen(
        [*PROGRAM, "models", "download", MODEL],
        stderr=subprocess.PIPE,
        env={**ENVIRONMENT, **environment},
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"llama-3.2-1b: asking the hub what there is\n"
        assert process.stderr.readline() == b"llama-3.2-1b: downloading 2 MB\n"
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read().decode()
    assert process.returncode == exits.INTERRUPTED
    assert re.fullmatch(
        r"Stopped at \d+ [kM]B of 2 MB; `convergio-mlx models download llama-3.2-1b` goes on from "
        r"there\.\n",
        rest,
    )


def test_deleting_asks(terminal: Open, command: Models, environment: dict[str, str]) -> None:
    command("download", MODEL)
    for answer, sentence in (("", "stays."), ("n", "stays."), ("y", "is deleted: 2 MB are free")):
        shown = terminal("models", "delete", MODEL, **environment)
        shown.expect("Delete llama-3.2-1b (2 MB)? [y/N] ")
        shown.send(f"{answer}\r")
        shown.expect(f"{MODEL} {sentence}")
        assert shown.finish() == exits.OK


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (61, "1 min"), (3599, "1 h 00 min"), (7500, "2 h 05 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
