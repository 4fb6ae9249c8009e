"""`complete --batch`: requests in, results out, and a run that goes on where another ended."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from cli.program import ENVIRONMENT, PROGRAM, SENTENCE, Run
from cli.terminal import CTRL_C, Open

WORDS = f"{SENTENCE} "
CHAT = [{"role": "user", "content": "Hello"}]


def write(path: Path, *lines: Any) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


def prompts(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"custom_id": f"r{n}", "prompt": f"go {n}", **fields} for n in range(count)]


def results(data: bytes | Path) -> dict[str, Any]:
    text = data.read_bytes() if isinstance(data, Path) else data
    found = [json.loads(line) for line in text.splitlines()]
    assert len({one["custom_id"] for one in found}) == len(found)
    for one in found:
        if one["response"] is not None:  # what is cached depends on the company
            del one["response"]["body"]["usage"]["prompt_tokens_details"]
    return {one["custom_id"]: one for one in found}


def test_requests_of_both_kinds_and_their_errors(run: Run, tmp_path: Path) -> None:
    envelope = {"method": "POST", "url": "/v1/chat/completions"}
    file = write(
        tmp_path / "in.jsonl",
        {"custom_id": "chat", "messages": CHAT},
        {"custom_id": "text", "prompt": "go", "max_tokens": 2},
        "",
        {
            "custom_id": "open",
            **envelope,
            "body": {"messages": CHAT, "model": "words", "stop": "q"},
        },
        {"custom_id": "bias", "prompt": "go", "logit_bias": {"5": -1}, "max_completion_tokens": 1},
        {"custom_id": "long", "prompt": "x" * 400},
        {"custom_id": "warm", "prompt": "go", "temperature": "warm"},
    )
    done = run("complete", "-m", "words", "--batch", str(file), "--max-tokens", "30")
    assert done.stderr == b""
    assert done.returncode == 1
    found = results(done.stdout)
    assert found["chat"] == {
        "custom_id": "chat",
        "response": {
            "status_code": 200,
            "body": {
                "object": "chat.completion",
                "model": "words",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": WORDS},
                        "finish_reason": "stop",
                    }
                ],
                "usage": found["chat"]["response"]["body"]["usage"],
            },
        },
        "error": None,
    }
    assert found["text"]["response"]["body"]["choices"] == [
        {"index": 0, "text": "The quick ", "finish_reason": "length"}
    ]
    assert found["open"]["response"]["body"]["choices"][0]["message"]["content"] == "The "
    assert found["bias"]["response"]["body"]["usage"]["completion_tokens"] == 1
    assert found["long"]["response"] is None
    assert found["long"]["error"]["code"] == "context_length"
    assert found["warm"]["error"]["code"] == "invalid_request"


def test_tokens_of_reasoning_are_counted(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "in.jsonl", {"custom_id": "a", "messages": CHAT}, *prompts(1))
    done = run("complete", "-m", "thinker", "--batch", str(file), "--max-tokens", "20")
    assert (done.returncode, done.stderr) == (0, b"")
    found = results(done.stdout)
    chat, text = (found[name]["response"]["body"] for name in ("a", "r0"))
    assert chat["choices"][0]["message"]["content"] == "It is."
    assert chat["usage"]["completion_tokens"] == 5
    assert chat["usage"]["completion_tokens_details"] == {"reasoning_tokens": 2}
    assert text["usage"]["completion_tokens_details"] == {"reasoning_tokens": 0}


def test_bad_lines_are_told_and_nothing_is_run(run: Run, tmp_path: Path) -> None:
    file = write(
        tmp_path / "in.jsonl",
        {"custom_id": "a", "prompt": "x"},
        "{",
        "7",
        {"prompt": "x"},
        {"custom_id": "a", "prompt": "y"},
        {"custom_id": "b", "prompt": "y", "n": 2},
        {"custom_id": "c", "prompt": "y", "messages": CHAT},
        {"custom_id": "d", "prompt": 7},
        {"custom_id": "e", "prompt": "y", "model": "other"},
        {"custom_id": "f", "url": "/v1/embeddings", "body": {"prompt": "y"}},
        {"custom_id": "g", "prompt": "y", "tools": []},
        {"custom_id": "h"},
    )
    out = tmp_path / "out.jsonl"
    done = run("complete", "-m", "words", "--batch", str(file), "--output", str(out))
    assert (done.returncode, done.stdout) == (2, b"")
    lines = done.stderr.decode().splitlines()
    assert lines[0].startswith("line 2: it is not JSON (")
    assert lines[1:-1] == [
        "line 3: it is no JSON object",
        'line 4: it has no "custom_id", a text of its own',
        "line 5: custom_id 'a' is that of line 1",
        "line 6: there is no field 'n' for a request with 'prompt'",
        "line 7: it needs messages or a prompt alone",
        'line 8: its "prompt" is no text',
        "line 9: its \"model\" is not 'words'; leave it out, or give --model",
        'line 10: its "method" is not POST or its "url" none of /v1/chat/completions and '
        "/v1/completions",
        "line 11: there is no field 'tools' for a request with 'prompt'",
    ]
    assert lines[-1] == (
        f"error: [batch] 11 lines of {str(file)!r} cannot be run; correct the file, nothing was "
        "run."
    )
    assert not out.exists()


@pytest.mark.slow
def test_a_run_goes_on_where_another_ended(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "in.jsonl", *prompts(12))
    out = tmp_path / "out.jsonl"
    command = ["complete", "-m", "words", "--batch", str(file), "--output", str(out)]
    assert run(*command).returncode == 0
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    for cut in (b"".join(lines[:5]), b"".join(lines[:5]) + lines[5][:20], lines[0][:4], b""):
        out.write_bytes(cut)
        done = run(*command)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert out.read_bytes().startswith(cut[: cut.rfind(b"\n") + 1])
        assert results(out) == results(whole)
    assert run(*command).returncode == 0
    assert results(out) == results(whole)


def test_a_foreign_file_is_left_alone(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "in.jsonl", *prompts(2))
    out = tmp_path / "out.jsonl"
    for text in ("a letter\n", "a letter", '{"custom_id": "a"}\n', "[]\n"):
        out.write_text(text)
        done = run("complete", "-m", "words", "--batch", str(file), "--output", str(out))
        assert done.returncode == 2
        assert b"line 1 of" in done.stderr
        assert out.read_text() == text
    done = run("complete", "-m", "words", "--batch", str(file), "--output", str(file))
    assert done.returncode == 2
    assert len(file.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--output", "x"],
        ["--batch", "in.jsonl", "a prompt"],
        ["--batch", "in.jsonl", "--json"],
        ["--batch", "in.jsonl", "--stats"],
        ["--batch", "no-such-file"],
        ["--batch", "."],
    ],
)
def test_bad_command_lines(run: Run, arguments: list[str]) -> None:
    done = run("complete", "-m", "words", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"error: [")


def start(models: Path, file: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [*PROGRAM, "complete", "-m", "endless", "--batch", str(file), "--output", str(out)]
    program = subprocess.Popen(command, cwd=models, env=ENVIRONMENT, stderr=subprocess.PIPE)
    while not out.exists() or out.read_bytes().count(b"\n") < 3:
        assert program.poll() is None
        time.sleep(0.01)
    return program


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_whole_lines_and_goes_on(
    run: Run, models: Path, tmp_path: Path, number: signal.Signals
) -> None:
    file = write(tmp_path / "in.jsonl", *prompts(60, max_tokens=900))
    out = tmp_path / "out.jsonl"
    program = start(models, file, out)
    other = run("complete", "-m", "endless", "--batch", str(file), "--output", str(out))
    assert other.returncode == 8
    assert b"another process writes" in other.stderr
    program.send_signal(number)
    _, told = program.communicate(timeout=60)
    done = out.read_bytes().count(b"\n")
    if number is signal.SIGINT:
        assert program.returncode == 130
        assert told.decode() == f"Stopped at {done} of 60; the same command goes on from here.\n"
        assert len(results(out)) == done
    assert (
        run("complete", "-m", "endless", "--batch", str(file), "--output", str(out)).returncode == 0
    )
    assert sorted(results(out)) == sorted(f"r{n}" for n in range(60))


@pytest.mark.slow
def test_a_terminal_shows_how_far_it_is(terminal: Open, tmp_path: Path) -> None:
    file = write(tmp_path / "in.jsonl", *prompts(40, max_tokens=900))
    out = tmp_path / "out.jsonl"
    command = ["complete", "-m", "endless", "--batch", str(file), "--output", str(out)]
    shown = terminal(*command)
    assert all(len(line) <= 80 for line in shown.expect(" of 40, ").splitlines())
    shown.expect(" tokens/s, ")
    shown.send(CTRL_C)
    shown.expect("goes on from here.")
    assert shown.finish() == 130
    again = terminal(*command)
    again.expect("40 results.")
    assert again.finish() == 0
