"""The menus of setup: at a terminal, in a pipe, and against a hub on loopback."""

import fcntl
import json
import struct
import termios
import time
from pathlib import Path

import pytest

from cli.program import Run
from cli.terminal import CTRL_C, CTRL_D, Open, Terminal
from convergio_mlx.cli import exits
from convergio_mlx.registry.checks import REQUIRED_SIZES
from hub import Hub
from store.models import GUIDE, guide

ID, REPOSITORY = "tiny-guide", "somebody/Tiny-Guide-4bit"
CONFIG = json.loads((GUIDE / "config.json").read_text())
CONTEXT = f"{CONFIG['max_position_embeddings']} tokens of context."
SIZE = sum(path.stat().st_size for path in GUIDE.iterdir())


@pytest.fixture
def home(tmp_path: Path, hub: Hub) -> dict[str, str]:
    """An empty home but for one model more; the environment that leads to it and to the hub."""
    folder = tmp_path / "home"
    folder.mkdir()
    entry = {
        "id": ID,
        "repository": REPOSITORY,
        "display_name": "Tiny Guide",
        "model_type": "llama",
        "use_case": "Tests",
        "download_bytes": SIZE,
        "memory_gb": 0.5,
        "context_window": CONFIG["max_position_embeddings"],
        "parameters": 3_300_000,
        "config": {name: CONFIG[name] for name in REQUIRED_SIZES},
    }
    (folder / "models.json").write_text(json.dumps({"schema": 1, "models": [entry]}))
    return {"CONVERGIO_HOME": str(folder), "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")}


def chosen(home: dict[str, str]) -> dict[str, object]:
    path = Path(home["CONVERGIO_HOME"]) / "config.json"
    return json.loads(path.read_text()) if path.exists() else {}  # type: ignore[no-any-return]


def installed(home: dict[str, str]) -> bool:
    return (Path(home["CONVERGIO_HOME"]) / "models" / "mlx" / ID / "config.json").is_file()


def test_from_nothing_to_a_chat_and_back(terminal: Open, home: dict[str, str]) -> None:
    screen = terminal("setup", **home)
    screen.ask("1")
    assert " * tiny-guide " in screen.expect("Number or id of a model")
    screen.ask(ID)
    screen.expect("  1  Download  every file is verified\n")
    screen.ask("1")
    screen.expect("Make it the default")
    screen.expect("tiny-guide is installed: ")
    screen.expect(", every file verified.")
    screen.ask("2")
    screen.expect("  the default model\n")
    screen.expect("tiny-guide is the default model.")
    assert chosen(home) == {"default_model": ID}
    screen.ask("1")
    screen.expect(f"tiny-guide, {CONTEXT}")
    screen.ask("hello")
    screen.ask("/exit")
    screen.ask("2")
    screen.expect(f"files of {ID} are unchanged.")
    screen.ask("3")
    screen.expect(f"Delete {ID} (")
    screen.ask("")
    screen.expect("It is kept.")
    screen.ask("3")
    screen.ask("y")
    screen.expect(f"{ID} is deleted: ")
    assert not installed(home)
    assert chosen(home) == {}
    screen.expect("\n> ")
    screen.send(CTRL_D)
    assert screen.finish() == 0


def test_a_pipe_does_what_a_terminal_does(run: Run, home: dict[str, str]) -> None:
    lines = ["1", ID, "1", "2", "", "", "2", "2", "3", "top_p 0.5", "", ""]
    found = run("setup", stdin="\n".join(lines).encode(), **home)
    assert found.returncode == 0
    assert "\x1b" not in found.stdout.decode()
    assert f"{ID} is installed: " in found.stdout.decode()
    assert chosen(home) == {"default_model": ID, "offline": True, "options": {"top_p": 0.5}}
    assert installed(home)
    said = run("chat", "--json", stdin=b"hello", **home)
    assert json.loads(said.stdout)["model"] == ID


def test_a_first_try_is_offered_until_a_model_is_here(terminal: Open, home: dict[str, str]) -> None:
    screen = terminal("setup", **home)
    screen.expect("  4  First try     downloads tiny-guide, a real small model (2 MB), and chats")
    screen.ask("4")
    screen.expect(f"tiny-guide, {CONTEXT}")
    screen.ask("hello")
    screen.ask("/exit")
    screen.expect("Make tiny-guide the default model? [y/N]")
    screen.ask("y")
    assert "First try" not in screen.expect("Number and Enter")
    screen.expect("tiny-guide is the default model.")
    screen.expect("\n> ")
    screen.send(CTRL_D)
    assert screen.finish() == 0
    assert chosen(home) == {"default_model": ID}


def test_a_repository_of_the_hub_is_taken_by_name(run: Run, home: dict[str, str], hub: Hub) -> None:
    hub.repositories["Some/Other"] = guide()
    found = run("setup", stdin=b"1\nhf:Some/Other\ny\n\nhf:../x\n\n\n", **home)
    shown = found.stdout.decode()
    assert "Download hf:Some/Other (2 MB), as some--other? [y/N]" in shown
    assert "hf:Some/Other is installed: 2 MB, every file verified." in shown
    assert "'hf:../x' names no repository of the hub" in found.stderr.decode()
    assert (Path(home["CONVERGIO_HOME"]) / "models" / "mlx" / "some--other").is_dir()


def test_trying_a_model_in_a_pipe(run: Run, home: dict[str, str]) -> None:
    found = run("setup", stdin=b"1\n1\n1\nhello\n/exit\n\n\n\n", **home)
    assert found.returncode == 0
    assert f"convergio-guide, {CONTEXT}" in found.stderr.decode()
    assert found.stdout.count(b"Number and Enter") == 4


def test_ctrl_c_stops_a_download_and_not_the_menus(
    terminal: Open, home: dict[str, str], hub: Hub
) -> None:
    hub.pace = 400_000
    screen = terminal("setup", **home)
    screen.ask("1")
    screen.ask(ID)
    screen.ask("1")
    screen.expect("/s")  # there is a speed
    screen.send(CTRL_C)
    hub.pace = None
    screen.expect(" are here already)")
    screen.expect("continues where it stopped")
    screen.expect("Stopped; what is here already is kept, and Download continues from there.")
    screen.ask("1")
    screen.expect(f"{ID} is installed: ")
    screen.expect("\n> ")
    screen.interrupt_typing()
    assert screen.finish() == exits.INTERRUPTED
    assert "Traceback" not in screen.shown
    assert installed(home)


def test_what_fails_is_told_and_the_menus_go_on(
    terminal: Open, home: dict[str, str], hub: Hub
) -> None:
    hub.repositories.clear()
    screen = terminal("setup", **home)
    screen.ask("1")
    screen.ask(ID)
    screen.ask("1")
    screen.expect("error: [store] ")
    screen.expect("\n> ")
    screen.send(CTRL_D)
    assert screen.finish() == 0


def test_offline_forbids_downloads(run: Run, home: dict[str, str], hub: Hub) -> None:
    found = run("--offline", "setup", stdin=f"1\n{ID}\n1\n".encode(), **home)
    assert found.stderr.decode().count("error: [offline] downloading 'tiny-guide' needs the") == 1
    assert found.returncode == 0
    assert hub.requests == []


def test_forbidding_the_network_holds_at_once(run: Run, home: dict[str, str], hub: Hub) -> None:
    found = run("setup", stdin=f"2\n2\n2\n\n1\n{ID}\n1\n".encode(), **home)
    shown = found.stdout.decode()
    assert "The network is never used.\n" in shown
    assert "For this run offline mode still forbids it.\n" in shown
    assert "error: [offline] " in found.stderr.decode()
    assert hub.requests == []
    assert chosen(home) == {"offline": False}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("9", "There is no '9' here; type a number from 1 to 4.\n"),
        ("\x1bx", "There is no '\\x1bx' here; type a number from 1 to 4.\n"),
        ("1\n99", "There is no model '99' here; type its number or its id.\n"),
        ("9" * 5000, f"There is no '{'9' * 40}' here; type a number from 1 to 4.\n"),
        ("1\n" + "9" * 5000, f"There is no model '{'9' * 60}' here; type its number or its id.\n"),
        ("2\n3\ntop_k " + "9" * 5000, ""),
        ("1\nllama", "There is no model 'llama' here; type its number or its id.\n"),
        ("2\n3\nvolume 3", ""),
        ("2\n3\ntemperature hot", ""),
        ("2\n3\ntimeout -1", ""),
    ],
)
def test_what_makes_no_sense(run: Run, home: dict[str, str], typed: str, answer: str) -> None:
    found = run("setup", stdin=typed.encode(), **home)
    assert found.returncode == 0
    assert answer in found.stdout.decode()
    assert (found.stderr.count(b"error: [setup] ") == 1) == (not answer)


def test_a_value_that_no_answer_could_be_made_with(run: Run, home: dict[str, str]) -> None:
    found = run("setup", stdin=b"2\n3\ntop_p 7\n3\ntop_p 0.7\n", **home)
    assert found.stderr.decode().count("error: [sampling] top_p is 7") == 1
    assert chosen(home) == {"options": {"top_p": 0.7}}


def test_a_model_that_no_longer_verifies_is_repaired(run: Run, home: dict[str, str]) -> None:
    assert run("models", "download", ID, **home).returncode == 0
    path = Path(home["CONVERGIO_HOME"]) / "models" / "mlx" / ID / "tokenizer.json"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    found = run("setup", stdin=f"1\n{ID}\n3\ny\n3\n".encode(), **home)
    shown = found.stdout.decode()
    assert "tokenizer.json: changed\n" in shown
    assert "1 file repaired.\n" in shown
    assert f"files of {ID} are unchanged.\n" in shown


def test_messages_stand_just_above_the_prompt(terminal: Open, home: dict[str, str]) -> None:
    screen = terminal("setup", **home)
    screen.ask("7")
    screen.expect("\n> ")
    assert screen.shown.endswith(
        "an empty line goes back.\n\nThere is no '7' here; type a number from 1 to 4.\n> "
    )
    screen.send("3\r")
    screen.expect("Enter goes back.\n> ")
    assert "ok    network" in screen.shown
    screen.send("\r")
    screen.expect("Number and Enter")
    screen.ask("")
    assert screen.finish() == 0


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_is_never_needed(
    terminal: Open, home: dict[str, str], environment: dict[str, str]
) -> None:
    screen = terminal("setup", **home, **environment)
    screen.ask("1")
    screen.expect("* recommended  + suits  - unsuitable.")
    screen.expect("\n> ")
    screen.send(CTRL_D)
    assert screen.finish() == 0
    assert ("\x1b[32m" in screen.raw) == (not environment)


@pytest.mark.parametrize("columns", [40, 80])
def test_every_width(terminal: Open, home: dict[str, str], columns: int) -> None:
    screen = terminal("setup", columns=columns, **home)
    for keys in ("1", "m", "4", "", "", "2", "3", "", "1", ""):
        screen.ask(keys)
    screen.expect("\n> ")
    screen.send(CTRL_D)
    assert screen.finish() == 0
    limit = max(columns, 60)  # a row's columns are not broken
    assert [line for line in screen.shown.splitlines() if len(line) > limit] == []


def resize(screen: Terminal, columns: int) -> None:
    fcntl.ioctl(screen._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def test_another_window_size_draws_the_screen_again(terminal: Open, home: dict[str, str]) -> None:
    screen = terminal("setup", **home)
    screen.expect("\n> ")
    time.sleep(0.3)  # until the line is waited for
    resize(screen, 50)
    again = screen.expect("\n> ")
    assert "convergio-mlx setup" in again
    assert max(map(len, again.splitlines())) <= 50
    resize(screen, 50)  # nothing changed
    screen.send("\r")
    assert screen.finish() == 0


def test_a_broken_registry_of_the_users_is_told(run: Run, home: dict[str, str]) -> None:
    (Path(home["CONVERGIO_HOME"]) / "models.json").write_text("{")
    found = run("setup", stdin=b"1\n", **home)
    assert "! [registry] " in found.stdout.decode()
    assert "llama-3.2-1b" in found.stdout.decode()
