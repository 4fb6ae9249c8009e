"""`bench`: what it measures, prints and refuses."""

import json

import pytest

from cli.program import Run
from convergio_mlx.cli.bench import lines
from convergio_mlx.cli.speed import Speed, Spread

SPEED = Speed(
    backend="cpu",
    isa="avx512",
    weight_bytes=695_242_752,
    load_seconds=0.0314,
    short_prompt_tokens=16,
    first_token_seconds=Spread(0.098, 0.095, 0.1021),
    prefill_tokens_per_second=Spread(210.34, 205.0, 215.0),
    prompt_tokens=512,
    decode_tokens_per_second=Spread(40.0, 38.2, 41.0),
    answer_tokens=64,
    step_bytes=700_000_000,
    read_bytes_per_second=35e9,
    peak_bytes=780_000_000,
)


def test_what_a_person_reads() -> None:
    assert lines("llama-3.2-1b", SPEED, rounds=3) == [
        "llama-3.2-1b",
        "695.2 MB of weights, cpu (avx512); medians of 3 rounds, lowest and highest",
        "load                    31.4 ms   model and tokenizer, once",
        "first token             98.0 ms   16 tokens; 95.0 to 102.1",
        "prefill          210.3 tokens/s   512 tokens; 205.0 to 215.0",
        "decode            40.0 tokens/s   64 tokens; 38.2 to 41.0",
        "limit             50.0 tokens/s   700.0 MB per token, read at 35.0 GB/s",
        "                                  decode is at 80 % of it",
        "memory                 780.0 MB   at the peak, weights included",
    ]


def test_one_round_has_no_spread() -> None:
    shown = lines("m", SPEED, rounds=1)
    assert shown[1].endswith("; one round")
    assert shown[5] == "decode            40.0 tokens/s   64 tokens"


def test_a_model_is_measured(run: Run) -> None:
    found = run("bench", "words", "--prompt", "100", "--answer", "8", "--rounds", "2", "--json")
    assert (found.returncode, found.stderr) == (0, b"")
    assert found.stdout.count(b"\n") == 1
    said = json.loads(found.stdout)
    assert (said["model"], said["rounds"]) == ("words", 2)
    assert (said["prompt_tokens"], said["answer_tokens"]) == (100, 8)
    for name in ("first_token_seconds", "prefill_tokens_per_second", "decode_tokens_per_second"):
        assert 0 < said[name]["low"] <= said[name]["median"] <= said[name]["high"]
    assert said["load_seconds"] > 0
    # two heads of 32 numbers, keys and values, in two layers, at 16 + 4 tokens
    assert said["step_bytes"] > said["weight_bytes"] / 2
    limit = said["read_bytes_per_second"] / said["step_bytes"]
    assert said["limit_tokens_per_second"] == pytest.approx(limit)
    assert said["peak_bytes"] > 10_000_000


def test_it_fits_80_columns(run: Run) -> None:
    found = run("bench", "--prompt", "32", "--answer", "2", "--rounds", "1")
    assert found.returncode == 0
    shown = found.stdout.decode().splitlines()
    assert shown[0] == "convergio-guide"
    assert max(map(len, shown)) <= 80


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (
            ["nowhere"],
            3,
            "error: [models] there is no model 'nowhere'",
        ),
        (
            ["words", "--prompt", "300"],
            5,
            "error: [engine] a prompt of 300 tokens",
        ),
        (
            ["words", "--answer", "1"],
            2,
            "error: [cli] argument --answer: 1 is below 2; `convergio-mlx bench --help` lists "
            "commands and options.",
        ),
        (
            ["words", "--rounds", "0"],
            2,
            "error: [cli] argument --rounds: 0 is below 1; `convergio-mlx bench --help` lists "
            "commands and options.",
        ),
    ],
)
def test_what_cannot_be_measured(run: Run, arguments: list[str], code: int, sentence: str) -> None:
    found = run("bench", *arguments)
    assert (found.returncode, found.stdout) == (code, b"")
    assert found.stderr.decode().startswith(sentence)
    assert found.stderr.count(b"\n") == 1
