"""`convergio-mlx models …` against a hub on loopback: what is written where, and exit codes."""

import json
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.program import ENVIRONMENT, PROGRAM, Run
from cli.terminal import CTRL_C, Open
from convergio_mlx.cli import exits
from convergio_mlx.cli.progress import duration
from convergio_mlx.registry import document
from hub import Fault, Hub
from store.models import GUIDE, MODEL, REPOSITORY, guide

Models = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def command(run: Run, environment: dict[str, str]) -> Models:
    """Runs `convergio-mlx models …`."""

    def run_models(*arguments: str, stdin: bytes = b"", **more: str) -> object:
        return run("models", *arguments, stdin=stdin, **{**environment, **more})

    return run_models  # type: ignore[return-value]


def folder(environment: dict[str, str]) -> Path:
    return Path(environment["CONVERGIO_HOME"]) / "models" / "mlx" / MODEL


@pytest.mark.slow
def test_from_nothing_to_deleted(
    command: Models, run: Run, hub: Hub, environment: dict[str, str]
) -> None:
    here = folder(environment)
    listed = command("list").stdout.decode().splitlines()
    assert listed[0].split() == ["MODEL", "STATE", "DOWNLOAD", "MEMORY", "CONTEXT", "USE"]
    assert listed[1].split() == ["convergio-guide", "2", "MB", "-", "-", "2048", "demonstration"]
    assert listed[2].split() == [
        MODEL,
        "-",
        *["800", "MB", "4", "GB", "131072", "Fast,", "lightweight"],
    ]
    assert max(map(len, listed)) <= 80

    missing = run("chat", "x", "-m", MODEL, **environment)
    assert missing.returncode == exits.MODEL
    assert missing.stderr.decode() == (
        f"error: [models] {MODEL!r} is not downloaded yet; `convergio-mlx models download {MODEL}` "
        "does that (800 MB), and --yes does it first.\n"
    )

    done = command("download", f"mlx/{MODEL}")
    assert done.stdout.decode() == f"{MODEL} is installed: 2 MB in {here}\n"
    assert done.stderr.decode().splitlines() == [
        f"{MODEL}: listing files on the hub",
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
        f"{MODEL}: model.safetensors has changed\n"
        f"`convergio-mlx models repair {MODEL}` repairs it.\n"
    )
    hub.requests.clear()
    mended = command("repair", MODEL)
    assert mended.stdout.decode() == (f"{MODEL}: repaired model.safetensors, which has changed\n")
    assert {one.path.rpartition("/")[2] for one in hub.asked_for("/resolve/")} == {
        "model.safetensors"
    }
    assert command("verify", MODEL).stdout.decode() == (
        f"{MODEL}: all {len(guide().files) + 1} files are unchanged\n"
    )

    refused = command("delete", MODEL)
    assert refused.returncode == exits.USAGE
    assert refused.stderr.decode() == (
        f"error: [cli] deleting {MODEL!r} (2 MB) needs confirmation, and there is no terminal to "
        "ask at; give --yes.\n"
    )
    gone = command("delete", "--yes", MODEL)
    assert gone.stdout.decode() == f"{MODEL} is deleted: 2 MB freed\n"
    assert not here.exists()
    assert command("verify").stdout == b"No model is installed.\n"


@pytest.mark.slow
def test_json(command: Models, environment: dict[str, str]) -> None:
    def of(*arguments: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(command(*arguments, "--json").stdout)
        return found

    installed = of("download", MODEL)
    assert (installed["id"], installed["folder"]) == (MODEL, str(folder(environment)))
    assert (installed["repository"], installed["source"]) == (REPOSITORY, "hub")
    (guide, first, *_) = of("list")["models"]  # type: ignore[misc]
    assert (guide["id"], guide["embedded"]) == ("convergio-guide", True)
    assert guide == of("info", "convergio-guide")
    assert first["installed"] == {**installed, "is_registry_model": True}
    assert first["repository"] == REPOSITORY
    here = of("list", "--installed")["models"]
    assert [one["id"] for one in here] == ["convergio-guide", MODEL]  # type: ignore[attr-defined]
    assert of("info", MODEL)["installed"] == installed
    assert of("path", MODEL) == {"id": MODEL, "folder": str(folder(environment))}
    verified = of("verify", MODEL)
    assert verified["sound"] is True
    assert {one["state"] for one in verified["files"]} == {"ok"}  # type: ignore[attr-defined]
    assert of("repair", MODEL) == {"id": MODEL, "mended": []}
    assert int(of("delete", "-y", MODEL)["freed_bytes"]) > 1_800_000  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("arguments", "why", "remedy"),
    [
        (["download"], "needs no download", "`convergio-mlx chat -m convergio-guide` uses it"),
        (
            ["delete", "-y"],
            "cannot be deleted by itself",
            "`convergio-mlx chat -m convergio-guide`",
        ),
        (["verify"], "cannot be verified by itself", "`pip install --force-reinstall --no-deps "),
        (["repair"], "cannot be repaired by itself", "`pip install --force-reinstall --no-deps "),
    ],
)
def test_the_embedded_model_is_part_of_the_package(
    command: Models, arguments: list[str], why: str, remedy: str
) -> None:
    found = command(*arguments, "mlx/convergio-guide")
    assert found.returncode == exits.USAGE
    assert found.stderr.decode().startswith(
        f"error: [models] 'convergio-guide' comes inside the package and {why}; {remedy}"
    )


def test_another_model_under_an_id_of_the_registry_is_not_described_as_that(
    command: Models,
) -> None:
    assert command("import", str(GUIDE), "--id", MODEL).returncode == exits.OK
    listed = command("list", "--installed").stdout.decode().splitlines()
    facts = ["2", "MB", "-", "-", "2048", "imported", "from", "a", "folder"]
    assert listed[2].split() == [MODEL, *facts]
    shown = command("info", MODEL).stdout.decode()
    assert f"registry   the id belongs to {REPOSITORY}; what is installed was imported" in shown
    assert "Llama" not in shown.replace(REPOSITORY, "")
    models = json.loads(command("list", "--json").stdout)["models"]
    assert models[1]["installed"]["is_registry_model"] is False


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_the_list_at_every_width(terminal: Open, environment: dict[str, str], columns: int) -> None:
    screen = terminal("models", "list", columns=columns, **environment)
    assert screen.finish() == exits.OK
    lines = screen.shown.splitlines()
    assert max(map(len, lines)) <= columns
    assert len([line for line in lines if line.startswith(MODEL)]) == 1


def test_imports_have_no_entry_and_are_listed(command: Models) -> None:
    done = command("import", str(GUIDE), "--id", "mine")
    assert done.stdout.startswith(b"mine is installed: 2 MB in ")
    last = command("list").stdout.decode().splitlines()[-1]
    assert last.split() == ["mine", "2", "MB", "-", "-", "2048", "imported", "from", "a", "folder"]
    told = command("info", "mine").stdout.decode()
    assert re.search(r"^from +a folder, \d{4}-\d\d-\d\dT", told, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "more", "code", "sentence"),
    [
        (["download", "nothing"], {}, exits.MODEL, "[registry] there is no model 'nothing'; "),
        (["info", "\x1b[2J"], {}, exits.MODEL, "[store] '\\x1b[2J' is no model's id; "),
        (["verify", MODEL], {}, exits.MODEL, f"[store] {MODEL!r} is not installed; "),
        (["delete", "-y", MODEL], {}, exits.MODEL, f"[store] {MODEL!r} is not installed; "),
        (
            ["import", "/nowhere"],
            {},
            exits.MODEL,
            "[store] there is no folder or file '/nowhere'; ",
        ),
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
            "[store] cannot lock '/proc/nothing/models/mlx/.locks/llama-3.2-1b.lock' (",
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
    count = len(guide().files)
    assert done.stdout.decode() == f"{MODEL}: {count} files at {revision}, pinned\n"
    pinned = json.loads(file.read_text(encoding="utf-8"))["models"]
    assert pinned[0]["revision"] == revision
    assert pinned[0]["download_bytes"] == sum(map(len, guide().files.values()))
    assert pinned[1:] == json.loads(kept)["models"][1:]
    receipt = json.loads(command("download", MODEL, "--json").stdout)
    files = json.loads((Path(receipt["folder"]) / "receipt.json").read_bytes())["files"]
    assert pinned[0]["sha256"] == {one["name"]: one["sha256"] for one in files}


def test_pin_keeps_what_it_has_where_one_model_cannot_be_had(
    command: Models, hub: Hub, tmp_path: Path
) -> None:
    file = tmp_path / "models.json"
    models = [{"id": "gone", "repository": "o/gone"}, {"id": MODEL, "repository": REPOSITORY}]
    file.write_text(json.dumps({"schema": 1, "models": models}))
    done = command("pin", "--file", str(file))
    assert done.returncode == exits.MODEL
    assert b"gone: [store] the hub has no public repository 'o/gone'" in done.stderr
    pinned = json.loads(file.read_text())["models"]
    assert [bool(one.get("sha256")) for one in pinned] == [False, True]
    before = file.read_bytes()
    checked = command("pin", MODEL, "--check", "--file", str(file))
    assert (checked.returncode, b"as pinned" in checked.stdout) == (exits.OK, True)
    pinned[1]["sha256"]["config.json"] = "0" * 64
    file.write_text(json.dumps({"schema": 1, "models": pinned}))
    checked = command("pin", MODEL, "--check", "--file", str(file))
    assert (checked.returncode, b"not as pinned" in checked.stdout) == (exits.MODEL, True)
    assert json.loads(file.read_bytes())["models"] == pinned
    assert before != file.read_bytes()


@pytest.mark.slow
def test_info_says_whom_a_model_is_trusted_by(command: Models, hub: Hub) -> None:
    assert b"none yet: the first download records" in command("info", MODEL).stdout
    command("download", MODEL)
    revision = hub.repositories[REPOSITORY].revision
    said = command("info", MODEL).stdout.decode()
    assert f"on first use: later downloads are held to commit {revision}" in " ".join(said.split())
    trust = json.loads(command("info", MODEL, "--json").stdout)["trust"]
    assert (trust["kind"], trust["revision"]) == ("first use", revision)
    hub.repositories[REPOSITORY].files["config.json"] += b" "
    command("delete", MODEL, "--yes")
    refused = command("download", MODEL)
    assert refused.returncode == exits.MODEL
    assert b"--newest" in refused.stderr
    assert command("download", MODEL, "--newest").returncode == exits.OK


@pytest.mark.slow
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
        assert process.stderr.readline() == b"llama-3.2-1b: listing files on the hub\n"
        assert process.stderr.readline() == b"llama-3.2-1b: downloading 2 MB\n"
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read().decode()
    assert process.returncode == exits.INTERRUPTED
    assert re.fullmatch(
        r"Stopped at \d+ [kM]B of 2 MB; `convergio-mlx models download llama-3.2-1b` continues "
        r"from there\.\n",
        rest,
    )


def test_deleting_asks(terminal: Open, command: Models, environment: dict[str, str]) -> None:
    command("download", MODEL)
    for answer, sentence in (("", "is kept."), ("n", "is kept."), ("y", "is deleted: 2 MB freed")):
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
