"""What a person at a terminal sees and can do."""

import json
import re
from pathlib import Path

import pytest

from cli.program import PROGRAM, SENTENCE
from cli.terminal import CTRL_C, CTRL_D, UP, Open, Terminal
from convergio_mlx.cli import exits

WRAPPED = (
    "The quick brown fox jumps over a lazy dog while some considerably longer words\n"
    "show what wrapping does at the edge of narrow terminals \n"
)


def usage(terminal: Terminal) -> int:
    """The prompt's tokens of the next answer, which comes as JSON."""
    terminal.expect('{"model"')
    return json.loads('{"model"' + terminal.expect("\n"))["usage"]["prompt_tokens"]


def test_a_conversation(terminal: Open) -> None:
    screen = terminal("chat", "-m", "words")
    screen.ask("Hello")
    screen.ask("/help")
    screen.ask("/stats")
    screen.ask("/nonsense")
    screen.ask("/exit")
    assert screen.finish() == 0
    before, _, after = screen.shown.partition("first token  ")
    assert before == (
        "words, 256 tokens of context. /help lists commands, Ctrl-D leaves.\n"
        f"\n> Hello\n{WRAPPED}"
        "\n> /help\n"
        "/system TEXT  set the system text: how to answer\n"
        "/system       remove the system text\n"
        "/clear        clear the conversation\n"
        "/stats        time and memory of the last answer\n"
        "/help         this list\n"
        "/exit         leave, as Ctrl-D does\n"
        "Ctrl-C        stop an answer\n"
        "\n> /stats\n"
    )
    assert after.endswith(
        "MB at the peak\n\n> /nonsense\nThere is no command /nonsense; /help lists them.\n"
        "\n> /exit\n"
    )


def test_ctrl_c_stops_the_answer_and_not_the_program(terminal: Open) -> None:
    screen = terminal("chat", "-m", "endless")
    for _ in range(2):
        screen.ask("Hello")
        screen.expect("\nThe quick brown ")
        screen.send(CTRL_C)
        screen.expect("\nStopped.\n")
    screen.expect("\n> ")
    screen.send(CTRL_D)
    assert screen.finish() == 0


def test_ctrl_c_at_the_prompt(terminal: Open) -> None:
    screen = terminal("chat", "-m", "words")
    screen.expect("\n> ")
    screen.send("half a line")
    screen.expect("half a line")
    for _ in range(2):  # the first drops the line, the second says how to leave
        screen.interrupt_typing()
        screen.expect("\n> ")
    assert screen.shown.count("Ctrl-C again or Ctrl-D leaves.\n") == 1
    screen.send("/stats\r")
    screen.expect("No answer yet.\n")
    screen.expect("\n> ")
    screen.interrupt_typing()
    screen.expect("Ctrl-C again or Ctrl-D leaves.\n")
    screen.expect("\n> ")
    screen.interrupt_typing()
    assert screen.finish() == 0


def test_the_conversation_is_passed_on_until_cleared(terminal: Open) -> None:
    screen = terminal("chat", "-m", "words", "--json", "--system", "abc")
    words = len(SENTENCE.split())
    first = len("abc") + len("x") + 5
    screen.ask("x")
    assert usage(screen) == first
    screen.ask("x")
    assert usage(screen) == first + words + len("x") + 4
    screen.ask("/clear")
    screen.expect("The conversation is cleared.\n")
    screen.ask("/system abcdef")
    screen.expect("The system text is set.\n")
    screen.ask("x")
    assert usage(screen) == first + 3
    screen.ask("/clear")
    screen.ask("/system")
    screen.expect("There is no system text.\n")
    screen.ask("x")
    assert usage(screen) == len("x") + 3
    screen.ask("/exit")
    assert screen.finish() == 0


def test_a_full_context_offers_a_way_out(terminal: Open) -> None:
    screen = terminal("chat", "-m", "words")
    screen.ask("x" * 240)
    screen.expect("Cut off: the context window of 256 tokens is full.\n")
    screen.expect("/clear clears the conversation and makes room.\n")
    screen.ask("y" * 300)
    shown = screen.expect("/clear clears the conversation and makes room.\n")
    assert "error: [engine] a prompt of " in shown
    screen.ask("/clear")
    screen.ask("z")
    screen.expect("narrow terminals")
    screen.ask("/exit")
    assert screen.finish() == 0


def test_a_long_conversation_is_compacted_and_goes_on(terminal: Open) -> None:
    screen = terminal("chat", "-m", "words")
    for number in range(12):
        screen.ask(f"question {number} " + "x" * 60)
        screen.expect("narrow terminals")
    screen.ask("/exit")
    assert screen.finish() == 0
    assert "error" not in screen.shown
    assert "Cut off" not in screen.shown
    # This model's window has no room for a summary, so messages are left out.
    assert " messages are left out: " in screen.shown


@pytest.mark.slow
def test_a_summary_is_told(terminal: Open) -> None:
    patient = [PROGRAM[0], "-c", LINGERING + PATIENT]
    screen = terminal("chat", "--max-tokens", "100", command=patient)
    for _ in range(12):
        screen.ask("what is this about? " * 30)
        if " messages are " in screen.shown:
            break
    screen.ask("/exit")
    assert screen.finish() == 0
    assert "summarizing the oldest messages (0 of " in screen.raw
    assert re.search(r"The oldest \d+ messages are .*: \d+ tokens became\s\d+\.", screen.shown)


@pytest.mark.slow
def test_lines_typed_ahead_are_questions_of_their_own(terminal: Open) -> None:
    screen = terminal("chat", "-m", "words", command=[PROGRAM[0], "-c", PATIENT])
    screen.ask("x")
    screen.expect("reading the prompt")
    screen.send("yy\rzzz\r/exit\r")
    assert screen.finish() == 0
    assert screen.shown.count("narrow terminals") == 3


@pytest.mark.parametrize("paste", [b"\x1b[200~abc\ndef\x1b[201~\r", b"abc\rdef\r"])
def test_a_paste_of_several_lines_is_one_question(terminal: Open, paste: bytes) -> None:
    screen = terminal("chat", "-m", "words", "--json")
    screen.expect("\n> ")
    screen.send(paste)
    assert usage(screen) == len("abc\ndef") + 3
    screen.ask("/exit")
    assert screen.finish() == 0


def test_arrow_up_recalls_a_line(terminal: Open) -> None:
    pytest.importorskip("readline")
    screen = terminal("chat", "-m", "words", "--json")
    screen.ask("recalled")
    first = usage(screen)
    screen.expect("\n> ")
    screen.send("/clear\r")
    screen.expect("\n> ")
    screen.send(UP + UP + b"\r")
    assert usage(screen) == first
    screen.ask("/exit")
    assert screen.finish() == 0


def test_errors_do_not_end_a_conversation(terminal: Open) -> None:
    screen = terminal("chat", "-m", "endless", "--timeout", "0.3")
    for _ in range(2):
        screen.ask("x")
        screen.expect("error: [")
    screen.expect("\n> ")
    screen.send(CTRL_D)
    assert screen.finish() == 0


def test_narrow_windows(terminal: Open) -> None:
    screen = terminal("chat", "x", "-m", "words", columns=20)
    assert screen.finish() == 0
    lines = screen.shown.split("\n")
    assert max(map(len, lines)) <= 20
    assert " ".join(lines).split() == SENTENCE.split()


def test_an_interrupted_answer(terminal: Open) -> None:
    screen = terminal("chat", "x", "-m", "endless")
    screen.expect("The quick brown ")
    screen.send(CTRL_C)
    assert screen.finish() == exits.INTERRUPTED
    assert screen.shown.endswith("\n")
    assert "Traceback" not in screen.shown


PATIENT = (
    "from convergio_mlx.cli import main, waiting; waiting.PATIENCE = 0.0;"
    "from convergio_mlx.providers.mlx import MlxProvider as m; import time; stream = m.stream;"
    "m.stream = lambda *a, **k: time.sleep(1) or stream(*a, **k); main()"
)
LINGERING = (  # each status stays for longer than the terminal takes between two frames
    "from convergio_mlx.cli.waiting import Waiting as w; import time; now = w.now;"
    "w.now = lambda self, what: now(self, what) or time.sleep(0.5);"
)


def test_a_sign_of_life(terminal: Open) -> None:
    screen = terminal("chat", "x", "-m", "words", command=[PROGRAM[0], "-c", PATIENT])
    assert screen.finish() == 0
    assert "reading the prompt" in screen.raw
    assert screen.shown.endswith(WRAPPED)
    assert screen.raw.rindex("\x1b[?25h") > screen.raw.rindex("\x1b[?25l")  # the cursor is back


@pytest.mark.slow
def test_a_dumb_terminal_gets_text_alone(terminal: Open) -> None:
    screen = terminal("chat", "x", "-m", "words", command=[PROGRAM[0], "-c", PATIENT], TERM="dumb")
    assert screen.finish() == 0
    assert "\x1b" not in screen.raw
    assert screen.shown.endswith(f"reading the prompt ...\n{WRAPPED}")
    screen = terminal("chat", "-m", "words", TERM="dumb")
    screen.ask("x")
    screen.ask("/exit")
    assert screen.finish() == 0
    assert "\x1b" not in screen.raw


@pytest.mark.parametrize(
    ("environment", "start"),
    [({}, "\x1b[31merror: \x1b[0m[models] "), ({"NO_COLOR": "1"}, "error: [models] ")],
)
def test_colour(terminal: Open, environment: dict[str, str], start: str) -> None:
    screen = terminal("chat", "x", "-m", "nosuch", **environment)
    assert screen.finish() == exits.MODEL
    assert screen.raw.startswith(start)


def test_control_characters_do_not_reach_the_terminal(terminal: Open) -> None:
    screen = terminal("chat", "x", "-m", "control")
    assert screen.finish() == 0
    assert screen.raw == "ok ^[[2J^[]0;owned^Gab\\x9b31m^?\ttab\r\n"


def test_answers_alone_go_into_a_pipe(terminal: Open, models: Path, tmp_path: Path) -> None:
    program = " ".join(PROGRAM)
    screen = terminal("-c", f"{program} chat -m words > {tmp_path}/answers", command=["/bin/sh"])
    screen.ask("Hello")
    screen.ask("/help")
    screen.expect("/exit")
    screen.expect("\n> ")
    screen.send(CTRL_D)
    assert screen.finish() == 0
    assert (tmp_path / "answers").read_text() == f"{SENTENCE} \n"
