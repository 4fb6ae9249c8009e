"""`chat` and `complete` without a terminal: what they print, and that every option is applied."""

import json
import re
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from cli.program import CONTROL, PROGRAM, SENTENCE, WIDE, Run
from convergio_mlx.cli.neutral import neutral
from own_kernels import needs_own_kernels

ANSWER = f"{SENTENCE} \n".encode()


def content(found) -> str:
    answer = json.loads(found.stdout)
    return answer["message"]["content"] if "message" in answer else answer["text"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["chat", "Hello", "-m", "words"], b""),
        (["chat", "-m", "words"], b"Hello\n"),
        (["chat", "-", "--model", "words"], b"Hello"),
        (["complete", "go", "-m", "words"], b""),
        (["complete", "-m", "words"], b"go\r\n"),
        (["complete", "-", "-m", "words"], b"go"),
    ],
)
def test_the_answer_and_nothing_else(run: Run, arguments: list[str], stdin: bytes) -> None:
    found = run(*arguments, stdin=stdin)
    assert (found.stdout, found.stderr, found.returncode) == (ANSWER, b"", 0)


def prompt_tokens(found) -> int:
    return json.loads(found.stdout)["usage"]["prompt_tokens"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "stdin", "asked"),
    [
        (["Summarize this"], b"12345\n", "Summarize this\n\n12345"),
        (["Hello"], b"\n", "Hello"),
        ([""], b"piped", "piped"),
        (["-"], b"piped", "piped"),
    ],
)
def test_what_is_piped_goes_with_the_question(
    run: Run, arguments: list[str], stdin: bytes, asked: str
) -> None:
    found = run("chat", *arguments, "-m", "words", "--json", stdin=stdin)
    assert prompt_tokens(found) == len(asked) + 3


@pytest.mark.slow
def test_closed_standard_input_holds_nothing(run: Run) -> None:
    closed = [
        "/bin/sh",
        "-c",
        'exec "$@" <&-',
        "sh",
        *PROGRAM,
    ]
    assert run("chat", "Hello", "-m", "words", command=closed).stdout == ANSWER
    assert run("chat", "-m", "words", command=closed).returncode == 2


def test_the_embedded_model_answers(run: Run) -> None:
    answer = json.loads(run("chat", "Hello", "--json").stdout)
    assert answer["model"] == "convergio-guide"
    assert answer["finish_reason"] == "stop"
    assert answer["usage"]["completion_tokens"] >= 1


def test_json_is_one_object_on_one_line(run: Run) -> None:
    found = run("chat", "Hello", "-m", "words", "--json")
    assert found.stdout.count(b"\n") == 1
    assert found.stderr == b""
    answer = json.loads(found.stdout)
    timings = answer.pop("timings")
    words = len(SENTENCE.split())
    assert answer == {
        "model": "words",
        "message": {"role": "assistant", "content": f"{SENTENCE} "},
        "finish_reason": "stop",
        "usage": {
            "prompt_tokens": 8,
            "completion_tokens": words,
            "total_tokens": 8 + words,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }
    parts = ("load", "template", "tokenize", "queue", "prefill")
    split = sum(timings.pop(f"{part}_seconds") for part in parts)
    assert 0 < split <= timings.pop("first_token_seconds")
    assert timings.pop("kv_bytes") > 0
    assert timings.pop("peak_bytes") > 10_000_000
    assert timings.pop("accepted_tokens") <= timings.pop("drafted_tokens") <= words
    assert timings.pop("draft_saved_seconds") > -timings.pop("decode_seconds")
    assert timings.pop("draft_seconds") >= 0
    assert {name: value > 0 for name, value in timings.items()} == {
        "prefill_tokens_per_second": True,
        "decode_tokens_per_second": True,
    }


def test_json_of_complete(run: Run) -> None:
    answer = json.loads(run("complete", "go", "-m", "words", "--json").stdout)
    assert answer["text"] == f"{SENTENCE} "
    assert answer["usage"]["prompt_tokens"] == 1
    assert "message" not in answer


def test_stats_go_to_standard_error(run: Run) -> None:
    found = run("chat", "Hello", "-m", "words", "--stats")
    assert found.stdout == ANSWER
    number = r"\d+\.\d"
    assert re.fullmatch(
        rf"first token  {number} ms\n"
        rf" {{13}}load {number}, template {number}, tokenize {number}, queue {number}, "
        rf"prefill {number}\n"
        rf"prompt       8 tokens, {number} tokens/s\n"
        rf"answer       {len(SENTENCE.split())} tokens, {number} tokens/s\n"
        rf"memory       {number} MB KV cache, {number} MB at the peak\n",
        found.stderr.decode(),
    )


def test_a_system_text_is_part_of_the_prompt(run: Run) -> None:
    found = run("chat", "Hello", "-m", "words", "--json", "--system", "four")
    assert json.loads(found.stdout)["usage"]["prompt_tokens"] == 8 + len("four") + 2


@pytest.mark.slow
def test_limits_of_the_answer(run: Run) -> None:
    three = json.loads(run("chat", "x", "-m", "words", "--json", "--max-tokens", "3").stdout)
    assert three["message"]["content"] == "The quick brown "
    assert three["finish_reason"] == "length"
    found = run("chat", "x", "-m", "words", "--stop", "lazy", "--stop", "jumps o")
    assert found.stdout == b"The quick brown fox \n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["--presence-penalty", "100"],
        ["--frequency-penalty", "100"],
        ["--repetition-penalty", "100", "--logit-bias", "{three}=1"],
        ["--logit-bias", "{three}=100"],
        ["--temperature", "50", "--seed", "1"],
    ],
)
def test_each_sampling_option_changes_the_answer(
    run: Run, models: Path, options: list[str]
) -> None:
    tokenizer = Tokenizer.from_file(str(models / "three" / "tokenizer.json"))
    options = [one.format(three=tokenizer.token_to_id("three ")) for one in options]
    found = run("chat", "x", "-m", "three", "--max-tokens", "9", "--json", *options)
    assert found.returncode == 0, found.stderr
    assert content(found) != "one two three " * 3


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--top-k", "1"], ["--top-p", "1e-6"], ["--min-p", "0.99"]])
def test_each_filter_tames_a_high_temperature(run: Run, options: list[str]) -> None:
    hot = ["--temperature", "50", "--seed", "1", "--max-tokens", "9", "--json"]
    assert content(run("chat", "x", "-m", "three", *hot, *options)) == "one two three " * 3


@pytest.mark.slow
def test_the_same_seed_gives_the_same_answer(run: Run) -> None:
    def answer(seed: str) -> str:
        hot = ["--temperature", "50", "--seed", seed, "--max-tokens", "9", "--json"]
        return content(run("chat", "x", "-m", "three", *hot))

    first = answer("1")
    assert answer("1") == first
    assert answer("2") != first


def test_control_characters_are_made_harmless_but_in_json(run: Run) -> None:
    found = run("chat", "x", "-m", "control")
    assert found.stdout == b"ok ^[[2J^[]0;owned^Gab\\x9b31m^?\ttab\n"
    assert found.stdout.decode() == neutral("".join(CONTROL)) + "\n"
    assert content(run("chat", "x", "-m", "control", "--json")) == "".join(CONTROL)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"LC_ALL": "C"}, "".join(WIDE)),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "na?ve ?? ?"),
        ({"PYTHONIOENCODING": "latin-1"}, "naïve ?? ?"),
    ],
)
def test_any_locale(run: Run, environment: dict[str, str], shown: str) -> None:
    found = run("chat", "x", "-m", "wide", **environment)
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    assert (found.stdout.decode(encoding), found.stderr) == (f"{shown}\n", b"")


def test_nothing_but_the_answer_without_a_terminal(run: Run) -> None:
    code = "from convergio_mlx.cli import main, waiting; waiting.PATIENCE = 0.0; main()"
    found = run("chat", "x", "-m", "words", command=[PROGRAM[0], "-c", code])
    assert (found.stdout, found.stderr) == (ANSWER, b"")


def choose(home: Path, **choices: object) -> dict[str, str]:
    (home / "config.json").write_text(json.dumps(choices))
    return {"CONVERGIO_HOME": str(home)}


@pytest.mark.slow
def test_the_default_model_and_options_of_the_configuration(run: Run, tmp_path: Path) -> None:
    chosen = choose(tmp_path, default_model="three", options={"max_tokens": 5})
    assert run("chat", "x", **chosen).stdout == b"one two three one two \n"
    assert run("complete", "go", "--max-tokens", "2", **chosen).stdout == b"one two \n"
    assert run("chat", "x", "-m", "words", **chosen).stdout.startswith(b"The quick brown fox jumps")


def test_a_damaged_configuration_is_told_and_goes_on(run: Run, tmp_path: Path) -> None:
    chosen = choose(tmp_path, options={"top_k": "x"})
    found = run("chat", "x", "-m", "words", **chosen)
    assert (found.stdout, found.returncode) == (ANSWER, 0)
    assert found.stderr.decode() == (
        f"warning: [config] top_k in '{tmp_path}/config.json' is ignored: it is 'x', which must be "
        "a whole number.\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "words"],
        ["--provider", "mlx", "--model", "words"],
        ["--model", "words", "chat"],
        ["--offline", "chat", "--model", "words"],
        ["chat", "--offline", "-m", "words"],
    ],
)
def test_the_flags_of_the_bare_command(run: Run, arguments: list[str]) -> None:
    assert run(*arguments, stdin=b"x").stdout == ANSWER


def test_json_of_the_bare_command(run: Run) -> None:
    for arguments in (["--json", "-m", "words"], ["--json", "chat", "-m", "words"]):
        assert json.loads(run(*arguments, stdin=b"x").stdout)["finish_reason"] == "stop"


@pytest.mark.slow
def test_list_models_is_models_list(run: Run) -> None:
    listed = run("models", "list")
    assert listed.stdout.startswith(b"MODEL ")
    assert run("--list-models").stdout == listed.stdout
    found = run("--list-models", "--json").stdout
    assert found == run("models", "list", "--json").stdout == run("--json", "--list-models").stdout
    assert json.loads(found)["models"][0]["id"] == "convergio-guide"


def test_another_provider_is_not_here(run: Run) -> None:
    found = run("--provider", "openai")
    assert found.returncode == 2
    assert b"argument --provider: invalid choice: 'openai' (choose from " in found.stderr


@pytest.mark.slow
def test_a_model_that_does_not_fit_is_forced(run: Run) -> None:
    code = (
        "import convergio_mlx.sizing.fit as f;"
        "from convergio_mlx.platform.hardware.facts import Memory;"
        "f.memory_for_models = lambda: Memory(10**8, 10**8);"
        "from convergio_mlx.cli import main; main()"
    )
    tight = [PROGRAM[0], "-c", code]
    found = run("chat", "x", "-m", "words", command=tight)
    assert found.returncode == 6
    assert found.stderr.decode().startswith("error: [fit] 'words' needs ")
    assert found.stderr.decode().endswith(
        "100 MB is available; close other programs, force the load with force=True or --force.\n"
    )
    assert run("chat", "x", "-m", "words", "--force", command=tight).stdout == ANSWER


@needs_own_kernels
@pytest.mark.parametrize("command", ["chat", "complete"])
def test_a_draft_model_changes_no_answer(run: Run, command: str) -> None:
    plain = run(command, "go", "-m", "words", "--json")
    found = run(command, "go", "-m", "words", "--draft-model", "words", "--json")
    answers = [json.loads(one.stdout) for one in (plain, found)]
    for one in answers:
        one.pop("timings")
    assert answers[0] == answers[1]


def test_a_draft_model_of_other_words_is_refused(run: Run) -> None:
    found = run("complete", "go", "-m", "words", "--draft-model", "three")
    assert found.returncode != 0
    assert b"'three' cannot draft for 'words'" in found.stderr
