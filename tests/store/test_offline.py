"""Where no socket may be opened, none is; and a model that is here needs none in any mode."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from convergio_mlx import store
from convergio_mlx.errors import OfflineError
from hub import Hub
from store.models import GUIDE, MODEL, REPOSITORY, guide

# Python tells its audit hooks of every socket before it is made, whoever makes it. One between
# processes of this machine is none of the network.
FORBID = """
import socket, sys
def forbid(event, arguments):
    is_local = event == "socket.__new__" and arguments[1] == socket.AF_UNIX
    if event.startswith("socket.") and not is_local:
        print("SOCKET", event, arguments, file=sys.stderr, flush=True)
        import os
        os._exit(99)
sys.addaudithook(forbid)
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    found = subprocess.run(
        [sys.executable, "-c", FORBID + code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found


def test_sockets_are_indeed_forbidden(home: Path) -> None:
    with pytest.raises(AssertionError, match="SOCKET"):
        run("import socket; socket.socket()")


def test_a_model_that_is_here_needs_none_in_any_mode(hub: Hub) -> None:
    hub.repositories[REPOSITORY] = guide()
    store.download(MODEL)
    asked = len(hub.requests)
    code = f"""
import convergio_mlx as cm
from convergio_mlx import store
from convergio_mlx.registry import load_registry
assert store.download({MODEL!r}).receipt
assert len(load_registry()) > 9
assert store.verify({MODEL!r}).is_sound
assert store.repair({MODEL!r}) == ()
with cm.Engine.load("mlx/{MODEL}") as engine:
    assert engine.generate([{{"role": "user", "content": "hello"}}]).text()
store.import_model({str(GUIDE)!r}, model="mine")
assert [one.model for one in store.installed()] == [{MODEL!r}, "mine"]
store.delete("mine")
assert "huggingface_hub" not in sys.modules
"""
    run(code)
    assert len(hub.requests) == asked


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "code", "environment"),
    [
        ("offline mode", "from convergio_mlx.platform.offline import go_offline; go_offline()", {}),
        ("CONVERGIO_OFFLINE=1", "", {"CONVERGIO_OFFLINE": "1"}),
        ("HF_HUB_OFFLINE=1", "", {"HF_HUB_OFFLINE": "1"}),
        ("HF_HUB_OFFLINE=yes", "", {"HF_HUB_OFFLINE": "yes"}),
    ],
)
def test_offline_nothing_opens_one(
    hub: Hub, how: str, code: str, environment: dict[str, str]
) -> None:
    """Whatever is asked for that would need one says so."""
    attempts = f"""
{code}
from convergio_mlx import errors, store
from convergio_mlx.registry import load_registry, refresh
assert refresh() is None
entry = load_registry().require({MODEL!r})
for attempt in (
    lambda: store.download({MODEL!r}),
    lambda: store.pin(entry),
    lambda: store.import_model({REPOSITORY!r}),
):
    try:
        attempt()
    except errors.ConvergioError as error:
        print(error)
"""
    url = "https://registry.invalid/models.json"
    found = run(attempts, CONVERGIO_REGISTRY_URL=url, **environment).stdout.splitlines()
    assert found[0] == (
        f"[offline] downloading {MODEL!r} needs the network, which {how} forbids; do it without "
        "that."
    )
    assert found[1] == (
        f"[offline] pinning {MODEL!r} needs the network, which {how} forbids; do it without that."
    )
    assert found[2].startswith(f"[store] the Hugging Face cache has no {REPOSITORY!r}")
    assert not hub.requests


@pytest.mark.parametrize("command", ["list", "info", "verify", "download"])
def test_the_flag_of_the_command_line(hub: Hub, command: str) -> None:
    arguments = ["models", command, "--offline", *([MODEL] if command != "list" else [])]
    code = f"""
sys.argv = ["convergio-mlx", *{arguments!r}]
from convergio_mlx.cli import main
try:
    main()
except SystemExit as ending:
    print("exit", ending.code)
"""
    found = run(code, CONVERGIO_REGISTRY_URL="https://registry.invalid/models.json")
    codes = {"list": "", "info": "", "verify": "exit 3", "download": "exit 7"}
    assert found.stdout.rstrip().endswith(codes[command])
    assert not hub.requests


@pytest.mark.parametrize("value", ["0", "", "no", "false", "off"])
def test_a_variable_that_says_no(hub: Hub, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERGIO_OFFLINE", value)
    store.download(MODEL)
    monkeypatch.setenv("CONVERGIO_OFFLINE", "TRUE")
    store.delete(MODEL)
    with pytest.raises(OfflineError):
        store.download(MODEL)
