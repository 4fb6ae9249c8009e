"""What fails says so in a sentence on standard error, and in the exit code."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.program import ENVIRONMENT, PROGRAM, Run
from cli.scripted import scripted_model
from convergio_mlx.cli import exits, reporting
from convergio_mlx.cli.exits import exit_code
from convergio_mlx.errors import ConvergioError, ErrorCode, OutOfMemoryError


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["chat", "--foo"], "unknown argument '--foo'; `convergio-mlx chat --help`"),
        (["chat", "a", "b"], "unknown argument 'b'; `convergio-mlx chat --help`"),
        (["chat", "--mod", "x"], "unknown argument '--mod'; `convergio-mlx chat --help`"),
        (["--foo"], "unknown argument '--foo'; `convergio-mlx --help`"),
        (
            ["sing"],
            "argument COMMAND: invalid choice: 'sing' (choose from {choices}); "
            "`convergio-mlx --help`",
        ),
        (
            ["chat", "x", "--seed", "z"],
            "argument --seed: 'z' is not a whole number; `convergio-mlx chat --help`",
        ),
        (
            ["chat", "x", "--seed", "9" * 5000],
            f"argument --seed: '{'9' * 40}…' has more than 30 digits; `convergio-mlx chat --help`",
        ),
        (
            ["complete", "x", "--logit-bias", "1"],
            "argument --logit-bias: '1' is not a token id and a number, such as 42=-1.5; "
            "`convergio-mlx complete --help`",
        ),
        (
            ["complete", "x", "--system", "y"],
            "unknown argument '--system'; `convergio-mlx complete --help`",
        ),
    ],
)
def test_usage(run: Run, arguments: list[str], sentence: str) -> None:
    found = run(*arguments)
    # Versions of Python differ in the quotes, and new commands come.
    plain = re.sub(r"'?chat'?, '?complete'?(, '?\w+'?)*", "{choices}", found.stderr.decode())
    assert plain == f"error: [cli] {sentence} lists commands and options.\n"
    assert (found.stdout, found.returncode) == (b"", exits.USAGE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--json", "setup"], "--json is no option of `convergio-mlx setup`; "),
        (["--json"], "--json goes with a command, --model or --list-models; "),
        (["-m", "x", "models", "list"], "--model is no option of `convergio-mlx models list`; "),
        (["-m", "x", "models", "info", "y"], "--model is no option of `convergio-mlx models info`"),
        (["-m", "x", "--list-models"], "--list-models takes no --model; "),
        (["--list-models", "doctor"], "--list-models is a command of its own; leave the other one"),
        (["--provider", "mlx", "doctor"], "--provider is no option of `convergio-mlx doctor`; "),
    ],
)
def test_no_option_before_a_command_is_dropped(
    run: Run, arguments: list[str], sentence: str
) -> None:
    found = run(*arguments)
    assert found.stderr.decode().startswith(f"error: [cli] {sentence}")
    assert (found.stdout, found.returncode) == (b"", exits.USAGE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "sentence"),
    [
        (
            ["chat", "-m", "words"],
            b" \n",
            exits.USAGE,
            "[cli] the prompt is empty; give a text as the argument or on standard input.",
        ),
        (
            ["complete", ""],
            b"",
            exits.USAGE,
            "[cli] the prompt is empty; give a text as the argument or on standard input.",
        ),
        (
            ["complete", "go"],
            b"on",
            exits.USAGE,
            "[cli] there is a text as the argument and another on standard input, and only one can "
            "be continued; give one of them, or add `< /dev/null`.",
        ),
        (
            ["chat"],
            b"ab\xff",
            exits.USAGE,
            "[cli] standard input is not UTF-8 at byte 2; convert it first, for example with "
            "iconv.",
        ),
        (["chat", "x", "--temperature", "nan"], b"", exits.USAGE, "[sampling] temperature is "),
        (["chat", "x", "--top-p", "7"], b"", exits.USAGE, "[sampling] top_p is 7"),
        (["chat", "x", "--timeout", "-1"], b"", exits.USAGE, "[request] timeout is -1.0"),
        (["chat", "x", "--max-tokens", "0"], b"", exits.USAGE, "[engine] max_tokens is 0"),
        (["chat", b"x\xff", "-m", "words"], b"", exits.USAGE, "[messages] messages[0]"),
        (["chat", "x", "-m", "\x1b[2J"], b"", exits.MODEL, "[models] there is no model '\\x1b"),
        (["chat", "x", "-m", "."], b"", exits.MODEL, "[models] the folder '.' has no config.json"),
        (["chat", "x" * 300, "-m", "words"], b"", exits.CONTEXT, "[engine] a prompt of 303 tok"),
        (["chat", "x", "-m", "endless", "--timeout", "0.2"], b"", exits.TIMEOUT, "["),
    ],
)
def test_what_cannot_be_done(
    run: Run, arguments: list[str | bytes], stdin: bytes, code: int, sentence: str
) -> None:
    found = run(*arguments, stdin=stdin)
    assert found.stderr.decode().startswith(f"error: {sentence}")
    assert found.stderr.count(b"\n") == 1
    assert found.returncode == code


def test_a_machine_where_mlx_cannot_run(run: Run) -> None:
    code = (
        "import sys; sys.modules['convergio_mlx._native'] = None;"
        "from convergio_mlx.cli import main; main()"
    )
    found = run("chat", "x", command=[PROGRAM[0], "-c", code])
    assert found.stderr.decode().startswith("error: [native] ")
    assert found.returncode == exits.UNAVAILABLE


def test_a_timeout_leaves_what_was_said(run: Run) -> None:
    found = run("complete", "go", "-m", "endless", "--timeout", "0.5")
    assert found.stdout.startswith(b"The quick brown ")
    assert found.stdout.endswith(b"\n")
    assert found.returncode == exits.TIMEOUT


@pytest.mark.parametrize(
    ("name", "damage", "sentence"),
    [
        ("tokenizer.json", None, "[tokenizer] "),
        ("tokenizer.json", "{}", "[tokenizer] "),
        ("model.safetensors", "damage", "[safetensors] "),
        ("model.safetensors", None, "["),
        ("config.json", '{"model_type": "abacus"}', "["),
    ],
)
def test_damaged_models(
    run: Run, tmp_path: Path, name: str, damage: str | None, sentence: str
) -> None:
    folder = scripted_model(tmp_path / "model", ["one", "two"])
    if damage is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(damage)
    found = run("chat", "x", "-m", str(folder))
    assert found.stderr.decode().startswith(f"error: {sentence}")
    assert b"Traceback" not in found.stderr
    assert (found.stdout, found.returncode) == (b"", exits.MODEL)


@pytest.mark.parametrize("arguments", [["--debug", "chat", "x"], ["chat", "x", "--debug"]])
def test_debug_shows_the_traceback(run: Run, arguments: list[str]) -> None:
    found = run(*arguments, "-m", "nosuch")
    assert found.stderr.startswith(b"Traceback (most recent call last):\n")
    assert b"\nerror: [models] there is no model 'nosuch'; " in found.stderr
    assert found.returncode == exits.MODEL


def test_every_error_has_a_documented_code() -> None:
    assert {exit_code(code) for code in ErrorCode} <= set(exits.MEANINGS)
    assert exit_code(ErrorCode.OUT_OF_MEMORY) == exits.MEMORY
    assert exit_code(ErrorCode.UNAVAILABLE) == exits.UNAVAILABLE
    assert exit_code(ErrorCode.INFERENCE_FAILED) == exits.FAILURE


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (
            OutOfMemoryError("[engine] no memory; close a program.", hint="close a program"),
            exits.MEMORY,
            "error: [engine] no memory; close a program.\n",
        ),
        (
            ConvergioError("[engine] a fault; try again.", hint="convergio-mlx doctor"),
            exits.FAILURE,
            "error: [engine] a fault; try again.\nhint: convergio-mlx doctor\n",
        ),
        (
            MemoryError(),
            exits.MEMORY,
            "error: [cli] there is no memory left; close other programs, or take a smaller "
            "model.\n",
        ),
        (
            FileNotFoundError(2, "No such file or directory"),
            exits.FAILURE,
            "error: [cli] the system refuses access to a file or device (No such file or "
            "directory); make it accessible, or run this again with --debug to see where that "
            "happens.\n",
        ),
        (
            ValueError("bad\n \x1b"),
            exits.FAILURE,
            "error: [cli] internal fault, ValueError: bad ^[; run it again with --debug and report "
            "what that shows.\n",
        ),
    ],
)
def test_reports(
    error: Exception, code: int, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, reporting.reported():
        raise error
    assert ended.value.code == code
    assert capsys.readouterr().err == shown


def start(models: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*PROGRAM, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        cwd=models,
        env=ENVIRONMENT,
    )


@pytest.mark.parametrize("command", [["chat", "x"], ["complete", "go"]])
def test_a_reader_that_ends_first(models: Path, command: list[str]) -> None:
    with start(models, *command, "-m", "endless") as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == b"The "
        process.stdout.close()
        assert process.wait(60) == exits.BROKEN_PIPE
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk(models: Path) -> None:
    with open("/dev/full", "wb") as full:
        found = subprocess.run(
            [*PROGRAM, "chat", "x", "-m", "words"],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=models,
            env=ENVIRONMENT,
            check=False,
        )
    assert found.stderr == (
        b"error: [cli] the output cannot be written (No space left on device); "
        b"write it elsewhere.\n"
    )
    assert found.returncode == exits.FAILURE


def test_an_interrupt_ends_one_answer(models: Path) -> None:
    with start(models, "chat", "x", "-m", "endless") as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == b"The "
        process.send_signal(signal.SIGINT)
        text, errors = process.communicate(timeout=600)
    words = text.split()[:2]  # fewer where the interrupt came before them
    assert words == [b"quick", b"brown"][: len(words)]
    assert text.endswith(b"\n")
    assert errors == b""
    assert process.returncode == exits.INTERRUPTED


def test_an_interrupted_answer_as_json(models: Path) -> None:
    code = """
import os, signal
from convergio_mlx.cli import main
from convergio_mlx.generation.reader import Reader
read, came = Reader.read, []
def interrupted(reader, seconds):
    chunk = read(reader, seconds)
    came.extend([] if chunk is None else [chunk.text])
    if len(came) == 9:
        Reader.read = read
        os.kill(os.getpid(), signal.SIGINT)
    return chunk
Reader.read = interrupted
main()
"""
    found = subprocess.run(
        [sys.executable, "-c", code, "complete", "go", "-m", "endless", "--json"],
        capture_output=True,
        cwd=models,
        env=ENVIRONMENT,
        check=False,
    )
    assert found.returncode == exits.INTERRUPTED
    answer = json.loads(found.stdout)
    assert answer["finish_reason"] == "cancelled"
    assert answer["text"].startswith("The quick brown ")
    assert found.stderr == b""


def test_a_broken_pipe_of_the_help(models: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    found = subprocess.run(
        [*PROGRAM, "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        cwd=models,
        env=ENVIRONMENT,
        check=False,
    )
    os.close(writing)
    assert (found.stderr, found.returncode) == (b"", exits.BROKEN_PIPE)
