"""`convergio-mlx serve`: where it listens, what it refuses, how it stops."""

import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from cli.program import ENVIRONMENT, PROGRAM, Run
from convergio_mlx.cli import exits
from own_kernels import needs_own_kernels

pytestmark = pytest.mark.slow
GUIDE = "convergio-guide"
KEY = "CONVERGIO_API_KEY"


@contextmanager
def serving(*arguments: str, **environment: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Its URL and its process."""
    process = subprocess.Popen(
        [*PROGRAM, "serve", "--port", "0", *arguments],
        stderr=subprocess.PIPE,
        env={**ENVIRONMENT, **environment},
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline().decode()
        found = re.match(r"Serving at (http://\S+)/v1, a page for chat at \1; Ctrl-C stops\.", line)
        assert found, line
        yield found[1], process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(sent: signal.Signals) -> None:
    with serving("-m", GUIDE) as (url, process):
        assert httpx.get(f"{url}/health").json()["status"] == "ok"
        models = httpx.get(f"{url}/v1/models").json()["data"]
        assert [model["id"] for model in models] == [GUIDE]
        process.send_signal(sent)
        assert process.wait(20) == exits.OK
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_an_answer_under_way_is_completed_when_it_stops() -> None:
    body = {
        "model": GUIDE,
        "prompt": "A model is",
        "max_tokens": 300,
        "ignore_eos": True,
        "stream": True,
    }
    with serving() as (url, process):
        with httpx.stream("POST", f"{url}/v1/completions", json=body, timeout=60) as answer:
            lines = answer.iter_lines()
            next(lines)
            process.send_signal(signal.SIGTERM)
            rest = [line for line in lines if line]
        assert rest[-1] == "data: [DONE]"
        assert '"finish_reason":"length"' in rest[-2]
        assert process.wait(20) == exits.OK


def test_a_key_comes_from_the_environment() -> None:
    with serving(**{KEY: "right"}) as (url, _):
        assert httpx.get(f"{url}/v1/models").status_code == 401
        headers = {"authorization": "Bearer right"}
        assert httpx.get(f"{url}/v1/models", headers=headers).status_code == 200


def test_what_it_cannot_do_is_told(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        busy = run("serve", "--port", port)
    assert busy.returncode == exits.NETWORK
    assert f"port {port} of 127.0.0.1 cannot be listened at (Address already".encode() in (
        busy.stderr
    )
    open_to_all = run("serve", "--host", "0.0.0.0")
    assert open_to_all.returncode == exits.USAGE
    assert b"0.0.0.0 can be reached from other machines, and there is no key" in open_to_all.stderr
    assert run("serve", "--port", "x").returncode == exits.USAGE
    for model in ("no-such-model", "."):  # an id that there is not, and a folder
        refused = run("serve", "-m", model)
        assert refused.returncode == exits.MODEL
        assert f"there is no model {model!r} to serve".encode() in refused.stderr
        assert b"convergio-guide" in refused.stderr


def test_the_extra_is_named_where_it_is_missing(run: Run) -> None:
    code = "import sys; sys.modules['uvicorn'] = None; from convergio_mlx.cli import main; main()"
    found = run("serve", command=[PROGRAM[0], "-c", code])
    assert found.returncode == exits.UNAVAILABLE
    assert b'[server] uvicorn is not installed; run `pip install "convergio-mlx[server]"`' in (
        found.stderr
    )


@needs_own_kernels
def test_a_model_is_served_with_another_that_drafts_for_it() -> None:
    body = {"model": GUIDE, "prompt": "A model is", "max_tokens": 9, "temperature": 0}
    texts = []
    for options in ([], ["--draft-model", f"{GUIDE}={GUIDE}"]):
        with serving("-m", GUIDE, *options) as (url, _):
            answer = httpx.post(f"{url}/v1/completions", json=body, timeout=60)
            texts.append(answer.json()["choices"][0]["text"])
    assert texts[0] == texts[1]


@pytest.mark.parametrize("given", [GUIDE, f"={GUIDE}", f"{GUIDE}="])
def test_a_draft_model_is_given_with_its_model(run: Run, given: str) -> None:
    found = run("serve", "--draft-model", given)
    assert found.returncode == exits.USAGE
    assert b"is not a model and its draft model, such as large=small" in found.stderr


def test_draft_models_that_would_be_ignored_are_refused(
    run: Run, models: Path, tmp_path: Path
) -> None:
    """Two for one model, one for a folder, which is never served, and one for a model that is
    installed but not served."""
    twice = run("serve", *["--draft-model", f"{GUIDE}={GUIDE}"] * 2)
    assert twice.returncode == exits.USAGE
    assert f"[server] --draft-model is given 2 times for {GUIDE!r}; give one" in (
        twice.stderr.decode()
    )
    installed = tmp_path / "models" / "mlx" / "two"
    shutil.copytree(models / "words", installed)
    for arguments in (["--draft-model", "words=words"], ["-m", GUIDE, "--draft-model", "two=two"]):
        refused = run("serve", *arguments, CONVERGIO_HOME=str(tmp_path))
        assert refused.returncode == exits.USAGE
        assert f"for {arguments[-1].partition('=')[0]!r}, which is not served; give the id" in (
            refused.stderr.decode()
        )
